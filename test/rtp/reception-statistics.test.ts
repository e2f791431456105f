import { describe, expect, it } from 'vitest'
import { ReceptionStatistics } from '../../src/rtp/reception-statistics.ts'
import { rtpPacket } from './rtp-packets.ts'

describe('what a receiver report says', () => {
  it('counts loss since the last one, and since the beginning (RFC 3550 §A.3)', () => {
    const statistics = new ReceptionStatistics(7, 90_000)
    for (let i = 0; i < 75; i++) statistics.received()
    expect(statistics.block(65_536, 65_635, 0)).toMatchObject({
      ssrc: 7,
      fractionLost: 64,
      cumulativeLost: 25,
      highestSequence: 65_635,
    })
    for (let i = 0; i < 100; i++) statistics.received()
    expect(statistics.block(65_536, 65_735, 0)).toMatchObject({ fractionLost: 0, cumulativeLost: 25 })
    for (let i = 0; i < 50; i++) statistics.received()
    expect(statistics.block(65_536, 65_735, 0)).toMatchObject({ fractionLost: 0, cumulativeLost: -25 })
    statistics.restart(200)
    statistics.received()
    expect(statistics.block(70_000, 70_001, 0)).toMatchObject({ cumulativeLost: -24, fractionLost: 128 })
  })

  it('measures jitter by the first packets of frames (RFC 3550 §A.8)', () => {
    const statistics = new ReceptionStatistics(7, 90_000)
    let expected = 0
    let before = 0
    for (let i = 0; i < 200; i++) {
      const lateMs = i % 3 === 0 ? 8 : 0
      const timestamp = (4_294_000_000 + i * 3000) % 2 ** 32
      for (let part = 0; part < 3; part++) {
        statistics.arrived(rtpPacket(i, { timestamp, arrivalMs: (i * 3000) / 90 + lateMs + part * 5 }))
      }
      const isWrapped = timestamp < 3000 && i > 0
      if (i > 0 && !isWrapped) expected += (Math.abs(lateMs - before) - expected) / 16
      before = lateMs
    }
    expect(statistics.jitterMs).toBeCloseTo(expected, 3)
    expect(statistics.jitterMs).toBeGreaterThan(4)
  })

  it('says when it heard the last sender report', () => {
    const statistics = new ReceptionStatistics(7, 90_000)
    expect(statistics.block(1, 1, 5000)).toMatchObject({ lastSr: 0, delaySinceLastSr: 0 })
    const report = {
      type: 'sr',
      ssrc: 7,
      ntpMs: 1,
      ntpMiddle: 99,
      timestamp: 0,
      packets: 0,
      octets: 0,
      blocks: [],
    } as const
    statistics.senderReport(report, 5000)
    expect(statistics.block(1, 1, 5500)).toMatchObject({ lastSr: 99, delaySinceLastSr: 32_768 })
  })

  it('measures the bitrate over a second', () => {
    const statistics = new ReceptionStatistics(7, 90_000)
    for (let at = 0; at <= 4000; at += 100) statistics.measureBitrate(at * 125, 10_000 + at)
    expect(statistics.bitrateBps).toBe(1_000_000)
  })
})
