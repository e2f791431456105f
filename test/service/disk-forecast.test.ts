import { describe, expect, it } from 'vitest'
import type { Happening } from '../../src/events/event.ts'
import { DiskForecast } from '../../src/service/disk-forecast.ts'

const MB = 1_000_000

function forecast(reserveMs = 60_000) {
  const disk = { freeBytes: undefined as number | undefined, rateBps: 0 }
  const events: Happening[] = []
  const made = new DiskForecast({
    freeBytes: () => disk.freeBytes,
    minFreeBytes: 100 * MB,
    reserveMs,
    writeRateBps: () => disk.rateBps,
    sink: { emit: (happening) => void events.push(happening) },
  })
  return { disk, events, forecast: made }
}

describe('the disk forecast', () => {
  it('says how long the disk will do', () => {
    const { disk, forecast: made } = forecast()
    expect(made.secondsLeft).toBeNull()
    disk.freeBytes = 200 * MB
    expect(made.secondsLeft).toBeNull()
    disk.rateBps = 8 * MB
    expect(made.secondsLeft).toBe(100)
    disk.freeBytes = 50 * MB
    expect(made.secondsLeft).toBe(0)
  })

  it('admits a recording as long as it, and those that run, fit for the reserve time', () => {
    const { disk, forecast: made } = forecast()
    made.admit('unknown', 1e12) // nobody knows what is free
    made.settled('unknown')
    disk.freeBytes = 220 * MB // 120 MB for a minute: 16 Mbit/s
    made.admit('a', 8 * MB)
    made.admit('b', 8 * MB)
    expect(() => made.admit('c', 1 * MB)).toThrow(expect.objectContaining({ code: 'TD_DISK_FORECAST', fault: 'host' }))
    disk.rateBps = 8 * MB
    made.settled('a')
    expect(() => made.admit('c', 1 * MB)).toThrow('220 MB free')
    made.settled('b')
    made.admit('c', 8 * MB)
  })

  it('expects the usual rate of who is not known, and nothing of those that were refused', () => {
    const { disk, forecast: made } = forecast()
    disk.freeBytes = 100 * MB + 45 * MB // 6 Mbit/s for a minute
    made.admit('a')
    for (let i = 0; i < 10; i++) expect(() => made.admit('b', 0)).toThrow('at risk')
    made.settled('a')
    made.admit('b')
  })

  it('tells once that it is low, and once that it is well again, with room between', () => {
    const { disk, events, forecast: made } = forecast()
    const check = (freeMb: number) => {
      disk.freeBytes = freeMb * MB
      made.check()
      return events.splice(0).map(({ type }) => type)
    }
    expect(check(1000)).toEqual([])
    expect(check(144)).toEqual(['disk_low'])
    expect(check(120)).toEqual([])
    expect(check(150)).toEqual([]) // 45 MB are needed; a quarter more until all is well
    expect(check(157)).toEqual(['disk_ok'])
    expect(check(150)).toEqual([])
    disk.freeBytes = undefined
    made.check()
    expect(events).toEqual([])
  })
})
