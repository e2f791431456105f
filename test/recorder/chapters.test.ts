import { describe, expect, it } from 'vitest'
import { chaptersOf } from '../../src/recorder/chapters.ts'

const anchors = [
  { fileMs: 0, recordingMs: 5000 },
  { fileMs: 2000, recordingMs: 10_000 }, // three seconds were closed up
]
const whole = { anchors, durationMs: 60_000, isFirst: true, isLast: true }
const at = (atMs: number) => ({ atMs, title: `at ${atMs}` })

describe('chapters of a file', () => {
  it('lie where the marks are on its own time; what a pause closed up is where it goes on', () => {
    const marks = [at(12_000), at(5000), at(6500), at(7000), at(8500), at(10_000)]
    const starts = chaptersOf(marks, whole).map(({ startMs, title }) => [title, startMs])
    expect(starts).toEqual([
      ['at 5000', 0],
      ['at 6500', 1500],
      ['at 7000', 2000],
      ['at 8500', 2000],
      ['at 10000', 2000],
      ['at 12000', 4000],
    ])
  })

  it('are those alone that lie in it', () => {
    const marks = [at(0), at(4999), at(13_000), at(13_001)]
    const middle = { anchors, durationMs: 5000, isFirst: false, isLast: false }
    expect(chaptersOf(marks, middle)).toEqual([{ startMs: 5000, title: 'at 13000' }])
    expect(chaptersOf(marks, { ...whole, anchors: [] })).toEqual([])
  })

  it('are the first and the last frame where a mark is a moment before or after them', () => {
    const marks = [at(2999), at(3000), at(15_000), at(15_001)]
    expect(chaptersOf(marks, { ...whole, durationMs: 5000 })).toEqual([
      { startMs: 0, title: 'at 3000' },
      { startMs: 5000, title: 'at 15000' },
    ])
  })
})
