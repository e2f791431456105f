import type { Job as BullJob, Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import { MisuseError } from '../../media/errors.ts'
import type { Logger } from '../../media/ports.ts'
import { StateAwayError } from '../../state/errors.ts'
import type { Job, JobHandler, JobListener, JobQueue, JobState, JobStatus } from '../job.ts'
import { Nap } from '../nap.ts'
import { MAX_TRIES, QUEUE_TIMING, type QueueTiming } from '../queue-timing.ts'
import { BullConnection } from './connection.ts'
import { BullEvents } from './events.ts'
import { type CancelledFate, Fates, isCancelled } from './fates.ts'
import { type BullData, bullIdOf, cancelledStatusOf, dataOf, stateOf, statusOf } from './status.ts'
import { BullWorker } from './worker.ts'

/** Where BullMQ keeps the jobs of each of our states. */
const PLACES = {
  waiting: ['wait', 'prioritized', 'delayed'],
  running: ['active'],
  done: ['completed'],
  dead: ['failed'],
} as const
const MAX_LISTED = 1000
/** BullMQ's highest priority is 1, and 0 none at all; ours is 100. */
const PRIORITY_OF_ZERO = 101
/** How long a retry waits for the worker of a job that was cancelled; between two looks, ms. */
const LET_GO_MS = 1500
const LET_GO_LOOK_MS = 25

/** What a queue on BullMQ needs to know. */
export interface BullJobQueueOptions {
  readonly redisUrl: string
  /** What all keys in Redis begin with. */
  readonly prefix: string
  /** Of this server among those that share its state. */
  readonly node: string
  readonly logger: Logger
  readonly timing?: Partial<QueueTiming>
}

/** The queue of jobs on BullMQ: workers may be anywhere where the recordings are mounted. */
export class BullJobQueue implements JobQueue {
  readonly #options: BullJobQueueOptions
  readonly #timing: QueueTiming
  readonly #connection: BullConnection
  readonly #fates: Fates
  readonly #events: BullEvents
  #worker: BullWorker | undefined
  #addedAtMs = 0
  #closing: Promise<void> | undefined

  constructor(options: BullJobQueueOptions) {
    this.#options = options
    this.#timing = { ...QUEUE_TIMING, ...options.timing }
    this.#connection = new BullConnection(options.redisUrl, options.prefix, options.logger)
    this.#fates = new Fates((name) => this.#connection.key(name))
    this.#events = new BullEvents(this.#connection, {
      get: (jobId) => this.get(jobId),
      everyMs: this.#timing.idleMs,
      logger: options.logger,
    })
  }

  add(job: Job): Promise<void> {
    return this.#connection.call(async (queue, client) => {
      if (!isCancelled(await this.#fates.read(client, job.job_id))) await this.#enter(queue, job)
    })
  }

  get(jobId: string): Promise<JobStatus | undefined> {
    return this.#connection.call(async (queue, client) => {
      const fate = await this.#fates.read(client, jobId)
      if (isCancelled(fate)) return cancelledStatusOf(fate)
      const state = stateOf(await queue.getJobState(bullIdOf(jobId))) // first: what comes with it is there then
      const bull = state === undefined ? undefined : await find(queue, jobId)
      return bull === undefined || state === undefined ? undefined : statusOf(bull, state)
    })
  }

  list({ states, limit }: { states?: readonly JobState[]; limit: number }): Promise<JobStatus[]> {
    return this.#connection.call(async (queue, client) => {
      const byId = new Map<string, { atMs: number; status: JobStatus }>() // a job that moves on meanwhile is listed once
      for (const state of ['waiting', 'running', 'done', 'dead'] as const) {
        if (states !== undefined && !states.includes(state)) continue
        const bulls = await queue.getJobs([...PLACES[state]], 0, MAX_LISTED - 1)
        for (const bull of bulls) {
          const status = statusOf(bull, state)
          if (status !== undefined) byId.set(status.job.job_id, { atMs: bull.timestamp, status })
        }
      }
      const found = [...byId.values()]
      const fates = await this.#fates.readAll(client, [...byId.keys()])
      const listed = found.filter((_, index) => !isCancelled(fates[index]))
      if (states === undefined || states.includes('cancelled')) {
        for (const fate of await this.#fates.cancelled(client, limit)) {
          listed.push({ atMs: fate.added_ms, status: cancelledStatusOf(fate) })
        }
      }
      return listed
        .sort((a, b) => b.atMs - a.atMs)
        .slice(0, limit)
        .map(({ status }) => status)
    })
  }

  async cancel(jobId: string): Promise<boolean> {
    const isDone = await this.#connection.call(async (queue, client) => {
      if (isCancelled(await this.#fates.read(client, jobId))) return false
      const bull = await find(queue, jobId)
      const data = bull === undefined ? undefined : dataOf(bull)
      const state = bull === undefined ? undefined : stateOf(await bull.getState())
      if (bull === undefined || data === undefined || (state !== 'waiting' && state !== 'running')) return false
      const fate: CancelledFate = {
        fate: 'cancelled',
        job: data.job,
        added_ms: bull.timestamp,
        attempts: bull.attemptsStarted,
        error: bull.failedReason ?? null,
      }
      if (!(await this.#fates.cancel(client, fate, state === 'running'))) return false
      await queue.remove(bullIdOf(jobId)) // while it runs it cannot be: its worker does it
      return true
    })
    if (isDone) this.#worker?.cancelled(jobId)
    return isDone
  }

  async retry(jobId: string): Promise<boolean> {
    const isAgain = await this.#connection.call(async (queue, client) => {
      const fate = await this.#fates.read(client, jobId)
      if (isCancelled(fate)) return this.#enterAgain(queue, client, fate)
      const bull = await find(queue, jobId)
      const data = bull === undefined ? undefined : dataOf(bull)
      if (bull === undefined || data === undefined || (await bull.getState()) !== 'failed') return false
      await bull.updateData({ ...data, forgiven: bull.stalledCounter + data.lost } satisfies BullData)
      await bull.retry('failed', { resetAttemptsMade: true, resetAttemptsStarted: true })
      return true
    })
    return isAgain
  }

  depth(): Promise<{ readonly waiting: number; readonly running: number; readonly dead: number }> {
    return this.#connection.call(async (queue) => {
      const counts = await queue.getJobCounts(...Object.values(PLACES).flat())
      const sum = (places: readonly string[]): number => places.reduce((all, place) => all + (counts[place] ?? 0), 0)
      return { waiting: sum(PLACES.waiting), running: sum(PLACES.running), dead: sum(PLACES.dead) }
    })
  }

  listen(listener: JobListener): () => void {
    return this.#events.listen(listener)
  }

  work(handler: JobHandler, { concurrency }: { concurrency: number }): void {
    if (this.#worker !== undefined || this.#closing !== undefined) {
      throw new MisuseError('a queue of jobs begins to work once, before it is closed')
    }
    const { node, logger } = this.#options
    if (concurrency < 1) return
    this.#worker = new BullWorker({
      connection: this.#connection,
      fates: this.#fates,
      node,
      handler,
      concurrency,
      timing: this.#timing,
      logger,
    })
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#worker?.close()
    await this.#events.close()
    this.#connection.close()
  }

  async #enter(queue: Queue, job: Job): Promise<void> {
    this.#addedAtMs = Math.max(Date.now(), this.#addedAtMs + 1) // no two at the same time: lists are ordered by it
    const data: BullData = { job, lost: 0, forgiven: 0 }
    await queue.add(job.kind, data, {
      jobId: bullIdOf(job.job_id),
      timestamp: this.#addedAtMs,
      priority: PRIORITY_OF_ZERO - job.priority,
      attempts: MAX_TRIES,
      backoff: { type: 'ours' },
      stackTraceLimit: 1,
    })
  }

  /** As long as its worker has not let go of it, it waits. */
  async #enterAgain(queue: Queue, client: Redis, fate: CancelledFate): Promise<boolean> {
    const bullId = bullIdOf(fate.job.job_id)
    const deadlineMs = performance.now() + LET_GO_MS
    while ((await queue.getJob(bullId)) !== undefined && (await queue.remove(bullId)) !== 1) {
      if (performance.now() > deadlineMs) throw new StateAwayError(`job ${fate.job.job_id}`, 'its worker ends it still')
      await new Nap().sleep(LET_GO_LOOK_MS)
    }
    await this.#fates.again(client, fate, () => this.#enter(queue, fate.job))
    return true
  }
}

function find(queue: Queue, jobId: string): Promise<BullJob | undefined> {
  return queue.getJob(bullIdOf(jobId))
}
