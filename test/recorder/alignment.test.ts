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

  it('takes the frame that was held up least, over three seconds, for the truth', () => {
    const alignment = new Alignment(1000)
    alignment.begin(0, 5000, 5000)
    for (let ms = 0; ms < 900; ms += 20) alignment.observe(ms * 1000, 4930 + ms + ((ms * 7) % 90))
    expect(alignment.recordingMs(0)).toBe(3930)
    alignment.observe(3_000_000, 8001)
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

  it.each([-100e-6, 100e-6])('follows a clock that is %f off, all day, whatever the network adds', (drift) => {
    const alignment = new Alignment(0)
    alignment.begin(0, 0, 0)
    const lateMs = (n: number) => 3 + ((n * 7919) % 40)
    for (let ownMs = 0, n = 0; ownMs < 24 * 3_600_000; ownMs += 500, n++) {
      const nowMs = ownMs * (1 + drift) + lateMs(n)
      alignment.touch(nowMs)
      if (alignment.isSettling) for (let i = 0; i < 25; i++) alignment.observe((ownMs + i * 20) * 1000, nowMs + i * 20)
    }
    for (let ownMs = 60_000; ownMs < 24 * 3_600_000; ownMs += 333_000) {
      expect(Math.abs(alignment.recordingMs(ownMs * 1000) - ownMs * (1 + drift))).toBeLessThan(50)
    }
    expect(alignment.anchors(0, 24 * 3.6e9).length).toBeLessThan(500)
  })

  it('does not take a network that has become slow for a clock', () => {
    const alignment = new Alignment(0)
    alignment.begin(0, 0, 0)
    for (let ms = 0; ms < 300_000; ms += 20) {
      const nowMs = ms + (ms < 100_000 ? 2 : 900)
      alignment.touch(nowMs)
      if (alignment.isSettling) alignment.observe(ms * 1000, nowMs)
    }
    expect(alignment.recordingMs(299e6)).toBeGreaterThanOrEqual(299_000)
    expect(alignment.recordingMs(299e6)).toBeLessThan(299_060)
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
