import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { rtpPacket } from '../rtp/rtp-packets.ts'
import { CHROMIUM, chromiumSources, pass, publishing } from './publishing.ts'
import type { RtpSource } from './rtp-source.ts'
import type { KeepingSink } from './sinks.ts'

/** Seconds since 1900 at which the sender's media begins. */
const START_S = 3_900_000_000
const CAPTURE_TIME = 'http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time'
/** Of `RtpSource`, whose time 0 this is. */
const FIRST_TIMESTAMP = 12_345

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance', 'Date', 'setInterval', 'clearInterval'] }))
afterEach(() => void vi.useRealTimers())

/** 64 bits of NTP, `ms` after the beginning. */
function ntp(ms: number): Buffer {
  const time = Buffer.alloc(8)
  time.writeUInt32BE(START_S + Math.floor(ms / 1000), 0)
  time.writeUInt32BE(Math.floor(((ms % 1000) / 1000) * 2 ** 32), 4)
  return time
}

/** RFC 3550 §6.4.1: the source's time 0 is that of the wall clock. */
function senderReport({ options }: RtpSource): Buffer {
  const report = Buffer.alloc(28)
  report.writeUInt32BE(0x80c80006, 0)
  report.writeUInt32BE(options.ssrc, 4)
  ntp(0).copy(report, 8)
  report.writeUInt32BE(FIRST_TIMESTAMP, 16)
  return report
}

/** RFC 3550 §6.6 */
function bye(...ssrcs: readonly number[]): Buffer {
  const packet = Buffer.alloc(4 + 4 * ssrcs.length)
  packet.writeUInt32BE(0x80cb0000 + (ssrcs.length << 24) + ssrcs.length, 0)
  for (const [i, ssrc] of ssrcs.entries()) packet.writeUInt32BE(ssrc, 4 + 4 * i)
  return packet
}

/** How much later than the sound of its time the first picture lies, ms. */
function pictureLag(sink: KeepingSink): number {
  const [sound, picture] = [sink.framesOf(1)[0], sink.framesOf(2)[0]]
  return picture.pts / 90 - (sound.pts / 48 + 6.5) // Opus looks ahead
}

describe('the sender’s clock', () => {
  it('is known of the first packets when their reports came before them', async () => {
    const lags: number[] = []
    for (const isReported of [true, false]) {
      const { transport, sink, session } = await publishing(CHROMIUM)
      const { video, audio } = chromiumSources()
      if (isReported) transport.deliver(senderReport(audio), senderReport(video))
      transport.deliver(...audio.opus(0))
      pass(150)
      transport.deliver(...video.vp8(0, true))
      lags.push(pictureLag(sink))
      session.close()
    }
    expect(Math.abs(lags[0])).toBeLessThan(1)
    expect(lags[1]).toBeGreaterThan(100)
  })

  it('is believed of no more SSRCs than one has', async () => {
    const { transport, sink } = await publishing(CHROMIUM)
    const { video, audio } = chromiumSources()
    transport.deliver(senderReport(audio), senderReport(video))
    for (let i = 0; i < 10_000; i++) {
      const other = senderReport(video)
      other.writeUInt32BE(i + 1, 4)
      transport.deliver(other)
    }
    transport.deliver(...audio.opus(0))
    pass(150)
    transport.deliver(...video.vp8(0, true))
    expect(pictureLag(sink)).toBeGreaterThan(100)
  })

  it('is told by packets themselves where that was agreed upon', async () => {
    const offer = CHROMIUM.replaceAll(/^a=mid:\d\r\n/gm, (line) => `${line}a=extmap:12 ${CAPTURE_TIME}\r\n`)
    const { transport, sink, session } = await publishing(offer)
    expect(session.answer.split(`a=extmap:12 ${CAPTURE_TIME}`)).toHaveLength(3)
    const { video, audio } = chromiumSources()
    const packet = (source: RtpSource, mid: string, payload: Buffer, ms: number) => {
      const { ssrc, payloadType, clockRateHz } = source.options
      const timestamp = FIRST_TIMESTAMP + (ms * clockRateHz) / 1000
      const extensions = [[4, Buffer.from(mid)] as const, [12, ntp(ms)] as const]
      return Buffer.from(rtpPacket(7, { ssrc, payloadType, timestamp, marker: true, payload, extensions }).bytes)
    }
    transport.deliver(packet(audio, '0', Buffer.from([0xfc, 1, 2]), 40))
    pass(150)
    const keyframe = Buffer.from([0x10, 0x10, 0, 0, 0x9d, 0x01, 0x2a, 64, 0, 64, 0]) // RFC 7741 §4.2, RFC 6386 §9.1
    transport.deliver(packet(video, '1', keyframe, 40))
    expect(Math.abs(pictureLag(sink))).toBeLessThan(1)
  })
})

describe('a sender that says goodbye of an SSRC', () => {
  it('has its last packets sent again all the same, and may go on with it', async () => {
    const { transport, sink } = await publishing(CHROMIUM)
    const { audio, video } = chromiumSources()
    const packets = Array.from({ length: 10 }, (_, i) => audio.opus(i * 20)).flat()
    transport.deliver(...packets.filter((_, i) => i !== 5), ...video.vp8(0, true))
    expect(sink.framesOf(1)).toHaveLength(5)
    transport.deliver(bye(1, audio.options.ssrc, 2))
    pass(200)
    expect(sink.framesOf(1)).toHaveLength(5)
    transport.deliver(packets[5])
    expect(sink.framesOf(1)).toHaveLength(10)
    pass(1000)
    expect(sink.last?.tracks[0]).toMatchObject({ packets: 10, packetsLost: 0, packetsRecovered: 1 })
    for (let i = 50; i < 60; i++) transport.deliver(...audio.opus(i * 20))
    expect(sink.framesOf(1)).toHaveLength(20)
    expect(sink.tracks.filter(({ id }) => id === 1)).toHaveLength(1)
    transport.deliver(...video.vp8(40, false))
    expect(sink.framesOf(2)).toHaveLength(2)
  })
})
