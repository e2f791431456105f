import { describe, expect, it } from 'vitest'
import { random } from '../../fuzz/mutate.ts'
import { parseAvcC } from '../../src/codec/h264/avcc.ts'
import { h264ReorderDepth } from '../../src/codec/h264/reorder.ts'
import { type H264Sps, parseH264Sps } from '../../src/codec/h264/sps.ts'
import type { VideoCodec } from '../../src/media/track.ts'
import { DecodeClock } from '../../src/rtp/decode-clock.ts'
import { vector } from '../codec/vectors.ts'

const FRAME = 3000

/** The decoding times of units that are shown at `shownAt` (in frames), in decoding order. */
function place(clock: DecodeClock, shownAt: readonly number[], keyEvery = Number.POSITIVE_INFINITY) {
  return shownAt.map((at, i) => {
    clock.place(at * FRAME, i % keyEvery === 0)
    return { dts: clock.dts / FRAME, pts: clock.pts / FRAME }
  })
}

function configured(codec: VideoCodec, name: string): DecodeClock {
  const clock = new DecodeClock(codec, 90_000)
  clock.configure(vector(name).config)
  return clock
}

describe('decoding times', () => {
  it('are those of presentation where nothing is reordered', () => {
    for (const clock of [new DecodeClock('vp8', 90_000), configured('av1', 'av1-aom')]) {
      expect(clock.depth).toBe(0)
      expect(place(clock, [0, 1, 2, 7, 8]).map(({ dts }) => dts)).toEqual([0, 1, 2, 7, 8])
      expect(clock.moved).toBe(0)
    }
  })

  it('are as much earlier as pictures are reordered', () => {
    const clock = configured('hevc', 'hevc-odd')
    expect(clock.depth).toBe(2)
    const times = place(clock, [0, 4, 2, 1, 3, 8, 6, 5, 7, 9])
    expect(times.slice(2).map(({ dts }) => dts)).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    expect(times[0].dts).toBeLessThan(times[1].dts)
    expect(times[1].dts).toBeLessThan(0)
  })

  it('rise, and are never after presentation, in any order that keeps to the depth', () => {
    for (let seed = 1; seed <= 300; seed++) {
      const pick = random(seed)
      const clock = configured('hevc', 'hevc-odd')
      const times = place(clock, reordered(60, clock.depth, pick), 12)
      for (const [i, { dts, pts }] of times.entries()) {
        expect(dts).toBeLessThanOrEqual(pts)
        if (i > 0) expect(dts).toBeGreaterThan(times[i - 1].dts)
      }
      expect(clock.moved).toBe(0)
    }
  })

  it('begin anew behind a hole, instead of reaching over it', () => {
    const clock = configured('hevc', 'hevc-odd')
    place(clock, [0, 4, 2, 1, 3])
    const [first, second] = place(clock, [300, 304, 302, 301])
    expect(first.dts).toBeGreaterThan(295)
    expect(second.dts).toBeGreaterThan(first.dts)
  })

  it('keep to what they were when a stream breaks its word: the unit is put behind, and the depth learnt', () => {
    const clock = configured('hevc', 'hevc-odd')
    const shownAt = [0, 8, 4, 2, 1, 3, 6, 5, 7, 16, 12, 10, 9, 11, 14, 13, 15]
    const times = place(clock, shownAt)
    for (const [i, { dts, pts }] of times.entries()) {
      expect(dts).toBeLessThanOrEqual(pts)
      if (i > 0) expect(dts).toBeGreaterThan(times[i - 1].dts)
    }
    expect(clock.depth).toBe(3)
    expect(clock.moved).toBeLessThanOrEqual(2)
    expect(times.slice(-8).map(({ pts }) => pts)).toEqual(shownAt.slice(-8))
  })

  it('go on rising when presentation stands still', () => {
    const clock = new DecodeClock('vp8', 90_000)
    clock.place(5, true)
    clock.place(5, false)
    expect([clock.dts, clock.pts, clock.moved]).toEqual([6, 6, 1])
  })
})

describe('the reorder depth of H.264', () => {
  const sps = (more: Partial<H264Sps>): H264Sps => ({ ...bare, ...more })
  const { vui: _, ...bare } = parseH264Sps(parseAvcC(vector('h264-480p').config).sps[0])

  it('is what the parameter set states', () => {
    expect(h264ReorderDepth(sps({ vui: { maxReorderFrames: 2 }, maxRefFrames: 4 }))).toBe(2)
    expect(h264ReorderDepth(sps({ vui: { maxReorderFrames: 99 } }))).toBe(16)
  })

  it('is 0 where none is possible, else the most that the reference frames allow', () => {
    expect(h264ReorderDepth(sps({ profileIdc: 66, maxRefFrames: 4 }))).toBe(0)
    expect(h264ReorderDepth(sps({ pocType: 2, maxRefFrames: 4 }))).toBe(0)
    expect(h264ReorderDepth(sps({ pocType: 0, maxRefFrames: 1 }))).toBe(0)
    expect(h264ReorderDepth(sps({ pocType: 0, maxRefFrames: 4 }))).toBe(3)
  })
})

/** 0 to count - 1, 0 first (a gate opens so), and so that at most `depth` of those before each are greater. */
function reordered(count: number, depth: number, pick: (below: number) => number): number[] {
  const order: number[] = []
  const waiting: number[] = []
  let next = 0
  while (order.length < count) {
    while (waiting.length <= depth && next < count) waiting.push(next++)
    const greater = order.filter((each) => each > waiting[0]).length
    const at = greater >= depth || order.length === 0 ? 0 : pick(waiting.length)
    order.push(...waiting.splice(at, 1))
  }
  return order
}
