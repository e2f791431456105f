/** How long things take in a queue; all in ms. Tests have less patience. */
export interface QueueTiming {
  /** A worker that is not heard of for so long has died. */
  readonly leaseMs: number
  /** Between two looks whether a running job was cancelled elsewhere. */
  readonly lookMs: number
  /** Progress is written at most once in this time. */
  readonly progressMs: number
  /** Between two looks for jobs that others added, and for the end of those that others do. */
  readonly idleMs: number
  /** Before the second try; the third waits six times as long. */
  readonly retryMs: number
  /** How long a close waits for running jobs to end. */
  readonly closeMs: number
}

/** What is usual. */
export const QUEUE_TIMING: QueueTiming = {
  leaseMs: 30_000,
  lookMs: 500,
  progressMs: 1000,
  idleMs: 2000,
  retryMs: 5000,
  closeMs: 5000,
}

/** How often a job is begun that fails, or whose worker dies, before it is dead. */
export const MAX_TRIES = 3
/** A job that is done can be asked for at least so long, ms. */
export const KEEP_DONE_MS = 2 * 86_400_000
/** Dead and cancelled ones, ms. */
export const KEEP_DEAD_MS = 30 * 86_400_000

const BACKOFF_FACTOR = 6
/** Jobs that failed together shall not be tried together: each wait is longer by up to this share. */
const JITTER = 0.2

/** How long to wait after the `failures`-th failure, ms: 5 s, 30 s by default. */
export function retryDelayMs(failures: number, timing: QueueTiming): number {
  return Math.round(timing.retryMs * BACKOFF_FACTOR ** (failures - 1) * (1 + JITTER * Math.random()))
}
