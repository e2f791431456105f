import { MisuseError } from '../media/errors.ts'
import type { Logger } from '../media/ports.ts'
import type { TaskStore } from '../state/task-store.ts'
import type { Job, JobHandler, JobListener, JobQueue, JobState, JobStatus } from './job.ts'
import { KEEP_DEAD_MS, QUEUE_TIMING, type QueueTiming } from './queue-timing.ts'
import { JOB_QUEUE, statusOf, taskIdOf, taskOf } from './task-status.ts'
import { TaskWatch } from './task-watch.ts'
import { TaskWorker } from './task-worker.ts'

const PRUNE_EVERY_MS = 3_600_000

/** What an embedded queue needs to know. */
export interface EmbeddedJobQueueOptions {
  /** Of this server among those that share its state. */
  readonly node: string
  readonly logger: Logger
  readonly timing?: Partial<QueueTiming>
}

/** The queue of jobs on the tasks of the state store: nothing else has to run. */
export class EmbeddedJobQueue implements JobQueue {
  readonly #tasks: TaskStore
  readonly #options: EmbeddedJobQueueOptions
  readonly #timing: QueueTiming
  readonly #watch: TaskWatch
  #worker: TaskWorker | undefined
  #pruning: NodeJS.Timeout | undefined
  #closing: Promise<void> | undefined

  constructor(tasks: TaskStore, options: EmbeddedJobQueueOptions) {
    this.#tasks = tasks
    this.#options = options
    this.#timing = { ...QUEUE_TIMING, ...options.timing }
    this.#watch = new TaskWatch(tasks, this.#timing.idleMs, options.logger)
  }

  async add(job: Job): Promise<void> {
    await this.#tasks.add(taskOf(job, Date.now()))
    this.#watch.opened(job.job_id)
    this.#worker?.wake()
  }

  async get(jobId: string): Promise<JobStatus | undefined> {
    const task = await this.#tasks.get(taskIdOf(jobId))
    return task === undefined ? undefined : statusOf(task)
  }

  async list(query: { states?: readonly JobState[]; limit: number }): Promise<JobStatus[]> {
    const tasks = await this.#tasks.list({ queue: JOB_QUEUE, ...query })
    return tasks.map(statusOf).filter((status) => status !== undefined)
  }

  async cancel(jobId: string): Promise<boolean> {
    const isCancelled = await this.#tasks.cancel(taskIdOf(jobId))
    if (isCancelled) {
      this.#worker?.cancelled(jobId)
      await this.#watch.settled(jobId)
    }
    return isCancelled
  }

  async retry(jobId: string): Promise<boolean> {
    const id = taskIdOf(jobId)
    const state = (await this.#tasks.get(id))?.state
    if (state !== 'dead' && state !== 'cancelled') return false
    const waits = await this.#tasks.requeue(id, { nowMs: Date.now(), expiresAtMs: null })
    if (waits) {
      this.#watch.opened(jobId)
      this.#worker?.wake()
    }
    return waits
  }

  depth(): Promise<{ readonly waiting: number; readonly running: number; readonly dead: number }> {
    return this.#tasks.counts(JOB_QUEUE)
  }

  listen(listener: JobListener): () => void {
    return this.#watch.listen(listener)
  }

  work(handler: JobHandler, { concurrency }: { concurrency: number }): void {
    if (this.#worker !== undefined || this.#closing !== undefined) {
      throw new MisuseError('a queue of jobs begins to work once, before it is closed')
    }
    if (concurrency < 1) return
    this.#worker = new TaskWorker(this.#tasks, {
      node: this.#options.node,
      handler,
      concurrency,
      timing: this.#timing,
      logger: this.#options.logger,
      told: {
        progress: (job, progress) => this.#watch.progress(job, progress),
        finished: (jobId) => void this.#watch.settled(jobId),
      },
    })
    this.#prune()
    this.#pruning = setInterval(() => this.#prune(), PRUNE_EVERY_MS).unref()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    clearInterval(this.#pruning)
    await this.#worker?.close()
    this.#watch.close()
  }

  #prune(): void {
    this.#tasks
      .prune(JOB_QUEUE, Date.now() - KEEP_DEAD_MS)
      .catch((error: unknown) => this.#options.logger.debug({ err: error }, 'old jobs are forgotten later'))
  }
}
