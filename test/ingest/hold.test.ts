import { describe, expect, it } from 'vitest'
import { PublisherHold } from '../../src/ingest/rtmp/hold.ts'

/** A publisher that has sent `mediaMs` of media in steps of 40 ms just now, and the time at which it began. */
function sentBy(mediaMs: number, firstMs = 0): { hold: PublisherHold; startMs: number } {
  const hold = new PublisherHold()
  hold.advance(firstMs)
  const startMs = performance.now()
  for (let ms = 40; ms <= mediaMs; ms += 40) hold.advance((firstMs + ms) % 2 ** 32)
  return { hold, startMs }
}

describe('PublisherHold', () => {
  it('holds a live publisher ten seconds in a row, then no more until the recording has caught up', () => {
    const { hold, startMs } = sentBy(0)
    expect(hold.held(true, false, startMs)).toBe(true)
    expect(hold.held(true, false, startMs + 9_900)).toBe(true)
    expect(hold.held(true, false, startMs + 10_100)).toBe(false)
    expect(hold.held(true, false, startMs + 60_000)).toBe(false)
    expect(hold.held(false, false, startMs + 61_000)).toBe(false)
    expect(hold.held(true, false, startMs + 62_000)).toBe(true)
  })

  it('never holds a live publisher that somebody watches', () => {
    const { hold, startMs } = sentBy(800)
    expect(hold.held(true, true, startMs)).toBe(false)
  })

  it('holds who is ahead of the clock, watched or not, until the clock is there', () => {
    const { hold, startMs } = sentBy(60_000, 2 ** 32 - 30_000)
    expect(hold.held(true, true, startMs + 1000)).toBe(true)
    expect(hold.held(true, true, startMs + 58_000)).toBe(true)
    expect(hold.held(false, true, startMs + 58_000)).toBe(false)
    expect(hold.held(true, true, startMs + 59_500)).toBe(false)
  })

  it('takes a jump of the timestamps for a jump, not for media', () => {
    const { hold, startMs } = sentBy(0)
    hold.advance(3_600_000)
    hold.advance(10)
    expect(hold.held(true, true, startMs)).toBe(false)
  })
})
