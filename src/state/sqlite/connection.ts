import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'
import { isDoneWithin } from '../../media/patience.ts'
import { StateAwayError } from '../errors.ts'
import { Reachability } from '../reachability.ts'
import { StateError } from '../sqlite-journal.ts'
import { DiskAnswer } from './disk-answer.ts'
import { SCHEMA, SCHEMA_VERSION } from './schema.ts'

/** While opening there is nobody to hold up, ms. */
const OPENING_WAIT_MS = 5000
/** A call is given up after this, ms. */
const DEADLINE_MS = 2000
/** Somebody else's lock is not waited for, since nothing else could go on meanwhile: it is tried again after this, ms. */
const PAUSE_MS = 10
/** How often it is tried whether a database that failed is well again, ms. */
const PROBE_MS = 1000

// primary result codes, https://sqlite.org/rescode.html
const BUSY = 5
const LOCKED = 6
/** PERM, BUSY, LOCKED, NOMEM, READONLY, IOERR, CORRUPT, FULL, CANTOPEN, PROTOCOL, NOTADB: the database, not the statement. */
const AWAY = new Set([3, BUSY, LOCKED, 7, 8, 10, 11, 13, 14, 15, 26])

/**
 * One connection to the database of the state. Every piece of work is synchronous and short, and begun only while the disk
 * takes changes.
 */
export class SqliteConnection {
  readonly reachability = new Reachability()
  readonly #path: string
  readonly #database: DatabaseSync
  readonly #disk: DiskAnswer
  readonly #statements = new Map<string, StatementSync>()
  #probe: NodeJS.Timeout | undefined
  #isLooking = false

  /** @throws StateError */
  constructor(path: string) {
    this.#path = path
    this.#disk = new DiskAnswer(path)
    try {
      if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
      this.#database = new DatabaseSync(path, { timeout: OPENING_WAIT_MS })
      this.#database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE')
      const version = Number(this.#database.prepare('PRAGMA user_version').get()?.user_version ?? 0)
      if (version > SCHEMA_VERSION) throw new Error(`it was written by a later version (schema ${version})`)
      if (version < SCHEMA_VERSION) this.#database.exec(SCHEMA)
      this.#database.exec(`COMMIT; PRAGMA busy_timeout = 0`)
    } catch (error) {
      throw new StateError(path, error)
    }
  }

  /** All rows of a statement, which is prepared once. */
  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#statement(sql).all(...values)
  }

  /** The first row. */
  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#statement(sql).get(...values)
  }

  /** Returns how many rows were changed. */
  change(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#statement(sql).run(...values).changes)
  }

  /** Work that only reads, or is one statement. @throws StateAwayError */
  async run<T>(work: () => T): Promise<T> {
    const deadline = performance.now() + DEADLINE_MS
    const answer = this.#disk.wait()
    if (answer !== undefined) await this.#patiently(answer)
    for (;;) {
      try {
        if (!this.#database.isOpen) throw new StateAwayError(`the state in ${this.#path}`, 'it is closed')
        const result = work()
        this.#reached()
        return result
      } catch (error) {
        const code = resultCode(error)
        if (code === undefined || !AWAY.has(code)) throw error
        const isLocked = code === BUSY || code === LOCKED
        if (!isLocked || performance.now() > deadline) throw this.#failed(error)
      }
      await pause(PAUSE_MS * (1 + Math.random()))
    }
  }

  /** Work that reads and then writes, as one step that nobody comes between. @throws StateAwayError */
  transaction<T>(work: () => T): Promise<T> {
    return this.run(() => {
      this.#database.exec('BEGIN IMMEDIATE')
      try {
        const result = work()
        this.#database.exec('COMMIT')
        return result
      } finally {
        if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
      }
    })
  }

  close(): void {
    clearInterval(this.#probe)
    if (this.#database.isOpen) this.#database.close()
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (statement === undefined) this.#statements.set(sql, (statement = this.#database.prepare(sql)))
    return statement
  }

  /** @throws StateAwayError */
  async #patiently(answer: Promise<void>): Promise<void> {
    if (!(await isDoneWithin(answer, DEADLINE_MS))) throw this.#failed(new Error('its disk does not answer'))
  }

  #failed(error: unknown): StateAwayError {
    this.reachability.failed(error instanceof Error ? error.message : String(error))
    this.#probe ??= setInterval(() => void this.#look(), PROBE_MS).unref()
    return new StateAwayError(`the state in ${this.#path}`, error)
  }

  #reached(): void {
    // a database on a full disk can be read still: only the probe, which writes, knows that it is well
    if (this.#probe === undefined) this.reachability.reached()
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return
    this.#isLooking = true
    await this.#disk.wait()
    this.#isLooking = false
    if (!this.#database.isOpen) return
    try {
      this.#database.exec('BEGIN IMMEDIATE; UPDATE probe SET looks = looks + 1; COMMIT')
      clearInterval(this.#probe)
      this.#probe = undefined
      this.reachability.reached()
    } catch (error) {
      if (this.#database.isOpen && this.#database.isTransaction) this.#database.exec('ROLLBACK')
      this.reachability.failed(error instanceof Error ? error.message : String(error))
    }
  }
}

/** A row as SQLite gives it. */
export type Row = Record<string, unknown>

function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return undefined
  return error.errcode & 0xff
}
