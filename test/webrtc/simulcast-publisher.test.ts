import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { offerOf } from './offers.ts'
import { pass, publishing } from './publishing.ts'
import { RtpSource } from './rtp-source.ts'

const OFFER = offerOf('chromium-simulcast-screen')
const WIDTHS = { q: 160, h: 320, f: 640 } as const
type Rid = keyof typeof WIDTHS

/** The camera's three layers, as that offer announces them. */
function layers(): Record<Rid, RtpSource> {
  const layer = (rid: Rid, ssrc: number) =>
    new RtpSource({
      ...{ ssrc, payloadType: 96, clockRateHz: 90_000, rtx: { ssrc: ssrc + 1000, payloadType: 97 } },
      extensions: { 4: '1', 10: rid },
      rtxExtensions: { 4: '1', 11: rid },
    })
  return { q: layer('q', 10), h: layer('h', 20), f: layer('f', 30) }
}

const frame = (source: RtpSource, rid: Rid, timeMs: number, key: boolean) =>
  source.vp8(timeMs, key, { width: WIDTHS[rid], height: (WIDTHS[rid] * 9) / 16 })

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance', 'Date', 'setInterval', 'clearInterval'] }))
afterEach(() => void vi.useRealTimers())

describe('a peer with layers', () => {
  it('is kept in its best one, which is left for the next when it stops, and taken again when it is back', async () => {
    const { transport, sink } = await publishing(OFFER)
    const sources = layers()
    const wanted = new Set<number>()
    transport.onRtcp = (packet) => {
      if (packet.type === 'pli') wanted.add(packet.mediaSsrc)
    }
    const rids: readonly Rid[] = ['q', 'h', 'f']
    for (let i = 0; i < 150; i++) {
      for (const rid of rids) {
        if (rid === 'f' && i >= 50 && i < 100) continue
        const source = sources[rid]
        const key = source.sent.length === 0 || wanted.delete(source.options.ssrc)
        transport.deliver(...frame(source, rid, i * 40, key))
      }
      pass(40)
    }
    pass(1000)
    const frames = sink.framesOf(2)
    const widths = frames.map(({ track }) => (track.kind === 'video' ? track.width : 0))
    const runs = widths.filter((width, index) => width !== widths[index - 1])
    expect(runs.slice(-3)).toEqual([640, 320, 640])
    expect(frames.length).toBeGreaterThan(125)
    for (const [index, { key }] of frames.entries()) {
      if (widths[index] !== widths[index - 1]) expect(key).toBe(true)
    }
    const gaps = frames.slice(1).map(({ pts }, index) => (pts - frames[index].pts) / 90)
    expect(Math.max(...gaps)).toBeLessThan(500)
    expect(new Set(frames.map(({ track }) => track.id))).toEqual(new Set([2]))
    const camera = sink.last?.tracks.find(({ trackId }) => trackId === 2)
    expect(camera).toMatchObject({ rid: 'f', mid: '1', width: 640 })
    expect(camera?.packets).toBe(3 * (150 + 150 + 100))
  })

  it('is kept whole when that is asked for: each layer is a track with a name of its own', async () => {
    const { transport, sink } = await publishing(OFFER, { layers: 'all' })
    const sources = layers()
    for (let i = 0; i < 10; i++) {
      transport.deliver(...frame(sources.f, 'f', i * 40, i === 0), ...frame(sources.q, 'q', i * 40, i === 0))
      pass(40)
    }
    expect(sink.tracks.map(({ id, label }) => [id, label])).toEqual([
      [4, 'camera (f)'],
      [2, 'camera (q)'],
    ])
    expect(sink.framesOf(4).map(({ data }) => data)).toEqual(sources.f.sent)
    expect(sink.framesOf(2).map(({ data }) => data)).toEqual(sources.q.sent)
  })

  it.each(['best', 'all'] as const)(
    'has the packets of a layer counted of which nothing can be kept (%s)',
    async (choice) => {
      const { transport, sink } = await publishing(OFFER, { layers: choice })
      const { h, f } = layers()
      for (let i = 0; i < 50; i++) {
        transport.deliver(...frame(h, 'h', i * 40, i === 0), ...frame(f, 'f', i * 40, false))
        pass(40)
      }
      const cameras = sink.last?.tracks.filter(({ mid }) => mid === '1') ?? []
      expect(sink.framesOf(cameras[0].trackId)).toHaveLength(50)
      const counted = cameras.map(({ packets, undecodableFrames, plis }) => ({ packets, undecodableFrames, plis }))
      expect(counted).toEqual([{ packets: 300, undecodableFrames: 50, plis: expect.any(Number) }])
      expect(counted[0].plis).toBeGreaterThan(1)
    },
  )

  it('gets its lost packets again by the repaired layer of the retransmission', async () => {
    const { transport, sink } = await publishing(OFFER, { layers: 'all' })
    const { h } = layers()
    transport.onRtcp = (packet) => {
      for (const again of h.answer(packet)) setImmediate(() => transport.deliver(again))
    }
    for (let i = 0; i < 10; i++) {
      const packets = frame(h, 'h', i * 40, i === 0)
      transport.deliver(...(i === 5 ? packets.slice(0, 1) : packets))
      pass(40)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(sink.frames.map(({ data }) => data)).toEqual(h.sent)
    pass(1000)
    const figures = sink.last?.tracks.find(({ rid }) => rid === 'h')
    expect(figures).toMatchObject({ trackId: 4, packetsRecovered: 2, rtx: 2 })
  })

  it('waits for a layer as long as for its packets, however long that is', async () => {
    for (const jitterBudgetMs of [200, 3000]) {
      const { transport, sink, session } = await publishing(OFFER, { jitterBudgetMs })
      const sources = layers()
      for (let i = 0; i < 100; i++) {
        for (const rid of ['h', 'f'] as const) {
          const packets = frame(sources[rid], rid, i * 40, i === 0 || (rid === 'h' && i % 10 === 0))
          transport.deliver(...(rid === 'f' && i === 50 ? packets.slice(1) : packets))
        }
        pass(40)
      }
      // what was missing of one frame comes after 2 s
      const left = sink.framesOf(2).some(({ track }) => track.kind === 'video' && track.width === WIDTHS.h)
      expect([jitterBudgetMs, left]).toEqual([jitterBudgetMs, jitterBudgetMs === 200])
      session.close()
    }
  })

  it('that marks a packet with a layer it did not offer is not believed', async () => {
    const { transport, sink } = await publishing(OFFER)
    const stranger = new RtpSource({ ...layers().f.options, extensions: { 4: '1', 10: 'zz' } })
    const lost = new RtpSource({ ...layers().f.options, ssrc: 31, extensions: { 4: '9' } })
    transport.deliver(...stranger.vp8(0, true), ...lost.vp8(0, true))
    pass(1000)
    expect(sink.frames).toEqual([])
    expect(sink.last?.strays?.unknownSsrc).toBe(6)
  })
})
