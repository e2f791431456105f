import type { Logger } from '../../media/ports.ts'
import { DamageLog } from '../entry-text.ts'
import type { NewTask, Task, TaskCounts, TaskOutcome, TaskState, TaskStore } from '../task-store.ts'
import { parseTask, TASK_FIELDS, writePayload } from '../task-text.ts'
import type { RedisLink } from './link.ts'
import {
  ADD,
  CANCEL,
  CLAIM,
  COUNTS,
  EXTEND,
  GET,
  LIST,
  NEXT_DUE,
  PRUNE,
  PRUNE_BATCH,
  REQUEUE,
  SETTLE,
} from './task-scripts.ts'

const MAX_PAGE = 10_000

/** Durable queues in Redis. */
export class RedisTasks implements TaskStore {
  readonly #link: RedisLink
  readonly #damage: DamageLog

  constructor(link: RedisLink, logger: Logger) {
    this.#link = link
    this.#damage = new DamageLog(logger)
  }

  async add(task: NewTask): Promise<void> {
    const { id, queue, key, priority, dueAtMs, expiresAtMs } = task
    const times = [dueAtMs, expiresAtMs ?? '', Date.now()]
    await this.#link.run(ADD, id, queue, marked(key), priority, writePayload(task), ...times)
  }

  async claim(
    queue: string,
    worker: string,
    { leaseMs, limit, nowMs }: { leaseMs: number; limit: number; nowMs: number },
  ): Promise<Task[]> {
    const at = new Date(nowMs).toISOString()
    return this.#tasks(await this.#link.run(CLAIM, queue, worker, leaseMs, limit, nowMs, at))
  }

  async extend(id: string, worker: string, leaseMs: number, progress?: unknown): Promise<boolean> {
    const noted = progress === undefined ? '' : JSON.stringify(progress)
    return (await this.#link.run(EXTEND, id, worker, Date.now() + leaseMs, noted)) === 1
  }

  /** Once more by the same worker is true again: the answer to the first may have been lost. */
  async settle(id: string, worker: string, outcome: TaskOutcome): Promise<boolean> {
    const said = outcome.kind === 'done' ? JSON.stringify(outcome.result ?? null) : outcome.error
    const dueAtMs = outcome.kind === 'retry' ? outcome.dueAtMs : 0
    return (await this.#link.run(SETTLE, id, worker, outcome.kind, said, dueAtMs, Date.now())) === 1
  }

  async cancel(id: string): Promise<boolean> {
    return (await this.#link.run(CANCEL, id, Date.now())) === 1
  }

  async requeue(id: string, { nowMs, expiresAtMs }: { nowMs: number; expiresAtMs: number | null }): Promise<boolean> {
    return (await this.#link.run(REQUEUE, id, nowMs, expiresAtMs ?? '')) === 1
  }

  async get(id: string): Promise<Task | undefined> {
    const fields = named(await this.#link.run(GET, id))
    return fields.id === null ? undefined : parseTask(fields)
  }

  async list(query: { queue: string; states?: readonly TaskState[]; key?: string; limit: number }): Promise<Task[]> {
    const { queue, states, key, limit } = query
    if (states?.length === 0) return []
    const page = Math.min(Math.max(1, limit), MAX_PAGE)
    return this.#tasks(await this.#link.run(LIST, queue, page, marked(key ?? null), ...new Set(states)))
  }

  async counts(queue: string): Promise<TaskCounts> {
    const reply = await this.#link.run(COUNTS, queue)
    const [waiting = 0, running = 0, dead = 0] = Array.isArray(reply) ? reply.map(Number) : []
    return { waiting, running, dead }
  }

  async nextDueMs(queue: string): Promise<number | undefined> {
    const reply = await this.#link.run(NEXT_DUE, queue)
    return typeof reply === 'string' ? Number(reply) : undefined
  }

  async prune(queue: string, finishedBeforeMs: number): Promise<void> {
    while ((await this.#link.run(PRUNE, queue, finishedBeforeMs)) === PRUNE_BATCH) {
      // there is more
    }
  }

  #tasks(reply: unknown): Task[] {
    if (!Array.isArray(reply)) return []
    return reply.flatMap((values: unknown) => this.#damage.attempt(() => parseTask(named(values))) ?? [])
  }
}

/** Null and the empty text are not the same key. */
function marked(key: string | null): string {
  return key === null ? '-' : `k${key}`
}

function named(values: unknown): Record<string, unknown> {
  const list: unknown[] = Array.isArray(values) ? values : []
  return Object.fromEntries(TASK_FIELDS.map((name, i) => [name, list[i] ?? null]))
}
