import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, describe, expect, it } from 'vitest'
import type { Happening } from '../../src/events/event.ts'
import { EventLog } from '../../src/events/event-log.ts'
import type { Logger } from '../../src/media/ports.ts'
import type { StoredEvent } from '../../src/state/event-store.ts'
import { SqliteStateStore } from '../../src/state/sqlite/store.ts'
import { scratch } from '../peers/tapedeck.ts'
import { until } from '../peers/until.ts'

const silent: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
const place = scratch('event-log')
const happening = (n: number): Happening => ({
  type: 'disk_low',
  roomId: null,
  recordingId: null,
  userId: null,
  data: { n },
})
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)
const numbers = (events: readonly StoredEvent[]) => events.map(({ data }) => data.n)

function begin(name: string) {
  const path = join(place.path, `${name}.db`)
  const store = new SqliteStateStore(path, silent)
  return { path, store, log: new EventLog({ store, logger: silent }) }
}

afterAll(() => place.drop())

describe('the event log', () => {
  it('numbers what is emitted in its order, and tells everybody who follows', async () => {
    const { store, log } = begin('order')
    const told: StoredEvent[][] = [[], []]
    const stops = told.map((list) => log.follow((event) => void list.push(event)))
    for (const n of range(1, 1200)) log.emit(happening(n))
    await until('all to be told', () => (told[1].length === 1200 ? true : undefined))
    for (const list of told) expect(numbers(list)).toEqual(range(1, 1200))
    expect(told[0].every(({ seq }, i) => i === 0 || seq > told[0][i - 1].seq)).toBe(true)
    expect(numbers(await log.since(told[0][1099].seq, 1000))).toEqual(range(1101, 1200))
    stops[0]()
    log.emit(happening(1201))
    await until('the other to be told', () => (told[1].length === 1201 ? true : undefined))
    expect(told[0]).toHaveLength(1200)
    await log.close()
    await store.close()
  })

  it('keeps what the store does not take, in order, and says at its end whether something was left', async () => {
    const { path, store, log } = begin('away')
    const lock = new DatabaseSync(path)
    lock.exec('BEGIN EXCLUSIVE')
    for (const n of range(1, 700)) log.emit(happening(n))
    expect(await log.close({ deadlineMs: 50 })).toBe(false)
    expect(log.pending).toBe(700)
    lock.exec('ROLLBACK')
    const other = new EventLog({ store, logger: silent })
    lock.exec('BEGIN EXCLUSIVE')
    for (const n of range(1, 700)) other.emit(happening(n))
    const closed = other.close({ deadlineMs: 20_000 })
    lock.exec('ROLLBACK')
    expect(await closed).toBe(true)
    const kept = numbers(await other.since(0, 2000))
    // what the first had handed over when the lock was there may still have come in, whole and in order, before the others
    expect(kept.slice(-700)).toEqual(range(1, 700))
    expect(other.dropped).toBe(0)
    lock.close()
    await store.close()
  })
})
