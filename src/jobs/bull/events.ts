import type { QueueEvents } from 'bullmq'
import type { Logger } from '../../media/ports.ts'
import type { Job, JobListener, JobStatus } from '../job.ts'
import { type BullConnection, QUEUE_NAME } from './connection.ts'
import { jobIdOf, progressOf } from './status.ts'

/** Jobs that are remembered, so that progress need not ask what it is the progress of. */
const MAX_KNOWN = 1000
/** Events that came about while following began are told as well, ms. */
const OVERLAP_MS = 1000

/** Tells listeners what becomes of jobs, in whatever process. */
export class BullEvents {
  readonly #connection: BullConnection
  readonly #get: (jobId: string) => Promise<JobStatus | undefined>
  readonly #everyMs: number
  readonly #logger: Logger
  readonly #listeners = new Set<JobListener>()
  readonly #known = new Map<string, Job>()
  /** Ended, and Redis did not say how. */
  readonly #untold = new Set<string>()
  #timer: NodeJS.Timeout | undefined
  #following: Promise<void> | undefined
  #events: QueueEvents | undefined
  #isClosed = false

  constructor(
    connection: BullConnection,
    options: { get: (jobId: string) => Promise<JobStatus | undefined>; everyMs: number; logger: Logger },
  ) {
    this.#connection = connection
    this.#get = options.get
    this.#everyMs = options.everyMs
    this.#logger = options.logger
  }

  /** From the first listener on, events are followed until `close`. */
  listen(listener: JobListener): () => void {
    this.#listeners.add(listener)
    this.#following ??= this.#follow()
    return () => {
      this.#listeners.delete(listener)
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearInterval(this.#timer)
    await this.#events?.close().catch(() => undefined)
  }

  async #follow(): Promise<void> {
    try {
      const { bullmq } = await this.#connection.packages()
      const client = await this.#connection.patient()
      const [seconds] = await client.time()
      if (this.#isClosed) return
      const events = new bullmq.QueueEvents(QUEUE_NAME, {
        connection: client,
        prefix: this.#connection.bullPrefix,
        skipVersionCheck: true,
        lastEventId: `${Number(seconds) * 1000 - OVERLAP_MS}-0`,
      })
      this.#events = events
      events.on('error', (error) => this.#connection.complained(error))
      events.on('progress', ({ jobId, data }) => void this.#progress(jobId, data))
      events.on('completed', ({ jobId }) => this.#ended(jobId))
      events.on('failed', ({ jobId }) => this.#ended(jobId))
      events.on('removed', ({ jobId }) => this.#ended(jobId))
      this.#timer = setInterval(() => this.#tellUntold(), this.#everyMs).unref()
    } catch (error) {
      this.#connection.failed(error) // closed while it waited for Redis
    }
  }

  async #progress(bullId: string, data: unknown): Promise<void> {
    const [jobId, progress] = [jobIdOf(bullId), progressOf(data)]
    if (jobId === undefined || progress === undefined || this.#listeners.size === 0) return
    const job = this.#known.get(jobId) ?? (await this.#get(jobId).catch(() => undefined))?.job
    if (job === undefined) return
    const [oldest] = this.#known.keys()
    if (this.#known.size >= MAX_KNOWN && oldest !== undefined) this.#known.delete(oldest)
    this.#known.set(jobId, job)
    this.#tell((listener) => listener.progress?.(job, progress.percent, progress.eta_seconds))
  }

  #ended(bullId: string): void {
    const jobId = jobIdOf(bullId)
    if (jobId === undefined) return
    this.#known.delete(jobId)
    void this.#finish(jobId)
  }

  async #finish(jobId: string): Promise<void> {
    try {
      const status = await this.#get(jobId)
      this.#untold.delete(jobId)
      if (status === undefined || status.state === 'waiting' || status.state === 'running') return
      this.#tell((listener) => listener.finished?.(status))
    } catch {
      this.#untold.add(jobId)
    }
  }

  #tellUntold(): void {
    for (const jobId of this.#untold) void this.#finish(jobId)
  }

  #tell(call: (listener: JobListener) => void): void {
    for (const listener of this.#listeners) {
      try {
        call(listener)
      } catch (error) {
        this.#logger.error({ err: error }, 'a listener of the queue of jobs failed')
      }
    }
  }
}
