import { resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Job, JobListener, JobQueue, JobStatus } from '../jobs/job.ts'
import type { Logger } from '../media/ports.ts'
import type { Audit } from '../recorder/audit.ts'
import type { FaultReport } from '../recorder/report.ts'
import type { CatalogueEntry, JobReference } from '../state/catalogue-entry.ts'
import type { RecordingFile, RecordingObject } from '../state/recording-object.ts'
import type { Storage } from '../storage/ports.ts'
import type { Catalogue } from './catalogue.ts'
import type { CatalogueRecord } from './catalogue-record.ts'
import { JobCancelledError, RecordingMissingError } from './errors.ts'
import { requiredJobs, thumbnailsJob } from './job-plan.ts'
import { isMended, isMissed, isNews, withState } from './job-references.ts'
import { onRecordingClock } from './job-results.ts'
import { locateFile, pathInManifest } from './manifest-place.ts'
import { errorObject, mainFacts } from './recorded-files.ts'

/** Between two tries to queue a job, ms: doubled from the first to the last. */
const FIRST_RETRY_MS = 500
const LAST_RETRY_MS = 30_000
/** Progress of jobs is told so often at most, ms. */
const PROGRESS_EVERY_MS = 2000
/** Results that were missed are looked for among so many. */
const MISSED_JOBS = 1000

/** What work after the stop needs. */
export interface PostProcessingOptions {
  readonly jobs: JobQueue
  readonly catalogue: Catalogue
  readonly storage: Storage
  readonly audit: Audit
  readonly recordDir: string
  readonly logger: Logger
  /** Why jobs cannot be done at all; undefined where they can. */
  problem(): Promise<FaultReport | undefined>
  /** It is completed; its thumbnails may still come. */
  onCompleted(record: CatalogueRecord): void
}

/** What comes after the last frame: jobs where some are needed, thumbnails, and `completed`. */
export class PostProcessing {
  readonly #options: PostProcessingOptions
  readonly #unlisten: () => void
  readonly #toldAtMs = new Map<string, number>()
  readonly #percents = new Map<string, number>()
  readonly #closing = new AbortController()

  constructor(options: PostProcessingOptions) {
    this.#options = options
    const listener: JobListener = {
      progress: (job, percent, etaSeconds) => this.#progressed(job, percent, etaSeconds),
      finished: (status) => void this.#finished(status),
    }
    this.#unlisten = options.jobs.listen(listener)
  }

  /** All files of `record` are final: completes it, at once or after the jobs that it needs. */
  async begin(record: CatalogueRecord, patch: Partial<RecordingObject>): Promise<void> {
    const { recordDir, problem } = this.#options
    const draft = { ...record.entry, recording: { ...record.entry.recording, ...patch } }
    const jobs = requiredJobs(draft, recordDir)
    const why = jobs.length === 0 ? undefined : await problem()
    if (record.status !== 'processing') return // cancelled meanwhile
    if (jobs.length === 0 || why !== undefined) {
      const error = why === undefined ? (patch.error ?? record.entry.recording.error) : errorObject(why)
      this.#complete(record, { ...patch, error })
      return
    }
    const references = jobs.map(({ job_id, kind }): JobReference => {
      return { job_id, kind, state: 'waiting', required: true }
    })
    const progress = { stage: references[0]?.kind ?? '', percent: 0, eta_seconds: null }
    record.change({ jobs: references, recording: { ...patch, progress } })
    record.emit('recording_processing', { ...progress, jobs: jobs.length })
    await record.written()
    for (const job of jobs) void this.#add(job)
  }

  /** Goes on with one that another process, now dead, had brought so far. */
  async resume(record: CatalogueRecord): Promise<void> {
    const waiting = record.entry.jobs.filter(({ state, required }) => required && state === 'waiting')
    if (record.entry.jobs.every(({ required }) => !required)) return this.begin(record, {})
    if (waiting.length === 0) {
      await this.#settle(record)
      return
    }
    const jobs = requiredJobs(record.entry, this.#options.recordDir)
    for (const { job_id } of waiting) {
      const job = jobs.find((candidate) => candidate.job_id === job_id)
      if (job === undefined) this.#note(record, job_id, 'failed')
      else void this.#add(job) // known already: nothing happens, and its result is asked for
    }
    await this.#settle(record)
  }

  /** Takes in what came about while nobody listened. */
  async catchUp(): Promise<void> {
    const ended = await this.#options.jobs.list({ states: ['done', 'dead', 'cancelled'], limit: MISSED_JOBS })
    for (const status of ended) await this.#finished(status)
  }

  /** Ends the jobs of a recording that is cancelled or deleted. False when there are none. */
  async abandon(entry: CatalogueEntry): Promise<boolean> {
    const { jobs, logger } = this.#options
    let hadJobs = false
    for (const { job_id, state } of entry.jobs) {
      if (state === 'done') continue // one that failed may be tried anew at this moment
      this.#percents.delete(job_id)
      const wasAlive = await jobs.cancel(job_id).catch((error: unknown) => {
        logger.warn({ err: error, job: job_id }, 'job of a recording that is gone could not be cancelled')
        return true
      })
      hadJobs ||= wasAlive || state === 'waiting'
    }
    return hadJobs
  }

  close(): void {
    this.#closing.abort()
    this.#unlisten()
  }

  #complete(record: CatalogueRecord, patch: Partial<RecordingObject>): void {
    const { recordDir } = this.#options
    record.move('completed', { recording: patch })
    const job = thumbnailsJob(record.entry, recordDir)
    this.#options.onCompleted(record)
    if (job !== undefined) void this.#addThumbnails(record.id, job)
  }

  async #addThumbnails(id: string, job: Job): Promise<void> {
    const { catalogue, problem, logger } = this.#options
    try {
      if ((await problem()) !== undefined) return // said at start; a recording without pictures is whole
      await catalogue.edit(id, (record) => {
        const { job_id, kind } = job
        record.change({ jobs: [...record.entry.jobs, { job_id, kind, state: 'waiting', required: false }] })
      })
      await this.#add(job)
    } catch (error) {
      logger.warn({ err: error, recording: id }, 'thumbnails cannot be made')
    }
  }

  /** Queues `job`, trying again while the queue is away; what has been done already is taken in. */
  async #add(job: Job): Promise<void> {
    const { jobs, logger } = this.#options
    for (let pauseMs = FIRST_RETRY_MS; ; pauseMs = Math.min(pauseMs * 2, LAST_RETRY_MS)) {
      try {
        await jobs.add(job)
        const status = await jobs.get(job.job_id)
        if (status !== undefined) await this.#finished(status)
        return
      } catch (error) {
        logger.warn({ err: error, job: job.job_id }, 'job cannot be queued yet')
      }
      await delay(pauseMs, undefined, { ref: false, signal: this.#closing.signal }).catch(() => undefined)
      if (this.#closing.signal.aborted) return // the next start queues it
    }
  }

  #progressed(job: Job, percent: number, etaSeconds: number | null): void {
    const record = this.#options.catalogue.find(job.recording_id)
    if (record === undefined || record.status !== 'processing') return
    const required = record.entry.jobs.filter((reference) => reference.required)
    if (!required.some(({ job_id }) => job_id === job.job_id)) return
    this.#percents.set(job.job_id, percent)
    const nowMs = performance.now()
    if (nowMs - (this.#toldAtMs.get(record.id) ?? 0) < PROGRESS_EVERY_MS) return
    this.#toldAtMs.set(record.id, nowMs)
    const sum = required.reduce((so, { job_id, state }) => {
      return so + (state === 'waiting' ? (this.#percents.get(job_id) ?? 0) : 100)
    }, 0)
    const progress = { stage: job.kind, percent: Math.min(100, sum / required.length), eta_seconds: etaSeconds }
    record.change({ recording: { progress } }, 'copy')
    record.emit('recording_processing', progress)
  }

  async #finished(status: JobStatus): Promise<void> {
    if (status.state === 'waiting' || status.state === 'running') return
    const { catalogue, logger } = this.#options
    const { recording_id: id, job_id } = status.job
    this.#percents.delete(job_id)
    try {
      const entry = await catalogue.load(id)
      if (!entry.jobs.some((job) => isNews(job, status))) return // taken in already
      await catalogue.edit(id, async (record) => {
        if (record.status === 'cancelled') return
        const wasFinal = record.isFinal
        const isTaken = this.#takeIn(record, status)
        if (wasFinal && isTaken) await this.#amend(record, job_id)
        else await this.#settle(record)
      })
    } catch (error) {
      if (error instanceof RecordingMissingError) return
      logger.warn({ err: error, recording: id, job: job_id }, 'result of a job could not be taken in yet')
    }
  }

  /** What became of one job goes into the entry. False when it is there already. */
  #takeIn(record: CatalogueRecord, status: JobStatus): boolean {
    const { recordDir } = this.#options
    const { entry } = record
    const { job } = status
    if (!entry.jobs.some((reference) => isNews(reference, status))) return false
    if (status.state !== 'done' || status.result === undefined) {
      this.#note(record, job.job_id, status.state === 'cancelled' ? 'cancelled' : 'failed', faultOf(status))
      return true
    }
    const { manifest_path: manifestPath } = entry
    const made = status.result.files.map((file): RecordingFile => {
      const path = manifestPath === null ? file.path : pathInManifest(manifestPath, resolve(recordDir, file.path))
      const source = entry.recording.files.find(({ file_id }) => file_id === file.source_file_id)
      return { ...onRecordingClock(file, source), path }
    })
    for (const file of made) locateFile(entry, file, recordDir) // a worker elsewhere says where: never outside
    const known = entry.recording.files.filter(({ file_id }) => !made.some((file) => file.file_id === file_id))
    const files = [...known, ...made]
    const jobs = withState(entry.jobs, job.job_id, 'done')
    const error = isMended(entry, jobs) ? { error: null } : {}
    record.change({ jobs, recording: { files, ...mainFacts(entry, files, recordDir), ...error } })
    if (job.kind === 'thumbnails' && made.length > 0) {
      record.emit('thumbnails_generated', { files: made.map(({ kind, path, file_id }) => ({ kind, path, file_id })) })
    }
    return true
  }

  /** A job that had failed was tried anew after the recording was completed: its files are others now. */
  async #amend(record: CatalogueRecord, jobId: string): Promise<void> {
    const { jobs, options, recording } = record.entry
    const reference = jobs.find(({ job_id }) => job_id === jobId)
    if (record.status !== 'completed' || reference?.required !== true || reference.state !== 'done') return
    if (options?.keep_source === false && !jobs.some(isMissed)) await this.#removeSources(record)
    const { duration_seconds, file_size_bytes } = recording
    record.emit('recording_completed', { duration_seconds, file_size_bytes })
  }

  #note(record: CatalogueRecord, jobId: string, state: 'failed' | 'cancelled', fault?: FaultReport): void {
    const { entry } = record
    const reference = entry.jobs.find(({ job_id }) => job_id === jobId)
    const error = fault ?? { code: 'INTERNAL', message: `job ${jobId} is lost` }
    const keepsError = reference?.required !== true || entry.recording.error !== null
    record.change({
      jobs: withState(entry.jobs, jobId, state),
      ...(keepsError ? {} : { recording: { error: errorObject(error) } }),
    })
    record.emit('job_failed', { job_id: jobId, kind: reference?.kind ?? null, error: errorObject(error) })
  }

  /** Completes it once nothing that it needs is waited for. */
  async #settle(record: CatalogueRecord): Promise<void> {
    const { jobs } = record.entry
    if (record.status !== 'processing' || jobs.some(({ required, state }) => required && state === 'waiting')) return
    this.#toldAtMs.delete(record.id)
    if (record.entry.options?.keep_source === false) await this.#removeSources(record)
    if (record.status === 'processing') this.#complete(record, {})
  }

  /** Sources whose result is verified and in the manifest go. */
  async #removeSources(record: CatalogueRecord): Promise<void> {
    const { storage, audit, recordDir, logger } = this.#options
    await record.written()
    const { entry } = record
    const replaced = entry.recording.files.filter(({ kind, state, file_id }) => {
      return kind === 'source' && state !== 'removed' && entry.recording.files.some(isMadeOf(file_id))
    })
    const removed = new Set<string>()
    for (const file of replaced) {
      const path = locateFile(entry, file, recordDir)
      try {
        await storage.remove(path)
        audit.note('deleted', path, { recording: record.id, reason: 'its rendition is verified' })
        removed.add(file.file_id)
      } catch (error) {
        logger.warn({ err: error, path }, 'source could not be removed')
      }
    }
    if (removed.size === 0) return
    const files = record.entry.recording.files.map((file): RecordingFile => {
      return removed.has(file.file_id) ? { ...file, state: 'removed' } : file
    })
    record.change({ recording: { files } })
  }
}

function isMadeOf(fileId: string): (file: RecordingFile) => boolean {
  return ({ kind, source_file_id, state }) =>
    (kind === 'rendition' || kind === 'remux') && source_file_id === fileId && state !== 'removed'
}

function faultOf(status: JobStatus): FaultReport {
  if (status.error !== undefined) return status.error
  const { code, message } = new JobCancelledError(status.job.job_id)
  return { code, message }
}
