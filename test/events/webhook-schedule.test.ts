import { describe, expect, it } from 'vitest'
import { retryAfterMs, retryDelayMs, WEBHOOK_TIMING } from '../../src/events/webhook-schedule.ts'

describe('the schedule of webhooks', () => {
  it('doubles from a second to a quarter of an hour', () => {
    const delays = Array.from({ length: 14 }, (_, i) => retryDelayMs(i + 1, 0.5, WEBHOOK_TIMING))
    expect(delays.map((ms) => ms / 1000)).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900, 900])
    expect(retryDelayMs(1e9, 0.5, WEBHOOK_TIMING)).toBe(900_000)
  })

  it('is scattered by a quarter either way, never beyond the longest', () => {
    expect(retryDelayMs(4, 0, WEBHOOK_TIMING)).toBe(6000)
    expect(retryDelayMs(4, 1, WEBHOOK_TIMING)).toBe(10_000)
    expect(retryDelayMs(20, 1, WEBHOOK_TIMING)).toBe(900_000)
  })

  it('asks a receiver that is down for a day less than 120 times', () => {
    let [tries, ms] = [0, 0]
    for (; ms < WEBHOOK_TIMING.lifetimeMs; tries++) ms += retryDelayMs(tries + 1, 0.5, WEBHOOK_TIMING)
    expect(tries).toBeLessThan(120)
  })

  it('heeds Retry-After, within bounds', () => {
    expect(retryAfterMs('30', 0)).toBe(30_000)
    expect(retryAfterMs('Thu, 01 Jan 1970 00:01:00 GMT', 10_000)).toBe(50_000)
    expect(retryAfterMs('soon', 0)).toBe(0)
    expect(retryAfterMs(undefined, 0)).toBe(0)
    expect(retryDelayMs(1, 0.5, WEBHOOK_TIMING, 30_000)).toBe(30_000)
    expect(retryDelayMs(1, 0.5, WEBHOOK_TIMING, 1e12)).toBe(900_000)
  })
})
