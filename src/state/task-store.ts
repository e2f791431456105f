/** `dead`: given up, kept for looking at. */
export type TaskState = 'waiting' | 'running' | 'done' | 'dead' | 'cancelled'

/** Work to be done at least once. */
export interface NewTask {
  /** Unique for ever: adding it twice adds it once. */
  readonly id: string
  readonly queue: string
  /** Tasks of a queue with the same key run one after the other in the order they were added; null for no order. */
  readonly key: string | null
  /** Higher goes first, among tasks without a key or heads of their keys. */
  readonly priority: number
  /** JSON, at most 256 KiB. */
  readonly payload: unknown
  /** Not before, ms since 1970. */
  readonly dueAtMs: number
  /** Nobody begins it after this: it is dead then. Null for never. */
  readonly expiresAtMs: number | null
}

/** One try. */
export interface TaskAttempt {
  /** ISO 8601, UTC. */
  readonly at: string
  readonly took_ms: number
  /** What came of it: null when it went well. */
  readonly error: string | null
}

/** A task as it is kept. */
export interface Task extends NewTask {
  readonly state: TaskState
  readonly createdAtMs: number
  /** How often it was begun since it was added, or since `requeue`. */
  readonly attempts: number
  /** The latest tries, at most 20. */
  readonly log: readonly TaskAttempt[]
  /** What its worker said last while running. */
  readonly progress: unknown
  /** Of a task that is done. */
  readonly result: unknown
  readonly finishedAtMs: number | null
}

/** How a try ended. */
export type TaskOutcome =
  | { readonly kind: 'done'; readonly result: unknown }
  | { readonly kind: 'retry'; readonly dueAtMs: number; readonly error: string }
  | { readonly kind: 'dead'; readonly error: string }

/** How many tasks of a queue are where. */
export interface TaskCounts {
  readonly waiting: number
  readonly running: number
  readonly dead: number
}

/** A durable queue with leases. Every call is one atomic step; what is claimed by somebody who dies is claimable again. */
export interface TaskStore {
  add(task: NewTask): Promise<void>
  /**
   * Takes up to `limit` due tasks of `queue` for `leaseMs`. Of each key only the oldest unfinished task, and none while one of
   * that key is running. A running task whose lease is over counts as waiting; a waiting one that expired becomes dead.
   */
  claim(queue: string, worker: string, options: { leaseMs: number; limit: number; nowMs: number }): Promise<Task[]>
  /** Holds on to it, and notes progress. False when it is no longer this worker's: cancelled, or taken by another. */
  extend(id: string, worker: string, leaseMs: number, progress?: unknown): Promise<boolean>
  /** False when it was no longer this worker's: nothing is changed then. */
  settle(id: string, worker: string, outcome: TaskOutcome): Promise<boolean>
  /** A waiting or running task; its worker learns of it from `extend`. False when it has come to its end already. */
  cancel(id: string): Promise<boolean>
  /** A task that has come to its end waits again, from now until `expiresAtMs`, after the others of its key. */
  requeue(id: string, options: { nowMs: number; expiresAtMs: number | null }): Promise<boolean>
  get(id: string): Promise<Task | undefined>
  /** Newest first; at most 10,000. */
  list(query: { queue: string; states?: readonly TaskState[]; key?: string; limit: number }): Promise<Task[]>
  counts(queue: string): Promise<TaskCounts>
  /** When the next task of `queue` can be claimed, ms since 1970; undefined when none waits. May be too early, never too late. */
  nextDueMs(queue: string): Promise<number | undefined>
  /** Forgets tasks that came to their end before. */
  prune(queue: string, finishedBeforeMs: number): Promise<void>
}
