import { describe, expect, it } from 'vitest'
import { ForwardSource } from '../../src/rtp/forward-source.ts'
import { MediaClock, type TrackClock } from '../../src/rtp/media-clock.ts'
import { RtpPacket } from '../../src/rtp/packet.ts'
import type { RtcpPacket } from '../../src/rtp/rtcp.ts'
import { RtcpOutbox } from '../../src/rtp/rtcp-outbox.ts'
import { parseRtcp } from '../../src/rtp/rtcp-parser.ts'
import { RtpForwarder, type RtpForwarderOptions } from '../../src/rtp/rtp-forwarder.ts'
import { rtpPacket } from './rtp-packets.ts'

const WATCHER = { senderSsrc: 4, mediaSsrc: 3 }

/** A watcher: what it is sent. */
function watching(options: Partial<RtpForwarderOptions> = {}) {
  const got: RtpPacket[] = []
  const reports: RtcpPacket[] = []
  const outbox = new RtcpOutbox({ ssrc: 3, cname: 'us', send: (bytes) => reports.push(...parseRtcp(bytes)) })
  const forwarder = new RtpForwarder({
    ssrc: 3,
    payloadTypes: new Map([[96, 120]]),
    extensions: new Map(),
    outbox,
    send: (bytes) => got.push(new RtpPacket(bytes.slice(), 0)),
    ...options,
  })
  return { forwarder, got, reports, outbox, taken: () => got.splice(0) }
}

/** VP8 with 15-bit PictureID and TL0PICIDX (RFC 7741 §4.2), one packet to the frame. */
function vp8(pictureId: number, tl0: number, isKey: boolean): Uint8Array {
  return Uint8Array.of(0x90, 0xe0, 0x80 | (pictureId >> 8), pictureId, tl0, 0, isKey ? 0 : 1, 1, 2, 3)
}

/** A simulcast layer of a publisher. */
class Layer {
  readonly source: ForwardSource
  readonly start: number
  keyframesAsked = 0
  #sequence: number
  #pictureId: number
  #tl0: number

  constructor(
    track: TrackClock,
    clock: MediaClock,
    numbers: { start: number; sequence: number; pictureId: number; tl0: number },
  ) {
    this.start = numbers.start
    this.#sequence = numbers.sequence
    this.#pictureId = numbers.pictureId
    this.#tl0 = numbers.tl0
    this.source = new ForwardSource({
      codec: 'vp8',
      mediaClock: clock,
      encodingClock: track.encoding(),
      clockRateHz: track.clockRateHz,
      requestKeyframe: () => this.keyframesAsked++,
    })
  }

  frame(atMs: number, isKey = false): RtpPacket {
    const payload = vp8(this.#pictureId++ & 0x7fff, this.#tl0++ & 0xff, isKey)
    const timestamp = (this.start + Math.round(atMs * 90)) % 2 ** 32
    const packet = rtpPacket(this.#sequence++ & 0xffff, { timestamp, payload, arrivalMs: 5000 + atMs, marker: true })
    this.source.packet(packet)
    return packet
  }

  skip(): void {
    this.#sequence++
    this.#pictureId++
    this.#tl0++
    this.source.lost(1)
  }
}

function publisher() {
  const clock = new MediaClock()
  const track = clock.track(90_000)
  const low = new Layer(track, clock, { start: 4_294_900_000, sequence: 65_530, pictureId: 0x7ffe, tl0: 250 })
  const high = new Layer(track, clock, { start: 1_000_000, sequence: 100, pictureId: 7, tl0: 9 })
  return { clock, low, high }
}

const pictureIdOf = ({ payload }: RtpPacket) => ((payload[2] & 0x7f) << 8) | payload[3]
const steps = (values: readonly number[], modulus: number) =>
  values.slice(1).map((value, i) => (value - values[i] + modulus) % modulus)

describe('forwarding to a watcher', () => {
  it('begins with a keyframe, which is asked for, and rewrites what is the watcher’s own', () => {
    const { low } = publisher()
    const { forwarder, taken } = watching({
      extensions: new Map([[4, 7]]),
      mid: { extensionId: 2, value: 'v0' },
    })
    low.frame(0, true)
    forwarder.switchTo(low.source)
    expect(low.keyframesAsked).toBe(1)
    low.frame(33)
    expect(taken()).toEqual([])
    low.frame(66, true)
    const payload = vp8(1, 1, false)
    const extensions = [[4, Uint8Array.of(0x81)] as const, [5, Uint8Array.of(1)] as const]
    low.source.packet(rtpPacket(65_533, { timestamp: 1, payload, extensions, arrivalMs: 5100 }))
    const [key, next] = taken()
    expect(key).toMatchObject({ ssrc: 3, payloadType: 120, marker: true })
    expect(next).toMatchObject({ marker: false })
    expect(key.extension(2)).toEqual(new TextEncoder().encode('v0'))
    expect(next.extension(7)).toEqual(Uint8Array.of(0x81))
    expect(next.extension(5)).toBeUndefined()
  })

  it('goes over from layer to layer at a keyframe without a break in anything that counts', () => {
    const { low, high } = publisher()
    const { forwarder, got } = watching()
    forwarder.switchTo(low.source)
    for (let i = 0; i < 10; i++) {
      low.frame(i * 33, i === 0)
      high.frame(i * 33, i === 0)
    }
    forwarder.switchTo(high.source)
    expect(high.keyframesAsked).toBe(1)
    for (let i = 10; i < 20; i++) {
      low.frame(i * 33)
      high.frame(i * 33 + 1, i === 15)
    }
    forwarder.switchTo(low.source)
    for (let i = 20; i < 30; i++) {
      high.frame(i * 33 + 1)
      low.frame(i * 33, i === 25)
    }
    expect(got.length).toBeGreaterThanOrEqual(30)
    expect(
      new Set(
        steps(
          got.map(({ sequenceNumber }) => sequenceNumber),
          65_536,
        ),
      ),
    ).toEqual(new Set([1]))
    expect(new Set(steps(got.map(pictureIdOf), 32_768))).toEqual(new Set([1]))
    expect(
      new Set(
        steps(
          got.map(({ payload }) => payload[4]),
          256,
        ),
      ),
    ).toEqual(new Set([1]))
    const times = steps(
      got.map(({ timestamp }) => timestamp),
      2 ** 32,
    )
    expect(times.filter((step) => step === 33 * 90).length).toBeGreaterThan(25)
    expect(Math.min(...times)).toBeGreaterThanOrEqual(90)
    expect(Math.max(...times)).toBeLessThan(40 * 90)
  })

  it('leaves numbers out for what was lost, and none for what is not the watcher’s', () => {
    const { low } = publisher()
    const { forwarder, got } = watching()
    forwarder.switchTo(low.source)
    low.frame(0, true)
    low.source.packet(rtpPacket(1, { payloadType: 99, timestamp: 5, arrivalMs: 5010 }))
    low.frame(33)
    low.skip()
    low.frame(99)
    expect(
      steps(
        got.map(({ sequenceNumber }) => sequenceNumber),
        65_536,
      ),
    ).toEqual([1, 2])
  })

  it('goes on after the publisher came back with another clock', () => {
    const first = publisher()
    const second = publisher()
    const { forwarder, got } = watching()
    forwarder.switchTo(first.low.source)
    first.low.frame(0, true)
    first.low.frame(33)
    forwarder.switchTo(undefined)
    first.low.frame(66)
    forwarder.switchTo(second.high.source)
    second.high.frame(10_033, true)
    second.high.frame(10_066)
    expect(
      steps(
        got.map(({ sequenceNumber }) => sequenceNumber),
        65_536,
      ),
    ).toEqual([1, 1, 1])
    expect(
      steps(
        got.map(({ timestamp }) => timestamp),
        2 ** 32,
      ),
    ).toEqual([33 * 90, 900_000, 33 * 90])
    expect(steps(got.map(pictureIdOf), 32_768)).toEqual([1, 1, 1])
  })

  it('sends again what is asked for, on a stream of its own where there is one, and not too often', () => {
    const { low, high } = publisher()
    const rtx = { ssrc: 33, payloadTypes: new Map([[120, 121]]) }
    const { forwarder, taken } = watching({ rtx })
    forwarder.switchTo(low.source)
    for (let i = 0; i < 5; i++) low.frame(i * 33, i === 0)
    forwarder.switchTo(high.source)
    high.frame(170, true)
    const sent = taken()
    const nack = { type: 'nack', ...WATCHER, sequences: [sent[2].sequenceNumber, sent[5].sequenceNumber] } as const
    forwarder.rtcp(nack, 6000)
    forwarder.rtcp(nack, 6010)
    const again = taken()
    expect(again).toHaveLength(2)
    for (const [i, original] of [sent[2], sent[5]].entries()) {
      expect(again[i]).toMatchObject({ ssrc: 33, payloadType: 121, timestamp: original.timestamp, marker: true })
      expect((again[i].payload[0] << 8) | again[i].payload[1]).toBe(original.sequenceNumber)
      expect([...again[i].payload.subarray(2)]).toEqual([...original.payload])
    }
    expect(again[1].sequenceNumber).toBe((again[0].sequenceNumber + 1) & 0xffff)
    forwarder.rtcp(nack, 6100)
    expect(taken()).toHaveLength(2)
    forwarder.rtcp({ ...nack, mediaSsrc: 999 }, 7000)
    forwarder.rtcp({ ...nack, sequences: [(sent[5].sequenceNumber + 1) & 0xffff] }, 7000)
    expect(taken()).toHaveLength(0)
    expect(forwarder.figures()).toMatchObject({ packets: 6, retransmitted: 4 })
  })

  it('sends again on the same stream otherwise, within bounds, and goes on counting as before', () => {
    const { low } = publisher()
    const { forwarder, taken, got } = watching()
    forwarder.switchTo(low.source)
    for (let i = 0; i < 2000; i++) low.frame(i * 5, i === 0)
    const sent = taken()
    const sequences = sent.map(({ sequenceNumber }) => sequenceNumber)
    forwarder.rtcp({ type: 'nack', ...WATCHER, sequences: sequences.slice(-2).reverse() }, 20_000)
    expect(taken().map(({ bytes }) => [...bytes])).toEqual([[...sent[1999].bytes], [...sent[1998].bytes]])
    forwarder.rtcp({ type: 'nack', ...WATCHER, sequences }, 21_000)
    expect(taken().length).toBeLessThan(130)
    expect(forwarder.figures().notFound).toBe(2000 - 1024)
    low.frame(10_000)
    expect(pictureIdOf(got[0])).toBe((pictureIdOf(sent[1999]) + 1) & 0x7fff)
  })

  it('passes requests for keyframes on, but not each', () => {
    const { low } = publisher()
    const { forwarder } = watching()
    forwarder.switchTo(low.source)
    low.frame(0, true)
    for (let i = 0; i < 50; i++) forwarder.rtcp({ type: 'pli', ...WATCHER }, 6000 + i * 10)
    forwarder.rtcp({ type: 'fir', senderSsrc: 4, requests: [{ ssrc: 3, sequence: 1 }] }, 7000)
    forwarder.rtcp({ type: 'pli', senderSsrc: 4, mediaSsrc: 12 }, 9000)
    expect(low.keyframesAsked).toBe(1 + 2 + 1)
    expect(forwarder.figures().keyframeRequests).toBe(51)
  })

  it('reports with one wall clock for all, and learns loss and round trip', () => {
    const { clock, low } = publisher()
    const { forwarder, got, reports, outbox } = watching()
    forwarder.switchTo(low.source)
    for (let i = 0; i < 31; i++) low.frame(i * 33, i === 0)
    forwarder.tick(6000)
    outbox.flush()
    const [report] = reports
    if (report?.type !== 'sr') throw new Error('no report')
    const aheadMs = (((report.timestamp - got[30].timestamp) | 0) / 90) as number
    expect(aheadMs).toBeCloseTo(clock.atMs(6000) - clock.atMs(5990), 0)
    expect(report.ntpMs).toBeCloseTo(2_208_988_800_000 + performance.timeOrigin + 6000, 1)
    expect(report.packets).toBe(31)
    const block = { ssrc: 3, fractionLost: 64, cumulativeLost: 1, highestSequence: 1, jitter: 0 }
    const heard = { ...block, lastSr: report.ntpMiddle, delaySinceLastSr: 65_536 }
    forwarder.rtcp({ type: 'rr', ssrc: 4, blocks: [heard] }, 7080)
    expect(forwarder.figures()).toMatchObject({ lossRate: 0.25, rttMs: expect.closeTo(80, 0) })
    forwarder.tick(6500)
    outbox.flush()
    expect(reports.filter(({ type }) => type === 'sr')).toHaveLength(1)
  })

  it('forwards to as many as there are, and costs nothing when they are gone', () => {
    const { low } = publisher()
    const watchers = [watching(), watching(), watching()]
    for (const { forwarder } of watchers) forwarder.switchTo(low.source)
    low.frame(0, true)
    watchers[1].forwarder.close()
    watchers[1].forwarder.close()
    low.frame(33)
    expect(watchers.map(({ got }) => got.length)).toEqual([2, 1, 2])
    for (const { forwarder } of watchers) forwarder.close()
    low.frame(66)
    expect(low.source.at(0)).toBeDefined()
    low.frame(3000)
    expect(low.source.at(0)).toBeUndefined()
  })
})
