import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { LimitError } from '../../src/media/errors.ts'
import { CHROMIUM, chromiumSources, pass, publishing } from './publishing.ts'
import { RtpSource } from './rtp-source.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance', 'Date', 'setInterval', 'clearInterval'] }))
afterEach(() => void vi.useRealTimers())

describe('a peer that does not behave', () => {
  it('may send what is no RTP and no RTCP: it is counted', async () => {
    const { transport, sink } = await publishing(CHROMIUM)
    transport.deliver(Buffer.alloc(0), Buffer.from([0x80]), Buffer.from('hello'), Buffer.from([0x80, 200, 0xff, 0xff]))
    transport.deliver(Buffer.from([0xbf, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1]))
    pass(1000)
    expect(sink.last?.strays?.malformed).toBe(5)
    expect(sink.ends).toEqual([])
    for (let i = 0; i < 10_000; i++) transport.deliver(Buffer.from('nonsense'))
    expect(sink.ends).toMatchObject([{ reason: 'failed', code: 'TD_LIMIT' }])
  })

  it('may change its SSRC with each packet: few are followed, and the others counted', async () => {
    const { transport, sink } = await publishing(CHROMIUM)
    const { video } = chromiumSources()
    for (let i = 0; i < 5000; i++) {
      const one = new RtpSource({ ...video.options, ssrc: 1_000_000 + i })
      transport.deliver(one.vp8(i, true)[0])
      if (i % 50 === 0) pass(5)
    }
    pass(1000)
    const { unknownSsrc = 0 } = sink.last?.strays ?? {}
    expect(unknownSsrc).toBeGreaterThan(4900)
    transport.deliver(...new RtpSource({ ...video.options, ssrc: 7 }).vp8(10_000, true))
    expect(sink.framesOf(2)).toHaveLength(1)
  })

  it('may wrap its sequence numbers and its time at once', async () => {
    const { transport, sink } = await publishing(CHROMIUM)
    const { video } = chromiumSources()
    const startMs = (2 ** 32 - 12_345) / 90 - 100
    const wrapping = new RtpSource({ ...video.options, firstSequence: 65_530 })
    for (let i = 0; i < 20; i++) {
      transport.deliver(...wrapping.vp8(startMs + i * 40, i === 0))
      pass(40)
    }
    expect(sink.framesOf(2).map(({ data }) => data)).toEqual(wrapping.sent)
    const steps = sink.framesOf(2).map(({ pts }, index, all) => (index === 0 ? 3600 : pts - all[index - 1].pts))
    expect(Math.max(...steps) - Math.min(...steps)).toBeLessThan(90)
  })

  it('may jump about in its sequence numbers: it is asked for nothing, and keyframes alone are kept', async () => {
    const { transport, sink } = await publishing(CHROMIUM)
    const { video } = chromiumSources()
    for (let i = 0; i < 300; i++) {
      const jumping = new RtpSource({ ...video.options, firstSequence: (i * 7919) & 0xffff })
      transport.deliver(...jumping.vp8(i * 40, i % 10 === 0))
      pass(40)
    }
    pass(2000)
    expect(transport.rtcp.filter(({ type }) => type === 'nack')).toEqual([])
    expect(sink.framesOf(2).map(({ key, data }) => [key, data.length])).toEqual(Array(30).fill([true, 2500]))
    expect(sink.last?.tracks[1]).toMatchObject({ packets: 900, undecodableFrames: 270 })
    expect(sink.losses).toHaveLength(29)
  })

  it('may leave as many numbers out as are waited for, again and again: what it is asked for has a bound', async () => {
    const { transport, sink } = await publishing(CHROMIUM)
    const { video } = chromiumSources()
    transport.deliver(...video.vp8(0, true))
    const from = transport.rtcp.length
    for (let i = 1; i <= 1000; i++) {
      const leaving = new RtpSource({ ...video.options, firstSequence: (1003 + i * 900) & 0xffff })
      transport.deliver(leaving.vp8(i * 5, false)[0])
      pass(5)
    }
    const asked = transport.rtcp.slice(from).map((packet) => (packet.type === 'nack' ? packet.sequences.length : 0))
    expect(Math.max(...asked)).toBeLessThanOrEqual(500)
    expect(asked.reduce((sum, count) => sum + count, 0)).toBeLessThan(60_000) // of 900,000 that are missing
    const { nacks = 0, packetsLost = 0 } = sink.last?.tracks[1] ?? {}
    expect(nacks).toBeGreaterThan(1000)
    expect(packetsLost).toBeGreaterThan(890_000)
  })

  it('may begin an SSRC with retransmissions, and go on with what they repeat', async () => {
    const { transport, sink } = await publishing(CHROMIUM)
    const { video } = chromiumSources()
    const { ssrc, rtx } = video.options
    const other = new RtpSource({ ...video.options, payloadType: rtx?.payloadType ?? 0 })
    transport.deliver(...other.packets(Buffer.alloc(20), [Buffer.alloc(20)], 0))
    for (let i = 0; i < 10; i++) {
      transport.deliver(...video.vp8(i * 40, i === 0))
      pass(40)
    }
    pass(1000)
    expect(sink.framesOf(2).map(({ data }) => data)).toEqual(video.sent)
    expect(sink.last?.tracks[1]).toMatchObject({ packets: 30, packetsLost: 0 })
    expect(
      transport.rtcp.some((packet) => packet.type === 'rr' && packet.blocks.some((block) => block.ssrc === ssrc)),
    ).toBe(true)
  })

  it('may flood one frame without end: it is left out, and the next keyframe is asked for', async () => {
    const { transport, sink } = await publishing(CHROMIUM)
    const { video } = chromiumSources()
    transport.deliver(...video.vp8(0, true))
    const payload = Buffer.alloc(1200)
    payload[0] = 0x10 // a first partition begins (RFC 7741 §4.2), and its frame never ends
    const rest = Buffer.alloc(1200)
    const endless = video.packets(payload, [payload, ...Array(17_000).fill(rest)], 40)
    for (const packet of endless.slice(0, -1)) transport.deliver(packet)
    pass(100)
    expect(transport.rtcp.filter(({ type }) => type === 'pli')).toEqual([])
    transport.deliver(endless[endless.length - 1], ...video.vp8(80, false), ...video.vp8(120, true))
    pass(1000)
    expect(transport.rtcp.filter(({ type }) => type === 'pli')).toHaveLength(1)
    expect(sink.framesOf(2).map(({ key, data }) => [key, data.length])).toEqual(Array(2).fill([true, 2500]))
    expect(sink.losses).toMatchObject([{ packets: 0, damagedFrames: 1, undecodableFrames: 1 }])
    expect(sink.last?.strays?.malformed).toBe(1)
    expect(sink.ends).toEqual([])
  })

  it('may switch its codec with each packet: tracks are as many as codecs', async () => {
    const { transport, sink } = await publishing(CHROMIUM)
    const { audio } = chromiumSources()
    for (let i = 0; i < 300; i++) {
      const payloadType = [111, 8, 0][i % 3]
      const one = new RtpSource({ ...audio.options, payloadType, firstSequence: 1000 + i })
      transport.deliver(...one.opus(i * 20))
      pass(20)
    }
    expect(new Set(sink.frames.map(({ track }) => track.id)).size).toBe(3)
    expect(sink.tracks).toHaveLength(3)
  })

  it('ends as failed when its transport says that it floods', async () => {
    const { transport, sink } = await publishing(CHROMIUM)
    transport.deliver(...chromiumSources().audio.opus(0))
    transport.move('closed', new LimitError('packets per second of one peer', { limit: 30_000 }))
    expect(sink.ends).toEqual([
      { reason: 'failed', code: 'TD_LIMIT', message: 'packets per second of one peer: the limit is 30000' },
    ])
  })

  it('ends when a sink throws, and takes nothing along', async () => {
    const { transport, sink, engine } = await publishing(CHROMIUM)
    sink.frame = () => {
      throw new Error('no room')
    }
    transport.deliver(...chromiumSources().audio.opus(0))
    expect(sink.ends).toEqual([{ reason: 'failed', code: 'TD_INTERNAL', message: 'no room' }])
    expect(transport.state).toBe('closed')
    await engine.close()
  })
})
