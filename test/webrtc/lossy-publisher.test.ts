import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { CHROMIUM, chromiumSources, pass, publishing } from './publishing.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance', 'Date', 'setInterval', 'clearInterval'] }))
afterEach(() => void vi.useRealTimers())

/** What happens to packets on their way: each by its own draw. */
const network = fc.record({
  lossPercent: fc.integer({ min: 0, max: 12 }),
  swapPercent: fc.integer({ min: 0, max: 30 }),
  doublePercent: fc.integer({ min: 0, max: 5 }),
  seed: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
  answersNack: fc.boolean(),
  keyframeEvery: fc.integer({ min: 5, max: 40 }),
})

/** Numbers from 0 to 99, always the same for a seed. */
function draws(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state % 100
  }
}

describe('through a network that loses, swaps and doubles packets', () => {
  it('come exactly the frames that were sent, in order, less those that are reported', async () => {
    await fc.assert(
      fc.asyncProperty(
        network,
        async ({ lossPercent, swapPercent, doublePercent, seed, answersNack, keyframeEvery }) => {
          const { transport, sink, session } = await publishing(CHROMIUM)
          const { video } = chromiumSources()
          const draw = draws(seed)
          const again: Buffer[] = []
          if (answersNack) transport.onRtcp = (packet) => again.push(...video.answer(packet))
          const count = 120
          for (let i = 0; i < count; i++) {
            const packets = [...video.vp8(i * 33, i % keyframeEvery === 0), ...again.splice(0)]
            if (i > 0 && draw() < swapPercent) packets.reverse()
            const arriving = packets.filter(() => i === 0 || draw() >= lossPercent)
            transport.deliver(...arriving.flatMap((packet) => (draw() < doublePercent ? [packet, packet] : [packet])))
            pass(33)
          }
          for (let i = 0; i < 60; i++) {
            transport.deliver(...again.splice(0))
            pass(33)
          }
          const frames = sink.framesOf(2)
          const order = frames.map(({ data }) => video.sent.findIndex((sent) => sent.equals(data)))
          expect(order).not.toContain(-1)
          expect(order).toEqual([...new Set(order)].sort((a, b) => a - b))
          let expected = 0
          for (const [index, at] of order.entries()) {
            if (frames[index].key) expected = at
            expect(at).toBe(expected++) // nothing follows a hole but a keyframe
          }
          const figures = sink.last?.tracks[1]
          if (order.length < (order.at(-1) ?? 0) + 1) expect(sink.losses.length).toBeGreaterThan(0)
          if (answersNack) expect(figures?.packetsLost).toBeLessThanOrEqual(2)
          if (lossPercent === 0) expect(order).toHaveLength(count)
          session.close()
        },
      ),
      { numRuns: 40 },
    )
  })
})
