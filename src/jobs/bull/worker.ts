import type { Job as BullJob, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import { UnsupportedError } from '../../media/errors.ts'
import { isDoneWithin } from '../../media/patience.ts'
import type { Logger } from '../../media/ports.ts'
import { failureText, JobLostError } from '../failure.ts'
import type { Job, JobHandler, JobResult } from '../job.ts'
import { JobRun, type RunOutcome } from '../job-run.ts'
import { Nap } from '../nap.ts'
import { KEEP_DEAD_MS, KEEP_DONE_MS, MAX_TRIES, type QueueTiming, retryDelayMs } from '../queue-timing.ts'
import { beginWorker, endWorker, isDeadWorker } from '../worker-id.ts'
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

/** One try of one job. */
interface Turn {
  readonly bullmq: BullPackages['bullmq']
  readonly client: Redis
  readonly bull: BullJob
  /** Of its lock. */
  readonly token: string
  readonly job: Job
  /** That count against it already. */
  readonly tries: number
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
    this.#id = beginWorker(options.node)
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
    const closing = this.#starting.then(() => this.#worker?.close())
    await isDoneWithin(closing, patienceMs)
    endWorker(this.#id)
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
    const process = (bull: BullJob, token?: string): Promise<JobResult> =>
      this.#take(packages, client, bull, token ?? '')
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

  /** One try, as BullMQ asks for it: what is thrown says what is to become of the job. */
  async #take({ bullmq }: BullPackages, client: Redis, bull: BullJob, token: string): Promise<JobResult> {
    const data = dataOf(bull)
    if (data === undefined) {
      const error = new UnsupportedError('it is no job that this version knows; was it added by a later one?')
      throw new bullmq.UnrecoverableError(failureText(error))
    }
    const turn: Turn = { bullmq, client, bull, token, job: data.job, tries: spentTriesOf(bull, data) }
    const { fates } = this.#options
    const earlier = await fates.read(client, turn.job.job_id)
    if (earlier?.fate === 'cancelled') return this.#drop(turn)
    if (earlier !== undefined) await fates.forget(client, turn.job.job_id) // of a try whose worker died, or an earlier life
    if (turn.tries >= MAX_TRIES) throw new bullmq.UnrecoverableError(failureText(new JobLostError(turn.tries)))
    return this.#do(turn)
  }

  async #do(turn: Turn): Promise<JobResult> {
    const { handler, logger } = this.#options
    const run = new JobRun(turn.job)
    const id = turn.job.job_id
    this.#running.set(id, run)
    if (this.#isClosed) run.end('stopped')
    const tending = this.#tend(turn, run)
    try {
      const outcome = await run.run(handler, logger)
      tending.end()
      return await this.#conclude(turn, outcome)
    } finally {
      tending.end()
      this.#running.delete(id)
    }
  }

  async #conclude(turn: Turn, outcome: RunOutcome): Promise<JobResult> {
    const { fates, logger } = this.#options
    const { bullmq, client, bull, token, job } = turn
    const facts = { job: job.job_id, kind: job.kind, recording: job.recording_id }
    switch (outcome.kind) {
      case 'done':
        if ((await client.get(this.#lockKey(bull))) !== token) throw new bullmq.WaitingError('another worker has it')
        return (await fates.claimDone(client, job.job_id)) ? outcome.result : await this.#drop(turn)
      case 'stopped':
        await bull.moveToWait(token)
        throw new bullmq.WaitingError('put back: its worker stopped')
      case 'lost':
        logger.warn(facts, 'another worker took this job: our lease was over')
        throw new bullmq.WaitingError('another worker has it')
      case 'cancelled':
        logger.info(facts, 'job cancelled')
        return this.#drop(turn)
      case 'failed': {
        if ((await fates.read(client, job.job_id))?.fate === 'cancelled') return this.#drop(turn)
        const tries = turn.tries + 1
        const isDead = outcome.isFinal || tries >= MAX_TRIES
        logger.warn({ ...facts, err: outcome.error, tries }, isDead ? 'job failed for good' : 'job failed')
        const text = failureText(outcome.error)
        throw isDead ? new bullmq.UnrecoverableError(text) : new Error(text)
      }
      default:
        return outcome satisfies never
    }
  }

  /** A cancelled job leaves BullMQ: its fate is all that is kept. */
  async #drop({ bullmq, client, bull }: Turn): Promise<never> {
    await client.del(this.#lockKey(bull)) // what is locked cannot be removed
    await bull.remove()
    throw new bullmq.WaitingError('cancelled')
  }

  /** Notes progress, and looks whether somebody cancelled the job. */
  #tend({ client, bull }: Turn, run: JobRun): { end(): void } {
    const { connection, fates, timing } = this.#options
    const ended = new Nap()
    let isOver = false
    const look = async (): Promise<void> => {
      const progress = run.takeProgress(timing.progressMs)
      if (progress !== undefined) await bull.updateProgress({ ...progress })
      if ((await fates.read(client, run.job.job_id))?.fate === 'cancelled') run.end('cancelled')
    }
    const tending = async (): Promise<void> => {
      while (!isOver) {
        await look().catch((error: unknown) => connection.complained(error))
        if (!isOver) await ended.sleep(timing.lookMs)
      }
    }
    void tending()
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
          if (bull.processedBy === undefined || !isDeadWorker(bull.processedBy, node)) continue
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
