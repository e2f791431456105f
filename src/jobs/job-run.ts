import { TapedeckError } from '../media/errors.ts'
import type { Logger } from '../media/ports.ts'
import { JobFailedError } from './failure.ts'
import type { Job, JobHandler, JobResult } from './job.ts'

/** How far a job is, as it is kept in the queue. */
export interface JobProgress {
  /** 0 to 100. */
  readonly percent: number
  readonly eta_seconds: number | null
}

/** Why a run is ended from outside: cancelled by somebody, taken by another worker, or this worker stops. */
export type RunEnd = 'cancelled' | 'lost' | 'stopped'

/** What became of a run. */
export type RunOutcome =
  | { readonly kind: 'done'; readonly result: JobResult }
  | { readonly kind: 'failed'; readonly error: TapedeckError; readonly isFinal: boolean }
  | { readonly kind: RunEnd }

/** One try of one job in this process: `run` once; `end` aborts it. */
export class JobRun {
  readonly job: Job
  readonly #controller = new AbortController()
  readonly #now: () => number
  #end: RunEnd | undefined
  #progress: JobProgress = { percent: 0, eta_seconds: null }
  #isChanged = false
  #takenAtMs = Number.NEGATIVE_INFINITY
  /** Where the rate of progress is measured from. */
  #first: { readonly atMs: number; readonly percent: number } | undefined

  constructor(job: Job, now: () => number = () => performance.now()) {
    this.job = job
    this.#now = now
  }

  get progress(): JobProgress {
    return this.#progress
  }

  /** The first reason counts. */
  end(reason: RunEnd): void {
    if (this.#end !== undefined) return
    this.#end = reason
    this.#controller.abort(new Error(`the job is ${reason}`))
  }

  /** Never rejects. A result that came in spite of a stop counts; one of a cancelled or lost job does not. */
  async run(handler: JobHandler, logger: Logger): Promise<RunOutcome> {
    if (this.#end !== undefined) return { kind: this.#end }
    try {
      const result = await handler(this.job, {
        signal: this.#controller.signal,
        progress: (percent, etaSeconds) => this.#note(percent, etaSeconds),
      })
      return this.#end === 'cancelled' || this.#end === 'lost' ? { kind: this.#end } : { kind: 'done', result }
    } catch (cause) {
      if (this.#end !== undefined) return { kind: this.#end }
      if (!(cause instanceof TapedeckError)) {
        logger.error({ err: cause, job: this.job.job_id }, 'a job failed for a reason that nobody foresaw')
      }
      const error = cause instanceof TapedeckError ? cause : new JobFailedError(this.job.kind, cause)
      return { kind: 'failed', error, isFinal: error.fault === 'caller' }
    }
  }

  /** Progress that has not been told yet, at most once per `everyMs`. */
  takeProgress(everyMs: number): JobProgress | undefined {
    const now = this.#now()
    if (!this.#isChanged || now - this.#takenAtMs < everyMs) return undefined
    this.#isChanged = false
    this.#takenAtMs = now
    return this.#progress
  }

  #note(given: number, etaSeconds: number | null): void {
    const percent = Number.isFinite(given) ? Math.min(100, Math.max(0, given)) : this.#progress.percent
    const isTold = etaSeconds !== null && Number.isFinite(etaSeconds)
    const eta = isTold ? Math.max(0, etaSeconds) : this.#estimate(percent)
    this.#progress = { percent, eta_seconds: eta }
    this.#isChanged = true
  }

  /** Seconds left if it goes on as it went so far. */
  #estimate(percent: number): number | null {
    const now = this.#now()
    if (this.#first === undefined || percent < this.#first.percent) this.#first = { atMs: now, percent }
    const doneSince = percent - this.#first.percent
    if (doneSince <= 0) return null
    return Math.round(((100 - percent) * (now - this.#first.atMs)) / doneSince / 1000)
  }
}
