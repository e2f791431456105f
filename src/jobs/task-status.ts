import { z } from 'zod'
import type { NewTask, Task } from '../state/task-store.ts'
import { WORKER_LOST } from '../state/task-text.ts'
import { type Failure, parseFailure } from './failure.ts'
import { type Job, type JobStatus, jobResultSchema, jobSchema } from './job.ts'

/** The queue of jobs among those of the task store. */
export const JOB_QUEUE = 'jobs'
/** What the log says of a try that was broken off because its worker stopped: it does not count as one. */
export const PUT_BACK = 'put back: its worker stopped'

/** What a worker notes of a task that it runs. */
const noteSchema = z.object({
  worker: z.string(),
  percent: z.number().min(0).max(100),
  eta_seconds: z.number().nonnegative().nullable(),
})
/** See `noteSchema`. */
export type WorkerNote = z.output<typeof noteSchema>

/** The task's id for a job's: ids of tasks are unique over all queues. */
export function taskIdOf(jobId: string): string {
  return `${JOB_QUEUE}:${jobId}`
}

/** A job as the task store takes it. */
export function taskOf(job: Job, nowMs: number): NewTask {
  return {
    id: taskIdOf(job.job_id),
    queue: JOB_QUEUE,
    key: null,
    priority: job.priority,
    payload: job,
    dueAtMs: nowMs,
    expiresAtMs: null,
  }
}

/** Undefined when what was stored is no job that this version knows. */
export function jobOf(task: Task): Job | undefined {
  return jobSchema.safeParse(task.payload).data
}

/** What the worker of a running task noted last. */
export function noteOf(task: Task): WorkerNote | undefined {
  return noteSchema.safeParse(task.progress).data
}

/** Undefined when what was stored is no job that this version knows. */
export function statusOf(task: Task): JobStatus | undefined {
  const job = jobOf(task)
  if (job === undefined) return undefined
  const note = task.state === 'running' ? noteOf(task) : undefined
  const failed = task.log.findLast(({ error }) => error !== null && error !== PUT_BACK)?.error ?? undefined
  return {
    job,
    state: task.state,
    percent: task.state === 'done' ? 100 : (note?.percent ?? 0),
    etaSeconds: note?.eta_seconds ?? null,
    attempts: task.attempts,
    error: failed === undefined ? undefined : failureOf(failed),
    result: task.state === 'done' ? jobResultSchema.safeParse(task.result).data : undefined,
  }
}

/**
 * How many tries of a task that was just claimed count against it: those that failed, or whose worker died, since it was
 * last asked for. Every try but the present one stands in the log.
 */
export function spentTries(task: Task): number {
  const since = task.log.slice(Math.max(0, task.log.length - (task.attempts - 1)))
  return since.filter(({ error }) => error !== null && error !== PUT_BACK).length
}

function failureOf(text: string): Failure {
  return text === WORKER_LOST ? { code: 'TD_JOB_LOST', message: text } : parseFailure(text)
}
