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

  it('may jump about in its sequence numbers: it is asked for little, and keeps to whole frames', async () => {
    const { transport, sink } = await publishing(CHROMIUM)
    const { video } = chromiumSources()
    for (let i = 0; i < 300; i++) {
      const jumping = new RtpSource({ ...video.options, firstSequence: (i * 7919) & 0xffff })
      transport.deliver(...jumping.vp8(i * 40, i % 10 === 0))
      pass(40)
    }
    pass(2000)
    const asked = transport.rtcp.reduce(
      (sum, packet) => sum + (packet.type === 'nack' ? packet.sequences.length : 0),
      0,
    )
    expect(asked).toBeLessThan(50_000)
    for (const { data } of sink.framesOf(2)) expect(data).toHaveLength(2500)
  })

  it('may flood one frame without end: it is left out', async () => {
    const { transport, sink } = await publishing(CHROMIUM)
    const { video } = chromiumSources()
    transport.deliver(...video.vp8(0, true))
    const body = new RtpSource({ ...video.options, firstSequence: 1003 })
    const payload = Buffer.alloc(1200)
    for (let i = 0; i < 17_000; i++) transport.deliver(body.packets(payload, [payload, payload], 40)[0])
    pass(1000)
    expect(sink.frames.length).toBeLessThan(3)
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
