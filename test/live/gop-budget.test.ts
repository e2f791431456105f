import { describe, expect, it } from 'vitest'
import { GopBudget } from '../../src/live/gop-budget.ts'
import { GopCache } from '../../src/live/gop-cache.ts'
import { Frame } from '../../src/media/frame.ts'
import { audioTrack, heldFrame, videoTrack } from '../media/frames.ts'

const put = (cache: GopCache, key: boolean, size: number) => {
  const frame = heldFrame(videoTrack(), 0, key, size)
  cache.push(frame)
  return frame
}

describe('GopBudget', () => {
  it('takes from the largest unwatched cache, which then waits for a keyframe', () => {
    const budget = new GopBudget(1000)
    const [small, large, watched] = [new GopCache(budget), new GopCache(budget), new GopCache(budget)]
    watched.watched = true
    put(watched, true, 500)
    const gone = put(large, true, 300)
    put(small, true, 200)
    expect(budget.bytes).toBe(1000)
    put(small, false, 1)
    expect([watched.bytes, large.bytes, small.bytes, budget.bytes]).toEqual([500, 0, 201, 701])
    expect(gone.block.holders).toBe(1)
    put(large, false, 10)
    expect(large.bytes).toBe(0)
    put(large, true, 10)
    expect(large.bytes).toBe(10)
  })

  it('takes from watched ones when there are no others, even the one that grows', () => {
    const budget = new GopBudget(100)
    const cache = new GopCache(budget)
    cache.watched = true
    const frame = put(cache, true, 101)
    expect([cache.bytes, budget.bytes, frame.block.holders]).toEqual([0, 0, 1])
  })
})

describe('GopCache', () => {
  it('gives back what was put in, with and without a block, and lets go of all of it', () => {
    const cache = new GopCache(new GopBudget(2 ** 40))
    const held = Array.from({ length: 200 }, (_, i) => {
      const frame = heldFrame(i % 3 === 0 ? audioTrack() : videoTrack(), i * 40, false, 10 + i)
      frame.data.fill(i)
      return frame
    })
    const key = heldFrame(videoTrack(), -7, true, 30)
    const loose = new Frame(audioTrack(), 2 ** 40, 2 ** 40 + 1, true, new Uint8Array([1, 2, 3]).subarray(1))
    const all = [key, ...held, loose]
    for (const frame of all) cache.push(frame)
    const back = [...cache.frames()]
    expect(back.map(({ track, dts, pts, key, block }) => [track.id, dts, pts, key, block])).toEqual(
      all.map(({ track, dts, pts, key, block }) => [track.id, dts, pts, key, block]),
    )
    expect(back.every(({ data }, i) => Buffer.compare(data, all[i].data) === 0)).toBe(true)
    expect(held.every(({ block }) => block.holders === 2)).toBe(true)
    cache.clear()
    expect(held.every(({ block }) => block.holders === 1)).toBe(true)
    expect([...cache.frames()]).toEqual([])
  })

  it('keeps nothing of a stream without video, and forgets a GOP beyond its bounds', () => {
    const budget = new GopBudget(2 ** 40)
    const cache = new GopCache(budget)
    cache.push(heldFrame(audioTrack(), 0, true))
    expect([...cache.frames()]).toHaveLength(0)
    put(cache, true, 10)
    for (let i = 0; i < 5000; i++) put(cache, false, 1)
    expect([cache.bytes, budget.bytes]).toEqual([0, 0])
  })
})
