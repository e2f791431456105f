import { describe, expect, it } from 'vitest'
import { Alignment } from '../../src/recorder/alignment.ts'

describe('an alignment', () => {
  it('begins at 0 where there is no common clock', () => {
    const alignment = new Alignment()
    alignment.begin(0, 5000, 5000)
    alignment.observe(40_000, 5030)
    expect(alignment.anchors(0, 1e6)).toEqual([{ fileMs: 0, recordingMs: 0 }])
    expect(alignment.recordingMs(700_000)).toBe(700)
  })

  it('takes the frame that was held up least, over a second, for the truth', () => {
    const alignment = new Alignment(1000)
    alignment.begin(0, 5000, 5000)
    for (let ms = 0; ms < 900; ms += 20) alignment.observe(ms * 1000, 4930 + ms + ((ms * 7) % 90))
    expect(alignment.recordingMs(0)).toBe(3930)
    alignment.observe(2_000_000, 6001)
    expect(alignment.isSettling).toBe(false)
    expect(alignment.recordingMs(0)).toBe(3930)
  })

  it('lets the old frames of a burst count for nothing', () => {
    const alignment = new Alignment(0)
    alignment.begin(0, 9000, 9000, 0)
    for (let ms = 0; ms <= 2000; ms += 40) alignment.observe(ms * 1000, 9000)
    expect(alignment.recordingMs(0)).toBe(7000)
  })

  it('puts nothing before its publisher', () => {
    const alignment = new Alignment(0)
    alignment.begin(0, 9000, 9000, 8900)
    for (let ms = 0; ms <= 60_000; ms += 40) alignment.observe(ms * 1000, 9000)
    expect(alignment.recordingMs(0)).toBe(8900)
  })

  it('has an anchor where time was closed up, relative to the file that holds it', () => {
    const alignment = new Alignment(1000)
    alignment.begin(0, 1000, 1000)
    alignment.begin(2_000_000, 6000, 6000)
    expect(alignment.anchors(0, 4_000_000)).toEqual([
      { fileMs: 0, recordingMs: 0 },
      { fileMs: 2000, recordingMs: 5000 },
    ])
    expect(alignment.anchors(1_500_000, 4_000_000)).toEqual([
      { fileMs: 0, recordingMs: 1500 },
      { fileMs: 500, recordingMs: 5000 },
    ])
    expect(alignment.anchors(3_000_000, 4_000_000)).toEqual([{ fileMs: 0, recordingMs: 6000 }])
    expect(alignment.anchors(0, 1_000_000)).toEqual([{ fileMs: 0, recordingMs: 0 }])
  })

  it('says nothing of what is noise, and holds little of a clock that never rests', () => {
    const alignment = new Alignment(0)
    alignment.begin(0, 0, 0)
    alignment.begin(1_000_000, 1003, 1003)
    expect(alignment.anchors(0, 9e9)).toHaveLength(1)
    for (let i = 1; i < 20_000; i++) alignment.begin(i * 1000, i * 100, i * 100)
    expect(alignment.anchors(0, 9e9).length).toBeLessThanOrEqual(1000)
  })
})
