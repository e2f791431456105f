import { describe, expect, it } from 'vitest'
import { random } from '../../fuzz/mutate.ts'
import { BandwidthFeedback } from '../../src/rtp/bandwidth-feedback.ts'
import type { RtcpPacket } from '../../src/rtp/rtcp.ts'
import { RtcpOutbox } from '../../src/rtp/rtcp-outbox.ts'
import { parseRtcp } from '../../src/rtp/rtcp-parser.ts'

/** Feedback on a transport, and what a sender would know from it: arrival by sequence number, 16 bit. */
function feeding(options: { transportCc?: boolean; remb?: boolean } = {}) {
  const packets: RtcpPacket[] = []
  const known = new Map<number, number | undefined>()
  const outbox = new RtcpOutbox({
    ssrc: 9,
    cname: 'us',
    send(bytes) {
      if (bytes.length > 1200) throw new Error(`${bytes.length} bytes`)
      packets.push(...parseRtcp(bytes))
    },
  })
  const feedback = new BandwidthFeedback({
    outbox,
    transportCc: true,
    remb: false,
    maxBitrateBps: 4_000_000,
    ...options,
  })
  const tick = (nowMs: number) => {
    feedback.tick(nowMs)
    outbox.flush()
    for (const packet of packets) {
      if (packet.type !== 'transport-cc') continue
      packet.arrivalsMs.forEach((arrivalMs, i) => {
        const sequence = (packet.baseSequence + i) & 0xffff
        if (arrivalMs !== undefined || !known.has(sequence)) known.set(sequence, arrivalMs)
      })
    }
    return packets.splice(0)
  }
  return { feedback, known, tick }
}

describe('transport-wide feedback', () => {
  it('tells of each packet when it came, to a quarter of a millisecond', () => {
    const { feedback, known, tick } = feeding()
    const pick = random(1)
    const came = new Map<number, number>()
    let now = 1000
    for (let sequence = 65_000; sequence < 75_000; sequence++) {
      now += pick(100) / 50
      if (pick(10) === 0) continue
      came.set(sequence & 0xffff, now)
      feedback.packet(sequence & 0xffff, now, 5)
      tick(now)
    }
    tick(now + 1000)
    for (const [sequence, arrivalMs] of came) {
      const told = known.get(sequence)
      expect(told).toBeLessThanOrEqual(arrivalMs)
      expect(told).toBeGreaterThan(arrivalMs - 0.2501)
    }
    expect([...known].filter(([, arrivalMs]) => arrivalMs !== undefined)).toHaveLength(came.size)
    expect(known.size).toBeGreaterThan(9900)
  })

  it('counts its packets, names itself, and goes out every 100 ms', () => {
    const { feedback, tick } = feeding()
    const out: RtcpPacket[] = []
    for (let i = 0; i < 1000; i++) {
      feedback.packet(i, 5000 + i, 77)
      out.push(...tick(5000 + i))
    }
    expect(out).toHaveLength(10)
    for (const [feedbackCount, packet] of out.entries()) {
      expect(packet).toMatchObject({ type: 'transport-cc', senderSsrc: 9, mediaSsrc: 77, feedbackCount })
    }
    expect(tick(7000)).toHaveLength(1)
    expect(tick(8000)).toHaveLength(0)
  })

  it('tells of late packets after all, and of each once', () => {
    const { feedback, known, tick } = feeding()
    feedback.packet(1, 1000, 5)
    feedback.packet(4, 1001, 5)
    tick(1100)
    expect(known.get(2)).toBeUndefined()
    feedback.packet(2, 1150, 5)
    feedback.packet(2, 1180, 5)
    feedback.packet(5, 1190, 5)
    tick(1250)
    expect(known.get(2)).toBe(1150)
    expect(known.get(3)).toBeUndefined()
    expect(known.get(4)).toBe(1001)
    expect(known.get(5)).toBe(1190)
  })

  it('writes what a hole, a long silence and a jump need', () => {
    const { feedback, known, tick } = feeding()
    feedback.packet(10, 1000, 5)
    feedback.packet(400, 1000.25, 5)
    feedback.packet(401, 1100, 5)
    feedback.packet(402, 60_000, 5)
    feedback.packet(403, 59_990, 5)
    tick(60_000)
    feedback.packet(20_000, 61_000, 5)
    feedback.packet(19_999, 61_000, 5)
    tick(61_000)
    const at = (...sequences: number[]) => sequences.map((sequence) => known.get(sequence))
    expect(at(10, 11, 400, 401, 402, 403)).toEqual([1000, undefined, 1000.25, 1100, 60_000, 59_990])
    expect(at(19_999, 20_000)).toEqual([61_000, 61_000])
  })

  it('counts its packets with 8 bits, and its time with 24 of 64 ms', () => {
    const { feedback, tick } = feeding()
    const from = 2 ** 24 * 64 - 25_600
    const counts: number[] = []
    for (let i = 0; i < 600; i++) {
      const nowMs = from + i * 100
      feedback.packet(i, nowMs + 0.5, 5)
      for (const packet of tick(nowMs + 1)) {
        if (packet.type !== 'transport-cc') continue
        counts.push(packet.feedbackCount)
        expect(packet.arrivalsMs).toEqual([(nowMs + 0.5) % (2 ** 24 * 64)])
      }
    }
    expect(counts).toEqual(Array.from({ length: 600 }, (_, i) => i & 0xff))
  })

  it.each([-8192, -8192.25, 8191.75, 8192, 63.75, 64, -0.25])(
    'says a delta of %d ms, in another packet where two bytes cannot hold it',
    (deltaMs) => {
      const { feedback, known, tick } = feeding()
      feedback.packet(65_535, 64_000, 5)
      feedback.packet(0, 64_000 + deltaMs, 5)
      feedback.packet(1, 64_000 + deltaMs, 5)
      const packets = tick(200_000)
      expect(packets).toHaveLength(deltaMs < -8192 || deltaMs > 8191.75 ? 2 : 1)
      expect([65_535, 0, 1].map((sequence) => known.get(sequence))).toEqual([
        64_000,
        64_000 + deltaMs,
        64_000 + deltaMs,
      ])
    },
  )

  it('is bounded at a flood, and reads its own noise', () => {
    const { feedback, tick } = feeding()
    const pick = random(3)
    for (let i = 0; i < 50_000; i++)
      feedback.packet(pick(20) === 0 ? pick(65_536) : (i * 3) & 0xffff, 1000 + pick(100_000), 5)
    expect(tick(200_000).length).toBeGreaterThan(0)
  })

  it('says nothing where it was not agreed on', () => {
    const { feedback, tick } = feeding({ transportCc: false })
    feedback.packet(1, 1000, 5)
    expect(tick(2000)).toEqual([])
  })

  it('bounds by REMB once a second', () => {
    const { feedback, tick } = feeding({ remb: true })
    expect(tick(1000)).toEqual([])
    feedback.ssrcs = [1, 2]
    const said = []
    for (let now = 1000; now < 4000; now += 50) said.push(...tick(now))
    expect(said).toHaveLength(3)
    expect(said[0]).toMatchObject({ type: 'remb', ssrcs: [1, 2], bitrateBps: expect.closeTo(4_000_000, -2) })
  })
})
