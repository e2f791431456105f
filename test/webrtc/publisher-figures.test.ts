import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { RtcpPacket } from '../../src/rtp/rtcp.ts'
import type { MemoryTransport } from './memory-transport.ts'
import { CHROMIUM, chromiumSources, pass, publishing } from './publishing.ts'
import { RtpSource } from './rtp-source.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance', 'Date', 'setInterval', 'clearInterval'] }))
afterEach(() => void vi.useRealTimers())

function last<Type extends RtcpPacket['type']>(transport: MemoryTransport, type: Type) {
  return transport.rtcp.filter((packet): packet is Extract<RtcpPacket, { type: Type }> => packet.type === type).at(-1)
}

describe('what a publisher is told of what came', () => {
  it('counts the cycles of its sequence numbers from 0 (RFC 3550 §6.4.1)', async () => {
    const { transport } = await publishing(CHROMIUM)
    const audio = new RtpSource({ ...chromiumSources().audio.options, firstSequence: 65_500 })
    const highest = () => last(transport, 'rr')?.blocks[0]?.highestSequence
    for (let i = 0; i < 20; i++) transport.deliver(...audio.opus(i * 20))
    pass(1100)
    expect(highest()).toBe(65_519)
    for (let i = 20; i < 40; i++) transport.deliver(...audio.opus(i * 20))
    pass(1100)
    expect(highest()).toBe(65_536 + 3)
  })

  it('names the SSRCs that it bounds, also when one takes the place of another', async () => {
    const { transport } = await publishing(CHROMIUM)
    const { video } = chromiumSources()
    transport.deliver(...video.vp8(0, true))
    pass(1100)
    expect(last(transport, 'remb')?.ssrcs).toEqual([video.options.ssrc])
    transport.deliver(...new RtpSource({ ...video.options, ssrc: 77 }).vp8(1100, true))
    pass(100)
    expect(last(transport, 'remb')?.ssrcs).toEqual([77])
  })
})

describe('the figures of a publisher', () => {
  it('are at its end what was measured last', async () => {
    const { transport, session, sink } = await publishing(CHROMIUM)
    const { audio, video } = chromiumSources()
    for (let i = 0; i < 100; i++) {
      transport.deliver(...audio.opus(i * 20), ...video.vp8(i * 20 + (i % 2), i === 0))
      pass(20)
    }
    const before = sink.last?.tracks.map(({ bitrateBps, jitterMs }) => [bitrateBps, jitterMs])
    session.finish()
    expect(sink.last?.tracks.map(({ bitrateBps, jitterMs }) => [bitrateBps, jitterMs])).toEqual(before)
    const [sound, picture] = sink.last?.tracks ?? []
    expect(sound.bitrateBps).toBeGreaterThan(25_000)
    expect(picture.bitrateBps).toBeGreaterThan(900_000)
    expect(picture.jitterMs).toBeGreaterThan(0.1)
  })

  it('measure jitter by the clock of what comes, whatever else was offered', async () => {
    const { transport, sink } = await publishing(CHROMIUM)
    const { audio } = chromiumSources()
    const g711 = new RtpSource({ ...audio.options, payloadType: 8, clockRateHz: 8000 })
    for (let i = 0; i < 150; i++) {
      transport.deliver(...g711.packets(Buffer.alloc(160), [Buffer.alloc(160)], i * 20))
      pass(20)
    }
    expect(sink.last?.tracks[0]).toMatchObject({ codec: 'pcm-alaw', packets: 150 })
    expect(sink.last?.tracks[0].jitterMs).toBeLessThan(1)
  })

  it('have the round trip by how soon packets come again, where nothing else says it', async () => {
    const { transport, sink } = await publishing(CHROMIUM)
    const { video } = chromiumSources()
    const answers: Uint8Array[] = []
    transport.onRtcp = (packet) => void answers.push(...video.answer(packet))
    transport.deliver(...video.vp8(0, true))
    const [first, ...others] = video.vp8(40, false)
    transport.deliver(...others)
    for (let waited = 0; answers.length === 0 && waited < 500; waited += 5) pass(5)
    expect(sink.last?.rttMs).toBeUndefined()
    pass(60)
    transport.deliver(...answers)
    pass(1000)
    expect(first).toBeDefined()
    expect(sink.last?.tracks[1]).toMatchObject({ packetsLost: 0, packetsRecovered: 1 })
    expect(sink.last?.rttMs).toBeGreaterThanOrEqual(60)
    expect(sink.last?.rttMs).toBeLessThan(70)
    transport.rttMs = 20
    pass(1000)
    expect(sink.last?.rttMs).toBe(20)
  })

  it('count what was asked for before the first packet, and packets whose numbers fit no others', async () => {
    const { transport, sink } = await publishing(CHROMIUM)
    const { video } = chromiumSources()
    transport.deliver(...video.vp8(0, false))
    pass(1000)
    const asked = transport.rtcp.flatMap((packet) => (packet.type === 'nack' ? packet.sequences : []))
    expect(asked).toHaveLength(17)
    expect(sink.last?.tracks[1].nacks).toBe(17)
    for (let i = 1; i <= 50; i++) {
      const jumping = new RtpSource({ ...video.options, firstSequence: (i * 20_011) & 0xffff })
      transport.deliver(jumping.vp8(i * 40 * 90_000, false)[0])
    }
    pass(1100)
    const { malformed = 0 } = sink.last?.strays ?? {}
    expect(malformed + (sink.last?.tracks[1].packets ?? 0)).toBe(53)
    expect(malformed).toBeGreaterThan(40)
  })

  it('tell of a loss at the very end, too, and ask for nothing any more', async () => {
    const { transport, session, sink } = await publishing(CHROMIUM)
    const { video } = chromiumSources()
    for (let i = 0; i < 5; i++) {
      const packets = video.vp8(i * 40, i === 0)
      transport.deliver(...(i === 4 ? packets.slice(0, 1) : packets))
      if (i === 4) transport.deliver(packets[2])
      pass(40)
    }
    session.finish()
    expect(sink.losses).toMatchObject([{ trackId: 2, packets: 1, damagedFrames: 1, undecodableFrames: 0 }])
    expect(sink.last?.tracks[1]).toMatchObject({ frames: 4, packetsLost: 1, damagedFrames: 1, plis: 0 })
    expect(sink.ends).toEqual([{ reason: 'finished' }])
  })
})
