import type { SQLInputValue } from 'node:sqlite'
import type { Logger } from '../../media/ports.ts'
import { DamageLog } from '../entry-text.ts'
import type { NewTask, Task, TaskCounts, TaskOutcome, TaskState, TaskStore } from '../task-store.ts'
import { appendAttempt, EXPIRED, parseTask, TASK_FIELDS, WORKER_LOST, writePayload } from '../task-text.ts'
import type { Row, SqliteConnection } from './connection.ts'

/** Tasks that die of age in one call; the others do in the next. */
const MAX_EXPIRING = 1000
const MAX_PAGE = 10_000

const COLUMNS = TASK_FIELDS.join(', ')
const UNFINISHED = "state IN ('waiting', 'running')"

const INSERT = `
INSERT INTO task (id, queue, key, priority, place, is_head, state, ready_ms, due_ms, expires_ms, created_ms, attempts,
  log, progress, result, payload)
VALUES (?1, ?2, ?3, ?4, ?5,
  ?3 IS NULL OR NOT EXISTS (SELECT 1 FROM task WHERE queue = ?2 AND key = ?3 AND ${UNFINISHED}),
  'waiting', ?6, ?6, ?7, ?8, 0, '[]', 'null', 'null', ?9)
ON CONFLICT (id) DO NOTHING`
const EXPIRING = `
SELECT * FROM task WHERE queue = ? AND expires_ms <= ? AND ${UNFINISHED} AND (state = 'waiting' OR ready_ms <= ?)
ORDER BY place LIMIT ${MAX_EXPIRING}`
const CLAIMABLE = `
SELECT * FROM task WHERE queue = ? AND is_head = 1 AND ready_ms <= ? ORDER BY priority DESC, place LIMIT ?`
const BEGIN = `
UPDATE task SET state = 'running', ready_ms = ?, begun_ms = ?, attempts = attempts + 1, worker = ?, log = ?,
  progress = 'null' WHERE id = ? RETURNING ${COLUMNS}`
const END = `
UPDATE task SET state = ?, is_head = 0, finished_ms = ?, log = ?, result = ?, worker = ? WHERE id = ?`
const PROMOTE = `
UPDATE task SET is_head = 1 WHERE added =
  (SELECT added FROM task WHERE queue = ?1 AND key = ?2 AND ${UNFINISHED} ORDER BY place LIMIT 1)`
const REQUEUE = `
UPDATE task SET state = 'waiting', place = ?1, ready_ms = ?2, due_ms = ?2, expires_ms = ?3, finished_ms = NULL,
  attempts = 0, worker = NULL, progress = 'null', result = 'null', is_head =
  key IS NULL OR NOT EXISTS (SELECT 1 FROM task o WHERE o.queue = task.queue AND o.key = task.key AND o.${UNFINISHED})
WHERE id = ?4`

/** Durable queues in SQLite. */
export class SqliteTasks implements TaskStore {
  readonly #connection: SqliteConnection
  readonly #damage: DamageLog

  constructor(connection: SqliteConnection, logger: Logger) {
    this.#connection = connection
    this.#damage = new DamageLog(logger)
  }

  async add(task: NewTask): Promise<void> {
    await this.#connection.transaction(() => this.insert(task))
  }

  /** Within a transaction of the caller. @throws LimitError */
  insert(task: NewTask): void {
    const { id, queue, key, priority, dueAtMs, expiresAtMs } = task
    const values = [id, queue, key, priority, this.#place(), dueAtMs, expiresAtMs, Date.now(), writePayload(task)]
    this.#connection.change(INSERT, ...values)
  }

  async claim(
    queue: string,
    worker: string,
    { leaseMs, limit, nowMs }: { leaseMs: number; limit: number; nowMs: number },
  ): Promise<Task[]> {
    const connection = this.#connection
    const rows = await connection.transaction(() => {
      for (const row of connection.all(EXPIRING, queue, nowMs, nowMs)) {
        const log = attemptLog(row.state === 'running' ? lost(row, nowMs) : text(row.log), nowMs, nowMs, EXPIRED)
        this.#end(row, { state: 'dead', nowMs, log })
      }
      return connection.all(CLAIMABLE, queue, nowMs, limit).flatMap((row) => {
        const log = row.state === 'running' ? lost(row, nowMs) : text(row.log)
        return connection.all(BEGIN, nowMs + leaseMs, nowMs, worker, log, text(row.id))
      })
    })
    return this.#tasks(rows)
  }

  async extend(id: string, worker: string, leaseMs: number, progress?: unknown): Promise<boolean> {
    const sql = `UPDATE task SET ready_ms = ?, progress = coalesce(?, progress)
      WHERE id = ? AND state = 'running' AND worker = ?`
    const noted = progress === undefined ? null : JSON.stringify(progress)
    return (await this.#connection.run(() => this.#connection.change(sql, Date.now() + leaseMs, noted, id, worker))) > 0
  }

  /** Once more by the same worker is true again: the answer to the first may have been lost. */
  settle(id: string, worker: string, outcome: TaskOutcome): Promise<boolean> {
    const connection = this.#connection
    return connection.transaction(() => {
      const row = this.#row(id)
      if (row === undefined || row.worker !== worker) return false
      if (row.state !== 'running') return row.state === (outcome.kind === 'retry' ? 'waiting' : outcome.kind)
      const nowMs = Date.now()
      const error = outcome.kind === 'done' ? null : outcome.error
      const log = attemptLog(text(row.log), Number(row.begun_ms), nowMs, error)
      if (outcome.kind === 'retry') {
        const sql = `UPDATE task SET state = 'waiting', ready_ms = ?1, due_ms = ?1, log = ?2 WHERE id = ?3`
        connection.change(sql, outcome.dueAtMs, log, id)
      } else {
        const result = outcome.kind === 'done' ? JSON.stringify(outcome.result ?? null) : 'null'
        this.#end(row, { state: outcome.kind, nowMs, log, result, worker })
      }
      return true
    })
  }

  cancel(id: string): Promise<boolean> {
    return this.#connection.transaction(() => {
      const row = this.#row(id)
      if (row === undefined || !isUnfinished(row)) return false
      this.#end(row, { state: 'cancelled', nowMs: Date.now(), log: text(row.log) })
      return true
    })
  }

  requeue(id: string, { nowMs, expiresAtMs }: { nowMs: number; expiresAtMs: number | null }): Promise<boolean> {
    return this.#connection.transaction(() => {
      const row = this.#row(id)
      if (row === undefined || isUnfinished(row)) return false
      return this.#connection.change(REQUEUE, this.#place(), nowMs, expiresAtMs, id) > 0
    })
  }

  async get(id: string): Promise<Task | undefined> {
    const row = await this.#connection.run(() => this.#row(id))
    return row === undefined ? undefined : parseTask(row)
  }

  async list(query: { queue: string; states?: readonly TaskState[]; key?: string; limit: number }): Promise<Task[]> {
    const { queue, states, key, limit } = query
    const values: SQLInputValue[] = [queue]
    let sql = `SELECT ${COLUMNS} FROM task WHERE queue = ?`
    if (key !== undefined) {
      sql += ' AND key = ?'
      values.push(key)
    }
    if (states !== undefined) {
      sql += ' AND state IN (SELECT value FROM json_each(?))'
      values.push(JSON.stringify(states))
    }
    values.push(Math.min(Math.max(1, limit), MAX_PAGE))
    return this.#tasks(
      await this.#connection.run(() => this.#connection.all(`${sql} ORDER BY added DESC LIMIT ?`, ...values)),
    )
  }

  counts(queue: string): Promise<TaskCounts> {
    const count = (state: TaskState) =>
      Number(this.#connection.get('SELECT count(*) AS n FROM task WHERE queue = ? AND state = ?', queue, state)?.n ?? 0)
    return this.#connection.run(() => ({ waiting: count('waiting'), running: count('running'), dead: count('dead') }))
  }

  async nextDueMs(queue: string): Promise<number | undefined> {
    const sql = 'SELECT min(ready_ms) AS ms FROM task WHERE queue = ? AND is_head = 1'
    const row = await this.#connection.run(() => this.#connection.get(sql, queue))
    return typeof row?.ms === 'number' ? row.ms : undefined
  }

  async prune(queue: string, finishedBeforeMs: number): Promise<void> {
    const sql = 'DELETE FROM task WHERE queue = ? AND finished_ms < ?'
    await this.#connection.run(() => this.#connection.change(sql, queue, finishedBeforeMs))
  }

  #row(id: string): Row | undefined {
    return this.#connection.get('SELECT * FROM task WHERE id = ?', id)
  }

  #end(row: Row, end: { state: TaskState; nowMs: number; log: string; result?: string; worker?: string }): void {
    const { state, nowMs, log, result = 'null', worker = null } = end
    this.#connection.change(END, state, nowMs, log, result, worker, text(row.id))
    if (row.key !== null) this.#connection.change(PROMOTE, text(row.queue), text(row.key))
  }

  #place(): number {
    return Number(this.#connection.get('UPDATE place SET next = next + 1 RETURNING next')?.next)
  }

  #tasks(rows: readonly Row[]): Task[] {
    return rows.flatMap((row) => this.#damage.attempt(() => parseTask(row)) ?? [])
  }
}

function isUnfinished(row: Row): boolean {
  return row.state === 'waiting' || row.state === 'running'
}

/** The log after a try whose lease ran out. */
function lost(row: Row, nowMs: number): string {
  return attemptLog(text(row.log), Number(row.begun_ms), nowMs, WORKER_LOST)
}

function attemptLog(log: string, begunMs: number, nowMs: number, error: string | null): string {
  return appendAttempt(log, { at: new Date(begunMs).toISOString(), took_ms: Math.max(0, nowMs - begunMs), error })
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
