import type { CatalogueEntry } from '../../src/state/catalogue-entry.ts'
import { LIVE_STATUSES } from '../../src/state/recording-object.ts'
import type { ActiveLimits, RecordingQuery } from '../../src/state/store.ts'
import type { NewTask, TaskOutcome, TaskState } from '../../src/state/task-store.ts'

/** A catalogue as it is meant, in the fewest words. */
export class CatalogueModel {
  readonly #entries = new Map<string, CatalogueEntry>()

  admit(entry: CatalogueEntry, limits: ActiveLimits): 'total' | 'user' | undefined {
    const { recording_id, user_id } = entry.recording
    if (!this.#entries.has(recording_id) && !entry.automatic) {
      const limited = this.live().filter(({ automatic, recording }) => !automatic && recording.status !== 'processing')
      if (limited.length >= limits.total) return 'total'
      const own = limited.filter(({ recording }) => recording.user_id === user_id).length
      if (user_id !== null && limits.perUser !== undefined && own >= limits.perUser) return 'user'
    }
    this.put(entry)
    return undefined
  }

  put(entry: CatalogueEntry): boolean {
    const id = entry.recording.recording_id
    if ((this.#entries.get(id)?.revision ?? 0) > entry.revision) return false
    this.#entries.set(id, entry)
    return true
  }

  get(id: string): CatalogueEntry | undefined {
    return this.#entries.get(id)
  }

  remove(id: string): void {
    this.#entries.delete(id)
  }

  /** All pages in one. */
  list({ room, user, statuses, sinceMs, untilMs }: Omit<RecordingQuery, 'limit' | 'cursor'>): CatalogueEntry[] {
    return [...this.#entries.values()]
      .filter(({ recording, created_at }) => {
        const ms = Date.parse(created_at)
        return (
          (room === undefined || recording.room_id === room) &&
          (user === undefined || recording.user_id === user) &&
          (statuses === undefined || statuses.includes(recording.status)) &&
          (sinceMs === undefined || ms >= sinceMs) &&
          (untilMs === undefined || ms < untilMs)
        )
      })
      .sort((a, b) => newerFirst(a, b))
  }

  live(): CatalogueEntry[] {
    return this.list({ statuses: LIVE_STATUSES }).reverse()
  }
}

function newerFirst(a: CatalogueEntry, b: CatalogueEntry): number {
  const age = Date.parse(b.created_at) - Date.parse(a.created_at)
  if (age !== 0) return age
  return Buffer.compare(Buffer.from(b.recording.recording_id), Buffer.from(a.recording.recording_id))
}

interface ModelTask extends Omit<NewTask, 'dueAtMs' | 'expiresAtMs'> {
  added: number
  place: number
  state: TaskState
  readyMs: number
  expiresAtMs: number | null
  attempts: number
  worker: string | null
  errors: (string | null)[]
}

/** Durable queues as they are meant. */
export class QueueModel {
  readonly #tasks = new Map<string, ModelTask>()
  #place = 0

  add(task: NewTask): void {
    if (this.#tasks.has(task.id)) return
    const place = ++this.#place
    const begin = { added: place, place, state: 'waiting', readyMs: task.dueAtMs, attempts: 0, worker: null } as const
    this.#tasks.set(task.id, { ...task, ...begin, errors: [] })
  }

  claim(queue: string, worker: string, { leaseMs, limit, nowMs }: { leaseMs: number; limit: number; nowMs: number }) {
    for (const task of this.#of(queue)) {
      const isIdle = task.state === 'waiting' || (task.state === 'running' && task.readyMs <= nowMs)
      if (!isIdle || task.expiresAtMs === null || task.expiresAtMs > nowMs) continue
      if (task.state === 'running') task.errors.push('its worker was lost')
      task.errors.push('it was not begun in time')
      this.#end(task, 'dead', null)
    }
    const claimed = this.#of(queue)
      .filter((task) => isUnfinished(task) && task.readyMs <= nowMs && this.#isHead(task))
      .sort((a, b) => b.priority - a.priority || a.place - b.place)
      .slice(0, limit)
    for (const task of claimed) {
      if (task.state === 'running') task.errors.push('its worker was lost')
      Object.assign(task, { state: 'running', worker, readyMs: nowMs + leaseMs, attempts: task.attempts + 1 })
    }
    return claimed.map(({ id }) => id)
  }

  settle(id: string, worker: string, outcome: TaskOutcome): boolean {
    const task = this.#tasks.get(id)
    if (task === undefined || task.worker !== worker) return false
    const state = outcome.kind === 'retry' ? 'waiting' : outcome.kind
    if (task.state !== 'running') return task.state === state
    task.errors.push(outcome.kind === 'done' ? null : outcome.error)
    if (outcome.kind === 'retry') Object.assign(task, { state, readyMs: outcome.dueAtMs })
    else this.#end(task, outcome.kind, worker)
    return true
  }

  cancel(id: string): boolean {
    const task = this.#tasks.get(id)
    if (task === undefined || !isUnfinished(task)) return false
    this.#end(task, 'cancelled', null)
    return true
  }

  requeue(id: string, { nowMs, expiresAtMs }: { nowMs: number; expiresAtMs: number | null }): boolean {
    const task = this.#tasks.get(id)
    if (task === undefined || isUnfinished(task)) return false
    const place = ++this.#place
    Object.assign(task, { state: 'waiting', place, readyMs: nowMs, expiresAtMs, attempts: 0, worker: null })
    return true
  }

  /** As much of each task as the model knows, newest first. */
  list(queue: string) {
    return this.#of(queue)
      .sort((a, b) => b.added - a.added)
      .map(({ id, state, attempts, errors, expiresAtMs }) => ({
        id,
        state,
        attempts,
        errors: errors.slice(-20),
        expiresAtMs,
      }))
  }

  /** When the next can be claimed. */
  nextDueMs(queue: string): number | undefined {
    const heads = this.#of(queue).filter((task) => isUnfinished(task) && this.#isHead(task))
    return heads.length === 0 ? undefined : Math.min(...heads.map(({ readyMs }) => readyMs))
  }

  #of(queue: string): ModelTask[] {
    return [...this.#tasks.values()].filter((task) => task.queue === queue)
  }

  #isHead(task: ModelTask): boolean {
    if (task.key === null) return true
    return !this.#of(task.queue).some(
      (other) => other.key === task.key && isUnfinished(other) && other.place < task.place,
    )
  }

  #end(task: ModelTask, state: TaskState, worker: string | null): void {
    Object.assign(task, { state, worker })
  }
}

function isUnfinished({ state }: ModelTask): boolean {
  return state === 'waiting' || state === 'running'
}
