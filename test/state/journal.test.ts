import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, describe, expect, it } from 'vitest'
import type { JournalEntry } from '../../src/state/journal.ts'
import { SqliteJournal, StateError } from '../../src/state/sqlite-journal.ts'

const directory = mkdtempSync(join(tmpdir(), 'tapedeck-journal-'))
afterAll(() => rmSync(directory, { recursive: true }))
let count = 0
const freshPath = () => join(directory, `${count++}`, 'state.db')
const entry = (id: string, startedAtMs = 1): JournalEntry => ({
  id,
  path: `/recordings/${id}'".mp4`,
  format: 'mp4',
  room: 'room\u0000?',
  participant: 'ünï',
  startedAtMs,
  pid: 42,
})

describe('SqliteJournal', () => {
  it('remembers open files over a reopening, oldest first, and forgets closed ones', () => {
    const path = freshPath()
    const first = new SqliteJournal(path)
    first.opened(entry('b', 2))
    first.opened(entry('a', 3))
    first.opened(entry('c', 1))
    first.closed('a')
    first.closed('unknown')
    const second = new SqliteJournal(path)
    expect(second.list()).toEqual([entry('c', 1), entry('b', 2)])
    first.close()
    first.close()
    second.close()
  })

  it('gives the right to mend to one at a time, and back when its holder dies', async () => {
    const path = freshPath()
    const journal = new SqliteJournal(path)
    const release = journal.claim()
    const other = new SqliteJournal(path)
    expect(other.claim()).toBeUndefined()
    release?.()
    const module = new URL('../../src/state/sqlite-journal.ts', import.meta.url).href
    const script = `const { SqliteJournal } = await import(${JSON.stringify(module)})
      const release = new SqliteJournal(${JSON.stringify(path)}).claim()
      console.log(typeof release)
      setInterval(() => release, 1000)`
    const holder = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [said] = await once(holder.stdout, 'data')
    expect(String(said)).toBe('function\n')
    expect(journal.claim()).toBeUndefined()
    holder.kill('SIGKILL')
    await once(holder, 'exit')
    const again = journal.claim()
    expect(again).toBeDefined()
    again?.()
    other.close()
    journal.close()
  })

  it('refuses what it cannot read, and leaves it alone', () => {
    const path = join(directory, 'garbage.db')
    writeFileSync(path, 'this is no database, and long enough to be read as a header of one. '.repeat(20))
    expect(() => new SqliteJournal(path)).toThrow(StateError)
    const later = freshPath()
    new SqliteJournal(later).close()
    const database = new DatabaseSync(later)
    database.exec('PRAGMA user_version = 99')
    database.close()
    expect(() => new SqliteJournal(later)).toThrow(/later version/)
  })
})
