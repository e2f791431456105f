import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { FloodWatch } from '../../src/webrtc/ndc/flood-watch.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }))
afterEach(() => void vi.useRealTimers())

/** Whether `count` packets are too many. */
function flood(watch: FloodWatch, count: number): boolean {
  let isFlood = false
  for (let i = 0; i < count; i++) isFlood = watch.packet() || isFlood
  return isFlood
}

describe('a peer floods', () => {
  it('when it sends more than 30000 packets per second for seconds', () => {
    const watch = new FloodWatch()
    let seconds = 0
    for (; seconds < 60; seconds += 0.1) {
      vi.advanceTimersByTime(100)
      if (flood(watch, 6000)) break
    }
    expect(seconds).toBeGreaterThan(1)
    expect(seconds).toBeLessThan(5)
  })

  it('not when it sends as much as it may', () => {
    const watch = new FloodWatch()
    for (let i = 0; i < 600; i++) {
      vi.advanceTimersByTime(100)
      expect(flood(watch, 2900)).toBe(false)
    }
  })

  it('not when its packets come at once after this process stood still', () => {
    const watch = new FloodWatch()
    vi.advanceTimersByTime(5000)
    expect(flood(watch, 5000)).toBe(false)
    vi.advanceTimersByTime(8000)
    expect(flood(watch, 80_000)).toBe(false)
    vi.advanceTimersByTime(1000)
    expect(flood(watch, 10_000)).toBe(false)
  })
})
