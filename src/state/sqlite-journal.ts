import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { TapedeckError } from '../media/errors.ts'
import type { Journal, JournalEntry, JournalRight } from './journal.ts'

/** The state of this server cannot be opened: the path is in `message`, the system's error in `cause`. */
export class StateError extends TapedeckError {
  readonly code = 'TD_STATE'
  readonly fault = 'host'

  constructor(path: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    super(`cannot open the state in ${path}: ${reason}; check --data-dir, or move a damaged file away`, { cause })
  }
}

/** SQLITE_BUSY: another connection holds the lock. */
const BUSY = 5

/** A state file of a later version than this program understands is refused, never changed. */
const SCHEMA_VERSION = 1

const SCHEMA = `
CREATE TABLE IF NOT EXISTS open_file (
  id TEXT PRIMARY KEY,
  path TEXT NOT NULL,
  format TEXT NOT NULL,
  room TEXT NOT NULL,
  participant TEXT NOT NULL,
  started_at_ms INTEGER NOT NULL,
  pid INTEGER NOT NULL
) STRICT;
PRAGMA user_version = ${SCHEMA_VERSION};
`

/**
 * The journal in SQLite, write-ahead logged: a call that returned survives a crash of the process; a power cut may cost
 * the last entries but never the database (synchronous = NORMAL).
 */
export class SqliteJournal implements Journal {
  readonly #path: string
  readonly #database: DatabaseSync

  readonly #insert: StatementSync
  readonly #delete: StatementSync
  readonly #select: StatementSync

  /** @throws StateError */
  constructor(path: string) {
    this.#path = path
    try {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
      this.#database = new DatabaseSync(path)
      this.#database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 5000;')
      const version = Number(this.#database.prepare('PRAGMA user_version').get()?.user_version ?? 0)
      if (version > SCHEMA_VERSION) throw new Error(`it was written by a later version (schema ${version})`)
      this.#database.exec(SCHEMA)
      this.#insert = this.#database.prepare('INSERT OR REPLACE INTO open_file VALUES (?, ?, ?, ?, ?, ?, ?)')
      this.#delete = this.#database.prepare('DELETE FROM open_file WHERE id = ?')
      this.#select = this.#database.prepare('SELECT * FROM open_file ORDER BY started_at_ms, id')
    } catch (error) {
      throw new StateError(path, error)
    }
  }

  opened(entry: JournalEntry): void {
    const { id, path, format, room, participant, startedAtMs, pid } = entry
    this.#insert.run(id, path, format, room, participant, startedAtMs, pid)
  }

  closed(id: string): void {
    this.#delete.run(id)
  }

  list(): JournalEntry[] {
    return this.#select.all().map((row) => ({
      id: String(row.id),
      path: String(row.path),
      format: String(row.format),
      room: String(row.room),
      participant: String(row.participant),
      startedAtMs: Number(row.started_at_ms),
      pid: Number(row.pid),
    }))
  }

  /** By an empty database beside ours whose lock the system takes back when we die. @throws StateError */
  claim(right: JournalRight = 'recovery'): (() => void) | undefined {
    const path = this.#path === ':memory:' ? this.#path : `${this.#path}-${right}`
    let lock: DatabaseSync | undefined
    try {
      lock = new DatabaseSync(path)
      lock.exec('PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE;')
    } catch (error) {
      lock?.close()
      if (error instanceof Error && 'errcode' in error && error.errcode === BUSY) return undefined
      throw new StateError(path, error)
    }
    const held = lock
    return () => held.close()
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close()
  }
}
