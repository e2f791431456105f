import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { CatalogueEntry } from '../../src/state/catalogue-entry.ts'
import { StateAwayError } from '../../src/state/errors.ts'
import type { EventStore, NewEvent, Outbox, StoredEvent } from '../../src/state/event-store.ts'
import { EventWriter } from '../../src/state/event-writer.ts'
import { openStateStore } from '../../src/state/open-store.ts'
import { RecordingWriter } from '../../src/state/recording-writer.ts'
import type { RecordingStore, StateStore } from '../../src/state/store.ts'
import { scratch } from '../peers/tapedeck.ts'
import { entryOf, eventOf, LogLines } from './entries.ts'

const directory = scratch('writers')
const stores: StateStore[] = []
afterAll(async () => {
  await Promise.all(stores.map((store) => store.close()))
  directory.drop()
})

/** A real store whose line can be cut: before a call arrives, or after it took effect. */
async function cuttable() {
  const dataDir = join(directory.path, randomUUID())
  const store = await openStateStore({ dataDir, prefix: '', stateTtlMs: 1, indexTtlMs: 1, logger: new LogLines() })
  stores.push(store)
  const line: { cut: 'none' | 'before' | 'after'; calls: number[] } = { cut: 'none', calls: [] }
  const across = async <T>(size: number, call: () => Promise<T>): Promise<T> => {
    line.calls.push(size)
    if (line.cut === 'before') throw new StateAwayError('the line', new Error('cut'))
    const result = await call()
    if (line.cut === 'after') throw new StateAwayError('the line', new Error('cut'))
    return result
  }
  const real = store.recordings
  const recordings: RecordingStore = {
    admit: real.admit.bind(real),
    get: real.get.bind(real),
    list: real.list.bind(real),
    count: real.count.bind(real),
    live: real.live.bind(real),
    heads: real.heads.bind(real),
    put: (entry: CatalogueEntry) => across(1, () => real.put(entry)),
    putAll: (entries: readonly CatalogueEntry[]) => across(entries.length, () => real.putAll(entries)),
    remove: (id: string) => across(1, () => real.remove(id)),
  }
  const events: EventStore = {
    since: store.events.since.bind(store.events),
    bounds: store.events.bounds.bind(store.events),
    prune: store.events.prune.bind(store.events),
    follow: store.events.follow.bind(store.events),
    append: (list: readonly NewEvent[], outboxes: readonly Outbox[]) =>
      across(list.length, () => store.events.append(list, outboxes)),
  }
  return { store, line, recordings, events }
}

const SOON = { deadlineMs: 5000 }

describe('RecordingWriter', () => {
  it('keeps the latest of each while the store is away, and brings it when it is back', async () => {
    const { store, line, recordings } = await cuttable()
    const log = new LogLines()
    const writer = new RecordingWriter(recordings, log)
    await store.recordings.put(entryOf('gone'))
    line.cut = 'before'
    for (let revision = 1; revision <= 50; revision++) {
      for (const id of ['a', 'b']) writer.put(entryOf(id, { revision }))
    }
    writer.put(entryOf('a', { revision: 7 }))
    writer.remove('gone')
    writer.put(entryOf('x'))
    writer.remove('x')
    expect(writer.pending).toBe(4)
    expect(writer.pendingEntry('a')?.revision).toBe(50)
    expect(writer.pendingEntry('gone')).toBeUndefined()
    expect(await writer.flush({ deadlineMs: 50 })).toBe(false)
    line.cut = 'after'
    expect(await writer.flush({ deadlineMs: 300 })).toBe(false)
    line.cut = 'none'
    expect(await writer.flush(SOON)).toBe(true)
    expect(writer.pending).toBe(0)
    expect(writer.pendingEntry('a')).toBeUndefined()
    const ids = (await store.recordings.list({ limit: 9 })).entries.map((entry) => [
      entry.recording.recording_id,
      entry.revision,
    ])
    expect(ids).toEqual([
      ['b', 50],
      ['a', 50],
    ])
    expect(log.of('warn')).toHaveLength(1)
    expect(log.of('info')).toHaveLength(1)
    expect(await writer.flush(SOON)).toBe(true)
    writer.close()
  })

  it('brings what changed together in one call, and the others where one of them is not to be stored', async () => {
    const { store, line, recordings } = await cuttable()
    const log = new LogLines()
    const writer = new RecordingWriter(recordings, log)
    for (let i = 0; i < 60; i++) writer.put(entryOf(`r${i}`))
    expect(await writer.flush(SOON)).toBe(true)
    expect(line.calls).toEqual([50, 10])
    const bad = { ...entryOf('bad'), created_at: 'never' }
    for (const entry of [entryOf('x'), bad, entryOf('y')]) writer.put(entry)
    expect(await writer.flush(SOON)).toBe(true)
    expect(await store.recordings.count({})).toBe(62)
    expect(log.of('error')).toHaveLength(1)
    writer.close()
  })

  it('brings what is put while it writes, last', async () => {
    const { store, recordings } = await cuttable()
    const writer = new RecordingWriter(recordings, new LogLines())
    for (let revision = 1; revision <= 20; revision++) {
      writer.put(entryOf('a', { revision }))
      await Promise.resolve()
    }
    expect(await writer.flush(SOON)).toBe(true)
    expect((await store.recordings.get('a'))?.revision).toBe(20)
    writer.close()
  })

  it('that is closed leaves what waits, and keeps nobody waiting', async () => {
    const { line, recordings } = await cuttable()
    const writer = new RecordingWriter(recordings, new LogLines())
    line.cut = 'before'
    writer.put(entryOf('a'))
    const flushed = writer.flush({ deadlineMs: 60_000 })
    writer.close()
    expect(await flushed).toBe(false)
    expect(await writer.flush({ deadlineMs: 60_000 })).toBe(false)
    expect(writer.pending).toBe(1)
  })
})

describe('EventWriter', () => {
  it('brings events in order and once, in batches, one call at a time', async () => {
    const { store, line, events } = await cuttable()
    const writer = new EventWriter(events, () => [{ queue: 'hooks', lifetimeMs: 60_000 }], new LogLines())
    const told: StoredEvent[] = []
    writer.onStored(() => {
      throw new Error('a bad listener')
    })
    const stop = writer.onStored((event) => void told.push(event))
    for (let i = 0; i < 1300; i++) {
      if (i === 1) line.cut = 'after'
      writer.append(eventOf(`e${i}`))
    }
    expect(writer.pending).toBe(1300)
    expect(await writer.flush({ deadlineMs: 400 })).toBe(false)
    line.cut = 'none'
    expect(await writer.flush(SOON)).toBe(true)
    expect(Math.max(...line.calls)).toBe(500)
    const kept = await store.events.since(0, 5000)
    expect(kept.map(({ id }) => id)).toEqual(Array.from({ length: 1300 }, (_, i) => `e${i}`))
    expect(told).toEqual(kept)
    expect((await store.tasks.counts('hooks')).waiting).toBe(1300)
    stop()
    writer.close()
  })

  it('leaves out an event that the store does not take, and brings the others', async () => {
    const { store, events } = await cuttable()
    const log = new LogLines()
    const writer = new EventWriter(events, () => [{ queue: 'hooks', lifetimeMs: 60_000 }], log)
    for (const id of ['a', 'huge', 'b']) {
      writer.append(eventOf(id, { data: { text: id === 'huge' ? 'x'.repeat(300_000) : '' } }))
    }
    expect(await writer.flush(SOON)).toBe(true)
    expect((await store.events.since(0, 9)).map(({ id }) => id)).toEqual(['a', 'b'])
    expect(writer.dropped).toBe(1)
    expect(log.of('error')).toHaveLength(1)
    writer.close()
  })

  it('holds a hundred thousand, and then drops progress first, oldest first, and counts', async () => {
    const { line, events } = await cuttable()
    const log = new LogLines()
    line.cut = 'before'
    const writer = new EventWriter(events, () => [], log)
    const kept: string[] = []
    const time = new Date().toISOString()
    for (let i = 0; i < 103_000; i++) {
      writer.append(eventOf(`e${i}`, { time, data: {}, type: i % 2 === 0 ? 'recording_progress' : 'track_added' }))
    }
    expect(writer.pending).toBeLessThanOrEqual(100_000)
    expect(writer.pending + writer.dropped).toBe(103_000)
    expect(log.of('error')).toHaveLength(1)
    writer.onStored(({ id }) => void kept.push(id))
    line.cut = 'none'
    expect(await writer.flush({ deadlineMs: 25_000 })).toBe(true)
    expect(kept.filter((id) => Number(id.slice(1)) % 2 === 1)).toHaveLength(51_500)
    expect(kept.at(-1)).toBe('e102999')
    expect(kept).toHaveLength(103_000 - writer.dropped)
    writer.close()
  })
})
