import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, describe, expect, it } from 'vitest'
import { StateAwayError, StateDamagedError } from '../../src/state/errors.ts'
import { openStateStore } from '../../src/state/open-store.ts'
import { StateError } from '../../src/state/sqlite-journal.ts'
import type { StateStore } from '../../src/state/store.ts'
import { scratch } from '../peers/tapedeck.ts'
import { entryOf, eventOf, LogLines, taskOf } from './entries.ts'

const directory = scratch('state-faults')
const stores: StateStore[] = []
afterAll(async () => {
  await Promise.all(stores.map((store) => store.close()))
  directory.drop()
})

const log = new LogLines()
async function open(
  dataDir = join(directory.path, randomUUID()),
): Promise<{ store: StateStore; path: string; dataDir: string }> {
  const store = await openStateStore({ dataDir, prefix: '', stateTtlMs: 1, indexTtlMs: 1, logger: log })
  stores.push(store)
  return { store, dataDir, path: join(dataDir, 'catalogue.db') }
}

describe('a database of the state', () => {
  it('that somebody locks is waited for, then away, and back by itself', async () => {
    const { store, path } = await open()
    await store.recordings.put(entryOf('a'))
    const other = new DatabaseSync(path)
    other.exec('BEGIN IMMEDIATE')
    const waiting = store.recordings.put(entryOf('b'))
    // what is not asked of the database goes on meanwhile
    await new Promise((resolve) => setImmediate(resolve))
    expect(await store.recordings.get('a')).toEqual(entryOf('a'))
    other.exec('COMMIT')
    expect(await waiting).toBe(true)
    expect(store.health.isReachable).toBe(true)
    other.exec('BEGIN IMMEDIATE')
    const changes: boolean[] = []
    const back = Promise.withResolvers<void>()
    store.listen(({ isReachable }) => {
      changes.push(isReachable)
      if (isReachable) back.resolve()
    })
    const begun = performance.now()
    const calls = await Promise.allSettled([
      store.recordings.admit(entryOf('c'), { total: 9, perUser: 9 }),
      store.tasks.add(taskOf('a')),
      store.events.append([eventOf('a')], []),
    ])
    expect(performance.now() - begun).toBeLessThan(15_000)
    for (const call of calls) expect(call).toMatchObject({ status: 'rejected', reason: expect.any(StateAwayError) })
    expect(store.health).toMatchObject({ isReachable: false, problem: expect.stringContaining('locked') })
    other.exec('ROLLBACK')
    await back.promise
    expect(changes).toEqual([false, true])
    await store.recordings.admit(entryOf('c'), { total: 9, perUser: 9 })
    other.close()
  })

  it('that is damaged, or of a later version, is refused, named, and left alone', async () => {
    const dataDir = join(directory.path, randomUUID())
    mkdirSync(dataDir)
    writeFileSync(join(dataDir, 'catalogue.db'), 'this is no database, however long one looks at it. '.repeat(40))
    await expect(open(dataDir)).rejects.toThrow(StateError)
    const { store, path, dataDir: later } = await open()
    await store.close()
    const database = new DatabaseSync(path)
    database.exec('PRAGMA user_version = 99')
    database.close()
    await expect(open(later)).rejects.toThrow(/later version/)
  })

  it('with a damaged entry gives all the others, and says so once', async () => {
    const { store, path } = await open()
    for (const id of ['a', 'b', 'c']) await store.recordings.put(entryOf(id))
    await store.tasks.add(taskOf('t'))
    await store.events.append([eventOf('e'), eventOf('f')], [])
    const database = new DatabaseSync(path)
    database.exec(`UPDATE recording SET entry = '{}' WHERE id = 'b';
      UPDATE task SET log = 'x'; UPDATE event SET event = '[' WHERE id = 'e'`)
    database.close()
    const before = log.of('error').length
    for (let i = 0; i < 2; i++) {
      const { entries } = await store.recordings.list({ limit: 5 })
      expect(entries.map(({ recording }) => recording.recording_id)).toEqual(['c', 'a'])
      expect((await store.events.since(0, 9)).map(({ id }) => id)).toEqual(['f'])
    }
    expect(log.of('error').slice(before)).toEqual([
      expect.stringContaining('recording b in the state is damaged'),
      expect.stringContaining('event 1 in the state is damaged'),
    ])
    await expect(store.recordings.get('b')).rejects.toThrow(StateDamagedError)
    await expect(store.tasks.get('t')).rejects.toThrow(StateDamagedError)
    expect(await store.recordings.put(entryOf('b', { revision: 2 }))).toBe(true)
    expect(await store.recordings.count({})).toBe(3)
  })

  it('is for its owner alone, and closing it twice does no harm', async () => {
    const { store, dataDir } = await open()
    expect(statSync(dataDir).mode & 0o777).toBe(0o700)
    await store.close()
    await store.close()
    await expect(store.recordings.get('a')).rejects.toThrow(StateAwayError)
  })

  it('has everything that was answered before its process was killed', async () => {
    const { store, dataDir } = await open()
    const url = (path: string) => JSON.stringify(new URL(path, import.meta.url).href)
    const script = `
      const { openStateStore } = await import(${url('../../src/state/open-store.ts')})
      const { entryOf, LogLines } = await import(${url('./entries.ts')})
      const store = await openStateStore({ ...${JSON.stringify({ dataDir, prefix: '', stateTtlMs: 1, indexTtlMs: 1 })}, logger: new LogLines() })
      for (let i = 0; ; i++) {
        await store.recordings.put(entryOf('k' + i))
        await new Promise((resolve) => process.stdout.write(i + '\\n', resolve))
      }`
    for (let round = 0; round < 5; round++) {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      let said = ''
      child.stdout.setEncoding('utf8')
      await new Promise<void>((resolve) => {
        child.stdout.on('data', (text: string) => {
          said += text
          if (said.split('\n').length > 20 + round * 7) resolve()
        })
      })
      child.kill('SIGKILL')
      await once(child, 'close')
      const last = said.trimEnd().split('\n').length - 1
      expect(await store.recordings.count({})).toBeGreaterThanOrEqual(last)
      expect(await store.recordings.get(`k${last - 1}`)).toBeDefined()
    }
  })
})
