import { describe, expect, it } from 'vitest'
import { Frame } from '../../src/media/frame.ts'
import { Segmenter } from '../../src/recorder/segmenter.ts'
import { videoTrack } from '../media/frames.ts'

const track = videoTrack()
const keyAt = (ms: number) => new Frame(track, ms, ms, true, new Uint8Array(1))

describe('a segmenter', () => {
  it('costs nothing where there are no limits', () => {
    expect(new Segmenter({ maxBytes: undefined, maxDurationMs: undefined }).armed).toBe(false)
  })

  it('cuts at the first keyframe at the duration, rounding forgiven', () => {
    const segmenter = new Segmenter({ maxBytes: undefined, maxDurationMs: 10_000 })
    const part = { zeroUs: 2_000_000, sizeBytes: 1 }
    expect(segmenter.cut(keyAt(10_000), part)).toBeUndefined()
    expect(segmenter.cut(keyAt(11_999), part)).toBe('duration')
    expect(segmenter.cut(keyAt(12_000), part)).toBe('duration')
  })

  it('cuts before the size, if the next group of pictures is like the last', () => {
    const segmenter = new Segmenter({ maxBytes: 1000, maxDurationMs: undefined })
    expect(segmenter.cut(keyAt(1000), { zeroUs: 0, sizeBytes: 300 })).toBeUndefined()
    expect(segmenter.cut(keyAt(2000), { zeroUs: 0, sizeBytes: 600 })).toBeUndefined()
    expect(segmenter.cut(keyAt(3000), { zeroUs: 0, sizeBytes: 900 })).toBe('size')
  })

  it('does not cut what has not begun', () => {
    const segmenter = new Segmenter({ maxBytes: 10, maxDurationMs: 10 })
    segmenter.demand('gone')
    expect(segmenter.cut(keyAt(5000), { zeroUs: undefined, sizeBytes: 100 })).toBeUndefined()
  })

  it('cuts on demand, once', () => {
    const segmenter = new Segmenter({ maxBytes: undefined, maxDurationMs: undefined })
    segmenter.demand('gone')
    expect(segmenter.armed).toBe(true)
    expect(segmenter.cut(keyAt(40), { zeroUs: 0, sizeBytes: 1 })).toBe('gone')
    segmenter.begin()
    expect(segmenter.armed).toBe(false)
  })

  it('notices that no keyframe comes', () => {
    const segmenter = new Segmenter({ maxBytes: 1000, maxDurationMs: 10_000 })
    expect(segmenter.isOverdue({ zeroUs: 0, sizeBytes: 1 }, 19_000_000)).toBe(false)
    expect(segmenter.isOverdue({ zeroUs: 0, sizeBytes: 1 }, 21_000_000)).toBe(true)
    expect(segmenter.isOverdue({ zeroUs: 0, sizeBytes: 2001 }, 1_000_000)).toBe(true)
    const hours = new Segmenter({ maxBytes: undefined, maxDurationMs: 3_600_000 })
    expect(hours.isOverdue({ zeroUs: 0, sizeBytes: 1 }, 3_661_000_000)).toBe(true)
  })
})
