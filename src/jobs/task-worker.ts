import { UnsupportedError } from '../media/errors.ts'
import { isDoneWithin } from '../media/patience.ts'
import type { Logger } from '../media/ports.ts'
import type { Task, TaskOutcome, TaskStore } from '../state/task-store.ts'
import { WORKER_LOST } from '../state/task-text.ts'
import { failureText, JobLostError } from './failure.ts'
import type { Job, JobHandler } from './job.ts'
import { type JobProgress, JobRun, type RunOutcome } from './job-run.ts'
import { Nap } from './nap.ts'
import { MAX_TRIES, type QueueTiming, retryDelayMs } from './queue-timing.ts'
import { JOB_QUEUE, jobOf, noteOf, PUT_BACK, spentTries, taskIdOf } from './task-status.ts'
import { beginWorker, endWorker, isDeadWorker } from './worker-id.ts'

/** What a worker needs, and whom it tells. */
export interface TaskWorkerOptions {
  readonly node: string
  readonly handler: JobHandler
  /** Jobs at a time. */
  readonly concurrency: number
  readonly timing: QueueTiming
  readonly logger: Logger
  readonly told: {
    progress(job: Job, progress: JobProgress): void
    /** The task came to an end of its own, or may have. */
    finished(jobId: string): void
  }
}

/** Does jobs of a task store in this process. */
export class TaskWorker {
  readonly #id: string
  readonly #tasks: TaskStore
  readonly #options: TaskWorkerOptions
  readonly #running = new Map<string, { readonly run: JobRun; readonly over: Promise<void> }>()
  readonly #nap = new Nap()
  readonly #looping: Promise<void>
  #isClosed = false
  /** The store was away when it was last asked. */
  #isAway = false

  constructor(tasks: TaskStore, options: TaskWorkerOptions) {
    this.#id = beginWorker(options.node)
    this.#tasks = tasks
    this.#options = options
    this.#looping = this.#loop()
  }

  /** There may be work. */
  wake(): void {
    this.#nap.end()
  }

  /** Somebody in this process cancelled it. */
  cancelled(jobId: string): void {
    this.#running.get(taskIdOf(jobId))?.run.end('cancelled')
  }

  /** What runs is aborted and put back. Waits for it, but not for ever. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.wake()
    await this.#looping
    for (const { run } of this.#running.values()) run.end('stopped')
    const over = Promise.all([...this.#running.values()].map((each) => each.over))
    await isDoneWithin(over, this.#options.timing.closeMs)
    endWorker(this.#id)
    if (this.#running.size > 0) {
      this.#options.logger.warn({ jobs: [...this.#running.keys()] }, 'jobs did not end in time; others do them later')
    }
  }

  async #loop(): Promise<void> {
    let hasFreed = false
    while (!this.#isClosed) {
      const wakesAtMs = await this.#attempt(async () => {
        if (!hasFreed) await this.#freeDead()
        hasFreed = true
        return this.#claim()
      })
      if (this.#isClosed) break
      const { idleMs } = this.#options.timing
      await this.#nap.sleep(Math.min(idleMs, Math.max(1, (wakesAtMs ?? Number.POSITIVE_INFINITY) - Date.now())))
    }
  }

  /** Takes what it may. Returns when there is more to take. */
  async #claim(): Promise<number | undefined> {
    const { concurrency, timing } = this.#options
    const free = concurrency - this.#running.size
    if (free <= 0) return undefined
    const dueAtMs = await this.#tasks.nextDueMs(JOB_QUEUE) // asking costs less than taking, which locks the database
    if (dueAtMs === undefined || dueAtMs > Date.now()) return dueAtMs
    const claim = { leaseMs: timing.leaseMs, limit: free, nowMs: Date.now() }
    const tasks = await this.#tasks.claim(JOB_QUEUE, this.#id, claim)
    for (const task of tasks) this.#begin(task)
    return this.#running.size < concurrency ? this.#tasks.nextDueMs(JOB_QUEUE) : undefined
  }

  #begin(task: Task): void {
    const job = jobOf(task)
    if (job === undefined) {
      const error = new UnsupportedError('it is no job that this version knows; was it added by a later one?')
      void this.#settle(task.id, { kind: 'dead', error: failureText(error) })
      return
    }
    const run = new JobRun(job)
    if (this.#isClosed) run.end('stopped')
    const over = this.#do(task, run).finally(() => {
      this.#running.delete(task.id)
      this.wake()
    })
    this.#running.set(task.id, { run, over })
  }

  async #do(task: Task, run: JobRun): Promise<void> {
    const tries = spentTries(task)
    if (tries >= MAX_TRIES) {
      const error = failureText(new JobLostError(tries))
      return this.#settle(task.id, { kind: 'dead', error }, run.job)
    }
    const tending = this.#tend(task, run)
    const outcome = await run.run(this.#options.handler, this.#options.logger)
    await tending.end()
    await this.#conclude(task, run, outcome, tries)
  }

  /** Renews the lease, notes progress, and looks whether the task is ours still. */
  #tend(task: Task, run: JobRun): { end(): Promise<void> } {
    const { leaseMs, lookMs, progressMs } = this.#options.timing
    const ended = new Nap()
    let isOver = false
    const tending = async (): Promise<void> => {
      let renewedAtMs = Number.NEGATIVE_INFINITY
      while (!isOver) {
        const progress = run.takeProgress(progressMs)
        if (progress !== undefined) this.#options.told.progress(run.job, progress)
        const isDue = performance.now() - renewedAtMs >= leaseMs / 3
        const isOurs = await this.#attempt(() => (isDue || progress ? this.#renew(task, run) : this.#isOurs(task.id)))
        if (isOurs === true && (isDue || progress)) renewedAtMs = performance.now()
        if (isOurs === false) return run.end((await this.#isCancelled(task.id)) ? 'cancelled' : 'lost')
        if (!isOver) await ended.sleep(lookMs)
      }
    }
    const over = tending()
    return {
      end: () => {
        isOver = true
        ended.end()
        return over
      },
    }
  }

  #renew(task: Task, run: JobRun): Promise<boolean> {
    return this.#tasks.extend(task.id, this.#id, this.#options.timing.leaseMs, { worker: this.#id, ...run.progress })
  }

  async #isOurs(id: string): Promise<boolean> {
    const task = await this.#tasks.get(id)
    if (task?.state !== 'running') return false
    const worker = noteOf(task)?.worker
    return worker === undefined || worker === this.#id
  }

  async #isCancelled(id: string): Promise<boolean> {
    return (await this.#attempt(() => this.#tasks.get(id)))?.state === 'cancelled'
  }

  async #conclude(task: Task, run: JobRun, outcome: RunOutcome, tries: number): Promise<void> {
    const { logger, told, timing } = this.#options
    const { job } = run
    const facts = { job: job.job_id, kind: job.kind, recording: job.recording_id }
    switch (outcome.kind) {
      case 'done':
        return this.#settle(task.id, { kind: 'done', result: outcome.result }, job)
      case 'stopped':
        return this.#settle(task.id, { kind: 'retry', dueAtMs: Date.now(), error: PUT_BACK }, job)
      case 'cancelled':
        logger.info(facts, 'job cancelled')
        return told.finished(job.job_id)
      case 'lost':
        return logger.warn(facts, 'another worker took this job: our lease was over')
      case 'failed': {
        const text = failureText(outcome.error)
        const isDead = outcome.isFinal || tries + 1 >= MAX_TRIES
        logger.warn({ ...facts, err: outcome.error, tries: tries + 1 }, isDead ? 'job failed for good' : 'job failed')
        if (isDead) return this.#settle(task.id, { kind: 'dead', error: text }, job)
        const dueAtMs = Date.now() + retryDelayMs(tries + 1, timing)
        return this.#settle(task.id, { kind: 'retry', dueAtMs, error: text }, job)
      }
      default:
        outcome satisfies never
    }
  }

  /** As long as it takes; while stopping, once. What cannot be noted is done again by whoever finds the lease over. */
  async #settle(id: string, outcome: TaskOutcome, job?: Job): Promise<void> {
    for (;;) {
      const isSettled = await this.#attempt(() => this.#tasks.settle(id, this.#id, outcome))
      if (isSettled !== undefined) {
        if (job !== undefined) this.#options.told.finished(job.job_id)
        return
      }
      if (this.#isClosed) return
      await new Nap().sleep(this.#options.timing.idleMs)
    }
  }

  /** What workers of this node left that are no more can be done at once. */
  async #freeDead(): Promise<void> {
    const left = await this.#tasks.list({ queue: JOB_QUEUE, states: ['running'], limit: 1000 })
    for (const task of left) {
      const worker = noteOf(task)?.worker
      if (worker === undefined || !isDeadWorker(worker, this.#options.node)) continue
      await this.#tasks.settle(task.id, worker, { kind: 'retry', dueAtMs: Date.now(), error: WORKER_LOST })
    }
  }

  /** Undefined when the store is away, which is logged once. */
  async #attempt<T>(call: () => Promise<T>): Promise<T | undefined> {
    try {
      const value = await call()
      this.#isAway = false
      return value
    } catch (error) {
      if (!this.#isAway) this.#options.logger.warn({ err: error }, 'the queue of jobs cannot be reached; trying again')
      this.#isAway = true
      return undefined
    }
  }
}
