import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { refineTrack } from '../../src/codec/track.ts'
import { vector } from '../codec/vectors.ts'
import { vp9Payloads } from '../rtp/packetizers.ts'
import { offerOf } from './offers.ts'
import { CHROMIUM, chromiumSources, pass, publishing } from './publishing.ts'
import { RtpSource } from './rtp-source.ts'

/** Of a receiver's reference time, RFC 3611 §4.4. */
const REFERENCE_HEADER = Buffer.from('04000002', 'hex')

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance', 'Date', 'setInterval', 'clearInterval'] }))
afterEach(() => void vi.useRealTimers())

describe('a peer that publishes', () => {
  it('gives frames of camera and microphone, on one clock, and the list is met', async () => {
    const { transport, sink, session } = await publishing(CHROMIUM)
    const { video, audio } = chromiumSources()
    for (let i = 0; i < 50; i++) {
      transport.deliver(...audio.opus(i * 20))
      if (i % 2 === 0) transport.deliver(...video.vp8(i * 20, i === 0))
      pass(20)
    }
    expect(sink.framesOf(1).map(({ data }) => data)).toEqual(audio.sent)
    expect(sink.framesOf(2).map(({ data }) => data)).toEqual(video.sent)
    expect(sink.tracks.map(({ id, codec, label, epoch, timescale }) => [id, codec, label, epoch, timescale])).toEqual([
      [1, 'opus', 'microphone', 0, 48_000],
      [2, 'vp8', 'camera', 0, 90_000],
    ])
    expect(sink.tracks[1]).toMatchObject({ width: 640, height: 360 })
    const [sound, picture] = [sink.framesOf(1)[0].pts / 48, sink.framesOf(2)[0].pts / 90]
    expect(Math.abs(sound + 6.5 - picture)).toBeLessThan(1) // Opus looks ahead
    expect(sink.framesOf(2).map(({ key }) => key)).toEqual([true, ...Array.from({ length: 24 }, () => false)])
    expect(sink.lines).toEqual([
      ...(['connected', 'tracks_published', 'subscribed', 'first_rtp', 'frames_flowing', 'first_keyframe'] as const),
    ])
    expect(sink.flushes).toBe(75)
    pass(1000)
    expect(sink.last?.tracks).toMatchObject([
      { trackId: 1, kind: 'audio', codec: 'opus', mid: '0', frames: 50, packets: 50, packetsLost: 0, lossRate: 0 },
      { trackId: 2, kind: 'video', codec: 'vp8', mid: '1', frames: 25, keyframes: 1, packets: 75, width: 640 },
    ])
    expect(transport.rtcp.some((packet) => packet.type === 'rr' && packet.blocks.length === 2)).toBe(true)
    session.close()
    expect(sink.ends).toEqual([])
    expect(transport.state).toBe('closed')
  })

  it('is asked for what was lost, and takes it from the stream of retransmissions', async () => {
    const { transport, sink } = await publishing(CHROMIUM)
    const { video } = chromiumSources()
    transport.onRtcp = (packet) => {
      for (const again of video.answer(packet)) setImmediate(() => transport.deliver(again))
    }
    let left = 0
    for (let i = 0; i < 60; i++) {
      const packets = video.vp8(i * 33, i === 0)
      const arriving = packets.filter((_, index) => i === 0 || (i * 3 + index) % 10 !== 0)
      left += packets.length - arriving.length
      transport.deliver(...arriving)
      pass(30)
      await new Promise((resolve) => setImmediate(resolve))
    }
    transport.deliver(...video.vp8(60 * 33, false))
    pass(1000)
    expect(sink.framesOf(2).map(({ data }) => data)).toEqual(video.sent)
    expect(sink.last?.tracks[1]).toMatchObject({ packetsLost: 0, packetsRecovered: left, rtx: left })
    expect(sink.losses).toEqual([])
  })

  it('goes on as the same track when its SSRC changes, and begins a new epoch when its size does', async () => {
    const { transport, sink } = await publishing(CHROMIUM)
    const { video } = chromiumSources()
    for (let i = 0; i < 5; i++) transport.deliver(...video.vp8(i * 40, i === 0))
    const next = new RtpSource({ ...video.options, ssrc: 4242, extensions: { 4: '1' }, firstSequence: 65_534 })
    for (let i = 0; i < 5; i++) {
      pass(40)
      transport.deliver(...next.vp8(i * 40, i === 0, { width: 320, height: 180 }))
    }
    expect(sink.framesOf(2).map(({ data }) => data)).toEqual([...video.sent, ...next.sent])
    expect(sink.tracks.map(({ id, epoch }) => [id, epoch])).toEqual([
      [2, 0],
      [2, 1],
    ])
    transport.deliver(...video.vp8(999, false))
    pass(1000)
    expect(sink.framesOf(2)).toHaveLength(10)
    expect(sink.last?.strays?.unknownSsrc).toBe(3)
    expect(sink.last?.tracks[1]).toMatchObject({ frames: 10, resolutionChanges: 1, packets: 30 })
  })

  it('makes another track of another codec, and counts what was not agreed upon', async () => {
    const { transport, sink } = await publishing(CHROMIUM)
    const { video, audio } = chromiumSources()
    transport.deliver(...video.vp8(0, true), ...audio.opus(0))
    const foreign = new RtpSource({ ...audio.options, payloadType: 63, firstSequence: 1001 })
    transport.deliver(...foreign.opus(20))
    const unknown = new RtpSource({ ssrc: 77, payloadType: 50, clockRateHz: 90_000, extensions: { 4: '1' } })
    transport.deliver(...unknown.vp8(0, true))
    const pcma = new RtpSource({ ...audio.options, payloadType: 8, clockRateHz: 8000, firstSequence: 1002 })
    transport.deliver(...pcma.packets(Buffer.alloc(160, 1), [Buffer.alloc(160, 1)], 40))
    pass(1000)
    expect(sink.tracks.map(({ id, codec, timescale }) => [id, codec, timescale])).toEqual([
      [2, 'vp8', 90_000],
      [1, 'opus', 48_000],
      [3, 'pcm-alaw', 8000],
    ])
    expect(sink.last?.strays).toEqual({ unknownSsrc: 0, notNegotiated: 4, malformed: 0 })
  })

  it('sends spatial layers of VP9 as pictures of the largest one’s size', async () => {
    const { transport, sink } = await publishing(CHROMIUM)
    const source = new RtpSource({ ...chromiumSources().video.options, payloadType: 98 })
    const [key, next] = vector('vp9').packets.map(({ data }) => data)
    const structure = [0x30, 3, 0x56, 1, 0xe0, 6, 0xac, 3, 0xc0] // two layers: 854x480, 1708x960
    for (let i = 0; i < 20; i++) {
      const isKey = i % 10 === 0
      const layer = (spatial: number) => ({ id: i, temporal: 0, base: i, spatial, ...(isKey ? { structure } : {}) })
      const payloads = [...vp9Payloads(isKey ? key : next, layer(0)), ...vp9Payloads(next, layer(1))]
      transport.deliver(...source.packets(next, payloads.map(Buffer.from), i * 40))
      pass(40)
    }
    pass(1000)
    expect(sink.framesOf(2).map((frame) => frame.key)).toEqual(source.sent.map((_, i) => i % 10 === 0))
    expect(sink.tracks).toMatchObject([{ codec: 'vp9', epoch: 0, width: 1708, height: 960 }])
    const [{ track, data }] = sink.framesOf(2)
    expect(refineTrack(track, data)).toBe(track)
    expect(sink.last?.tracks[1]).toMatchObject({ frames: 20, keyframes: 2, resolutionChanges: 0, width: 1708 })
  })

  it('is told apart by a=ssrc where it marks nothing, and by payload type where only one m-line has it', async () => {
    const { transport, sink } = await publishing(offerOf('obs'))
    const sound = new RtpSource({ ssrc: 3388068600, payloadType: 111, clockRateHz: 48_000 })
    transport.deliver(...sound.opus(0))
    const other = new RtpSource({ ssrc: 5, payloadType: 111, clockRateHz: 48_000 })
    transport.deliver(...other.opus(20))
    expect(sink.framesOf(1)).toHaveLength(2)
  })

  it('is told of at once when its packets come, before anything can be decoded', async () => {
    const { transport, sink } = await publishing(CHROMIUM)
    pass(1100)
    const { audio, video } = chromiumSources()
    transport.deliver(...audio.opus(0))
    pass(300)
    transport.deliver(...video.vp8(0, false))
    pass(50)
    expect(sink.last?.tracks).toMatchObject([{ packets: 1 }, { kind: 'video', packets: 3, keyframes: 0 }])
  })

  it('loses no keyframe to a network that swaps its first packets', async () => {
    const { transport, sink } = await publishing(CHROMIUM)
    const { video } = chromiumSources()
    const [first, second, third] = video.vp8(0, true)
    transport.deliver(second)
    pass(20)
    transport.deliver(third, first, ...video.vp8(40, false))
    pass(1000)
    expect(sink.framesOf(2).map(({ data }) => data)).toEqual(video.sent)
    expect(sink.last?.tracks[1]).toMatchObject({ plis: 0, damagedFrames: 0, packetsLost: 0, packetsLate: 0 })
  })

  it('is asked for a keyframe until one comes, and nothing before it is given out', async () => {
    const { transport, sink, session } = await publishing(CHROMIUM)
    const { video } = chromiumSources()
    const plis = () => transport.rtcp.filter(({ type }) => type === 'pli').length
    for (let i = 0; i < 130; i++) {
      transport.deliver(...video.vp8(i * 40, false))
      pass(40)
    }
    expect(sink.frames).toEqual([])
    expect(plis()).toBeGreaterThanOrEqual(3)
    expect(plis()).toBeLessThanOrEqual(12)
    transport.deliver(...video.vp8(130 * 40, true))
    expect(sink.framesOf(2).map(({ key }) => key)).toEqual([true])
    const before = plis()
    pass(5000)
    expect(plis()).toBe(before)
    session.requestKeyframe(1)
    expect(plis()).toBe(before)
    session.requestKeyframe(2)
    expect(plis()).toBe(before + 1)
  })

  it('says how long the round trip is', async () => {
    const { transport, sink } = await publishing(CHROMIUM)
    const raw: Buffer[] = []
    const send = transport.send.bind(transport)
    transport.send = (packet) => {
      raw.push(Buffer.from(packet))
      return send(packet)
    }
    pass(1000)
    const reference = raw.find((packet) => packet.includes(REFERENCE_HEADER))
    const at = reference?.indexOf(REFERENCE_HEADER) ?? -1
    const [own, middle] = [reference?.readUInt32BE(at - 4) ?? 0, reference?.readUInt32BE(at + 6) ?? 0]
    pass(80)
    const heard = Buffer.from('80cf0005' + '000010e1' + '05000003' + '00000000' + '00000000' + '00000000', 'hex')
    heard.writeUInt32BE(own, 12)
    heard.writeUInt32BE(middle, 16)
    heard.writeUInt32BE(65536 * 0.03, 20)
    transport.deliver(heard)
    pass(1000)
    expect(sink.last?.rttMs).toBeGreaterThan(40)
    expect(sink.last?.rttMs).toBeLessThan(60)
  })

  it('may trickle candidates', async () => {
    const { transport, session } = await publishing(CHROMIUM)
    session.addCandidates(['candidate:1 1 udp 1 192.0.2.1 9 typ host'])
    expect(transport.candidates).toEqual(['candidate:1 1 udp 1 192.0.2.1 9 typ host'])
  })
})

describe('a peer that is not heard', () => {
  it('is given up when it never connects', async () => {
    const { transport, sink } = await publishing(CHROMIUM, {}, 'connecting')
    pass(19_900)
    expect(sink.ends).toEqual([])
    pass(200)
    expect(sink.ends).toMatchObject([{ reason: 'failed', code: 'TD_SOURCE_CONNECTION' }])
    expect(transport.state).toBe('closed')
    const other = await publishing(CHROMIUM, {}, 'connecting')
    other.transport.move('closed')
    expect(other.sink.ends).toMatchObject([{ reason: 'failed', code: 'TD_SOURCE_CONNECTION' }])
  })

  it('is lost, and has not said goodbye, when it was heard to the end and could not be reached', async () => {
    const { transport, sink } = await publishing(CHROMIUM)
    transport.deliver(...chromiumSources().audio.opus(0))
    transport.move('unreached')
    transport.move('closed')
    expect(sink.ends).toMatchObject([{ reason: 'lost', code: 'TD_SOURCE_DEAF' }])
    const polite = await publishing(CHROMIUM)
    polite.transport.deliver(...chromiumSources().audio.opus(0))
    for (const state of ['disconnected', 'closed'] as const) polite.transport.move(state)
    expect(polite.sink.ends).toEqual([{ reason: 'finished' }])
  })

  it('is given up 15 s after it connected, when it never sends', async () => {
    const { transport, sink } = await publishing(CHROMIUM)
    pass(14_900)
    expect(sink.ends).toEqual([])
    pass(200)
    expect(sink.ends).toMatchObject([{ reason: 'lost', code: 'TD_SOURCE_LOST' }])
    expect(transport.state).toBe('closed')
    expect(sink.last?.tracks.map(({ packets }) => packets)).toEqual([0, 0])
    expect(sink.last?.lastRtpAtMs).toBeUndefined()
  })

  it('is given up 15 s after its last packet, and says when that was', async () => {
    const { transport, sink } = await publishing(CHROMIUM)
    pass(3000)
    const { audio } = chromiumSources()
    transport.deliver(...audio.opus(0))
    const heardAtMs = performance.timeOrigin + performance.now()
    pass(14_900)
    expect(sink.last?.lastRtpAtMs).toBeCloseTo(heardAtMs, 3)
    expect(sink.ends).toEqual([])
    pass(200)
    expect(sink.ends).toMatchObject([{ reason: 'lost' }])
  })

  it('ends as finished when it goes while it sends, and as lost when it was silent', async () => {
    const first = await publishing(CHROMIUM)
    first.transport.deliver(...chromiumSources().audio.opus(0))
    first.transport.move('closed')
    expect(first.sink.ends).toEqual([{ reason: 'finished' }])
    const second = await publishing(CHROMIUM)
    second.transport.deliver(...chromiumSources().audio.opus(0))
    pass(6000)
    second.transport.move('closed')
    expect(second.sink.ends).toMatchObject([{ reason: 'lost', code: 'TD_SOURCE_LOST' }])
  })

  it('that sends sound alone is not taken for one with pictures', async () => {
    const { transport, sink } = await publishing(CHROMIUM)
    const { audio } = chromiumSources()
    for (let i = 0; i < 100; i++) {
      transport.deliver(...audio.opus(i * 20))
      pass(20)
    }
    expect(sink.lines).toContain('frames_flowing')
    expect(sink.lines).not.toContain('first_keyframe')
    expect(sink.last?.tracks).toMatchObject([{ frames: 100 }, { kind: 'video', frames: 0, packets: 0 }])
  })
})
