import { z } from 'zod'
import { qualitySettingsSchema, recordingFileSchema } from '../state/recording-object.ts'

const path = z.string().min(1).max(4096)

/** What all jobs have. Paths are relative to the recording directory that the worker has mounted, `/`-separated. */
const base = z.object({
  job_id: z.string().min(1).max(64),
  recording_id: z.string().min(1).max(64),
  /** Higher goes first; 0 is usual. */
  priority: z.number().int().min(-100).max(100),
})
const source = z.object({
  file_id: z.string().max(64),
  participant_id: z.string().max(255).nullable(),
  path,
  duration_ms: z.number().nonnegative(),
  part: z.number().int().nonnegative(),
})

/** A job as it is queued. */
export const jobSchema = z.discriminatedUnion('kind', [
  /** Another quality, and another container where asked. */
  base.extend({
    kind: z.literal('rendition'),
    source,
    /** Where the result goes; its directory exists. */
    output: path,
    format: z.enum(['mp4', 'webm', 'mkv', 'flv']),
    /** An absolute aim, or a share of the source's bitrate. */
    quality: qualitySettingsSchema.extend({ source_percent: z.number().positive().max(100).nullable() }),
  }),
  /** Another container, same packets where it holds them; what it cannot hold is transcoded at the source's quality. */
  base.extend({ kind: z.literal('remux'), source, output: path, format: z.enum(['mp4', 'webm', 'mkv', 'flv']) }),
  /** Pictures at 0, 25, 50, 75 and 100 %, a sprite sheet and its WebVTT, into the directory `output`. */
  base.extend({ kind: z.literal('thumbnails'), source, output: path }),
])
/** See `jobSchema`. */
export type Job = z.output<typeof jobSchema>

/** What a job made; verified. `path` is relative to the recording directory here. */
export const jobResultSchema = z.object({ files: z.array(recordingFileSchema).max(1000) })
/** See `jobResultSchema`. */
export type JobResult = z.output<typeof jobResultSchema>

/** `dead`: every try failed. */
export type JobState = 'waiting' | 'running' | 'done' | 'dead' | 'cancelled'

/** How far a job is. */
export interface JobStatus {
  readonly job: Job
  readonly state: JobState
  /** 0 to 100. */
  readonly percent: number
  readonly etaSeconds: number | null
  readonly attempts: number
  /** Of the last try that failed. */
  readonly error: { readonly code: string; readonly message: string } | undefined
  readonly result: JobResult | undefined
}

/** What a handler can do beside its work. */
export interface JobContext {
  /** Aborted when the job is cancelled, its lease is lost, or the worker stops: children must be ended then. */
  readonly signal: AbortSignal
  /** 0 to 100; calls may come often. */
  progress(percent: number, etaSeconds: number | null): void
}

/**
 * Does one job. A job may be tried again after a crash in the middle: what a try leaves must not be in the next one's way.
 * A thrown `TapedeckError` with fault `caller` is final; anything else is tried again.
 */
export type JobHandler = (job: Job, context: JobContext) => Promise<JobResult>

/** Follows jobs of any process on the same queue. */
export interface JobListener {
  progress?(job: Job, percent: number, etaSeconds: number | null): void
  /** It has come to its end: done, dead or cancelled. At least once; after a restart `get` says what was missed. */
  finished?(status: JobStatus): void
}

/** The queue of jobs: embedded in the state store, or on BullMQ. */
export interface JobQueue {
  /** The same id twice is one job. */
  add(job: Job): Promise<void>
  get(jobId: string): Promise<JobStatus | undefined>
  /** Newest first, at most `limit`. */
  list(query: { states?: readonly JobState[]; limit: number }): Promise<JobStatus[]>
  /** Ends its child, too, wherever it runs. False when it has come to its end already. */
  cancel(jobId: string): Promise<boolean>
  /** A dead or cancelled job is tried anew. False when there is none. */
  retry(jobId: string): Promise<boolean>
  depth(): Promise<{ readonly waiting: number; readonly running: number; readonly dead: number }>
  /** Returns the way to stop listening. */
  listen(listener: JobListener): () => void
  /** Begins to do jobs in this process, `concurrency` at a time; with 0 it leaves them to others. */
  work(handler: JobHandler, options: { concurrency: number }): void
  /** Takes no more; what runs is aborted and left to be done again. Idempotent. */
  close(): Promise<void>
}
