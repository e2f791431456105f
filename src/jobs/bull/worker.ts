import type { Job as BullJob, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import { UnsupportedError } from '../../media/errors.ts'
import type { Logger } from '../../media/ports.ts'
import { failureText, JobLostError } from '../failure.ts'
import type { JobHandler, JobResult } from '../job.ts'
import { JobRun } from '../job-run.ts'
import { Nap } from '../nap.ts'
import { KEEP_DEAD_MS, KEEP_DONE_MS, MAX_TRIES, type QueueTiming, retryDelayMs } from '../queue-timing.ts'
import { isDeadWorker, workerId } from '../worker-id.ts'
import { type BullConnection, type BullPackages, QUEUE_NAME } from './connection.ts'
import type { Fates } from './fates.ts'
import { bullIdOf, dataOf, spentTriesOf } from './status.ts'

/** Finished jobs that are kept at most. */
const MAX_DONE = 10_000
const MAX_DEAD = 10_000
/** How long a close waits for Redis alone. */
const IDLE_CLOSE_MS = 1000

/** What a worker needs. */
export interface BullWorkerOptions {
  readonly connection: BullConnection
  readonly fates: Fates
  readonly node: string
  readonly handler: JobHandler
  /** Jobs at a time. */
  readonly concurrency: number
  readonly timing: QueueTiming
  readonly logger: Logger
}

/** Does jobs of BullMQ's queue in this process. */
export class BullWorker {
  readonly #options: BullWorkerOptions
  readonly #id: string
  readonly #running = new Map<string, JobRun>()
  readonly #starting: Promise<void>
  #worker: Worker | undefined
  #isClosed = false

  constructor(options: BullWorkerOptions) {
    this.#options = options
    this.#id = workerId(options.node)
    this.#starting = this.#start().catch((error: unknown) => options.connection.failed(error))
  }

  /** Somebody in this process cancelled it. */
  cancelled(jobId: string): void {
    this.#running.get(jobId)?.end('cancelled')
  }

  /** What runs is aborted and put back. Waits for it, but not for ever. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const run of this.#running.values()) run.end('stopped')
    const { closeMs } = this.#options.timing
    const patienceMs = this.#running.size > 0 ? closeMs : Math.min(closeMs, IDLE_CLOSE_MS)
    const patience = new Nap()
    const closing = this.#starting.then(() => this.#worker?.close()).then(() => patience.end())
    await Promise.race([closing, patience.sleep(patienceMs)])
    if (this.#running.size > 0) {
      this.#options.logger.warn({ jobs: [...this.#running.keys()] }, 'jobs did not end in time; others do them later')
    }
  }

  async #start(): Promise<void> {
    const { connection, concurrency, timing } = this.#options
    const packages = await connection.packages()
    const client = await connection.patient()
    await this.#freeDead()
    if (this.#isClosed) return
    const process = (bull: BullJob, token?: string): Promise<JobResult> => this.#do(packages, client, bull, token ?? '')
    const worker = new packages.bullmq.Worker(QUEUE_NAME, process, {
      connection: client,
      prefix: connection.bullPrefix,
      name: this.#id,
      concurrency,
      skipVersionCheck: true,
      lockDuration: timing.leaseMs,
      stalledInterval: timing.leaseMs / 2,
      maxStalledCount: Number.MAX_SAFE_INTEGER, // we count: a death is a try like others
      runRetryDelay: timing.idleMs,
      removeOnComplete: { age: KEEP_DONE_MS / 1000, count: MAX_DONE },
      removeOnFail: { age: KEEP_DEAD_MS / 1000, count: MAX_DEAD },
      settings: { backoffStrategy: (failures = 1) => retryDelayMs(failures, timing) },
    })
    worker.on('error', (error) => connection.complained(error))
    worker.on('lockRenewalFailed', (bullIds) => this.#lost(bullIds))
    this.#worker = worker
  }

  #lost(bullIds: readonly string[]): void {
    for (const run of this.#running.values()) if (bullIds.includes(bullIdOf(run.job.job_id))) run.end('lost')
  }

  /** One try, as BullMQ asks for it: what it throws says what is to become of the job. */
  async #do({ bullmq }: BullPackages, client: Redis, bull: BullJob, token: string): Promise<JobResult> {
    const { fates, handler, logger } = this.#options
    const data = dataOf(bull)
    if (data === undefined) {
      const error = new UnsupportedError('it is no job that this version knows; was it added by a later one?')
      throw new bullmq.UnrecoverableError(failureText(error))
    }
    const id = data.job.job_id
    const earlier = await fates.read(client, id)
    if (earlier?.fate === 'cancelled') return this.#drop(bullmq, client, bull)
    if (earlier !== undefined) await fates.forget(client, id) // of a try whose worker died, or of an earlier life
    const tries = spentTriesOf(bull, data)
    if (tries >= MAX_TRIES) throw new bullmq.UnrecoverableError(failureText(new JobLostError(tries)))

    const run = new JobRun(data.job)
    this.#running.set(id, run)
    if (this.#isClosed) run.end('stopped')
    const tending = this.#tend(client, bull, run)
    try {
      const outcome = await run.run(handler, logger)
      tending.end()
      const facts = { job: id, kind: data.job.kind, recording: data.job.recording_id }
      switch (outcome.kind) {
        case 'done':
          if ((await client.get(this.#lockKey(bull))) !== token) throw new bullmq.WaitingError('another worker has it')
          if (!(await fates.claimDone(client, id))) return await this.#drop(bullmq, client, bull)
          return outcome.result
        case 'stopped':
          await bull.moveToWait(token)
          throw new bullmq.WaitingError('put back: its worker stopped')
        case 'lost':
          logger.warn(facts, 'another worker took this job: our lease was over')
          throw new bullmq.WaitingError('another worker has it')
        case 'cancelled':
          logger.info(facts, 'job cancelled')
          return await this.#drop(bullmq, client, bull)
        case 'failed': {
          if ((await fates.read(client, id))?.fate === 'cancelled') return await this.#drop(bullmq, client, bull)
          const isDead = outcome.isFinal || tries + 1 >= MAX_TRIES
          logger.warn({ ...facts, err: outcome.error, tries: tries + 1 }, isDead ? 'job failed for good' : 'job failed')
          const text = failureText(outcome.error)
          throw isDead ? new bullmq.UnrecoverableError(text) : new Error(text)
        }
        default:
          return outcome satisfies never
      }
    } finally {
      this.#running.delete(id)
      tending.end()
    }
  }

  /** A cancelled job leaves BullMQ: its fate is all that is kept. */
  async #drop(bullmq: BullPackages['bullmq'], client: Redis, bull: BullJob): Promise<never> {
    await client.del(this.#lockKey(bull)) // what is locked cannot be removed
    await bull.remove()
    throw new bullmq.WaitingError('cancelled')
  }

  /** Notes progress, and looks whether somebody cancelled the job. */
  #tend(client: Redis, bull: BullJob, run: JobRun): { end(): void } {
    const { connection, fates, timing } = this.#options
    const ended = new Nap()
    let isOver = false
    const tending = async (): Promise<void> => {
      while (!isOver) {
        const progress = run.takeProgress(timing.progressMs)
        if (progress !== undefined) await bull.updateProgress({ ...progress })
        if ((await fates.read(client, run.job.job_id))?.fate === 'cancelled') return run.end('cancelled')
        if (!isOver) await ended.sleep(timing.lookMs)
      }
    }
    tending().catch((error: unknown) => connection.failed(error))
    return {
      end: () => {
        isOver = true
        ended.end()
      },
    }
  }

  /** What workers of this node left that are no more can be done at once. Waits for Redis as long as it takes. */
  async #freeDead(): Promise<void> {
    const { connection, node, timing } = this.#options
    const free = (): Promise<boolean> =>
      connection.call(async (queue, client) => {
        for (const bull of await queue.getActive(0, 1000)) {
          if (bull.processedBy === undefined || !isDeadWorker(bull.processedBy, node, this.#id)) continue
          const data = dataOf(bull)
          const token = await client.get(this.#lockKey(bull))
          if (data === undefined || token === null) continue // its lease is over: it is taken for stalled soon
          await bull.updateData({ ...data, lost: data.lost + 1 })
          await bull.moveToWait(token)
        }
        return true
      })
    while (!this.#isClosed) {
      const isFree = await free().catch((error: unknown) => connection.failed(error))
      if (isFree) return
      await new Nap().sleep(timing.idleMs)
    }
  }

  #lockKey(bull: BullJob): string {
    return this.#options.connection.bullKey(`${bull.id}:lock`)
  }
}
