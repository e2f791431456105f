import type { Job as BullJob, JobState as BullState } from 'bullmq'
import { z } from 'zod'
import { parseFailure } from '../failure.ts'
import { type JobState, type JobStatus, jobResultSchema, jobSchema } from '../job.ts'
import type { CancelledFate } from './fates.ts'

/** What BullMQ keeps of a job of ours. */
const dataSchema = z.object({
  job: jobSchema,
  /** How often its worker died and another one of its node noticed; BullMQ counts the other deaths as stalls. */
  lost: z.number().int().nonnegative(),
  /** Deaths that no longer count, as somebody asked for a retry. */
  forgiven: z.number().int().nonnegative(),
})
/** See `dataSchema`. */
export type BullData = z.output<typeof dataSchema>

const progressSchema = z.object({
  percent: z.number().min(0).max(100),
  eta_seconds: z.number().nonnegative().nullable(),
})

/** BullMQ's id for a job: it allows neither colons nor numbers. */
export function bullIdOf(jobId: string): string {
  return `job-${encodeURIComponent(jobId)}`
}

/** The other way round; undefined for an id that is not ours. */
export function jobIdOf(bullId: string): string | undefined {
  if (!bullId.startsWith('job-')) return undefined
  try {
    return decodeURIComponent(bullId.slice('job-'.length))
  } catch {
    return undefined
  }
}

/** Undefined when what was stored is no job that this version knows. */
export function dataOf(bull: BullJob): BullData | undefined {
  return dataSchema.safeParse(bull.data).data
}

/** How many tries count against a job: those that failed, and those whose worker died. */
export function spentTriesOf(bull: BullJob, { lost, forgiven }: BullData): number {
  return bull.attemptsMade + bull.stalledCounter + lost - forgiven
}

/** What BullMQ's states are among ours. */
export function stateOf(state: BullState | 'unknown'): JobState | undefined {
  if (state === 'active') return 'running'
  if (state === 'completed') return 'done'
  if (state === 'failed') return 'dead'
  return state === 'unknown' ? undefined : 'waiting'
}

/** Undefined when what was stored is no job that this version knows. */
export function statusOf(bull: BullJob, state: JobState): JobStatus | undefined {
  const data = dataOf(bull)
  if (data === undefined) return undefined
  const progress = state === 'running' ? progressOf(bull.progress) : undefined
  return {
    job: data.job,
    state,
    percent: state === 'done' ? 100 : (progress?.percent ?? 0),
    etaSeconds: progress?.eta_seconds ?? null,
    attempts: bull.attemptsStarted,
    error: bull.failedReason ? parseFailure(bull.failedReason) : undefined,
    result: state === 'done' ? jobResultSchema.safeParse(bull.returnvalue).data : undefined,
  }
}

/** Progress as our workers report it. */
export function progressOf(progress: unknown): z.output<typeof progressSchema> | undefined {
  return progressSchema.safeParse(progress).data
}

/** Of a job that BullMQ no longer has. */
export function cancelledStatusOf({ job, attempts, error }: CancelledFate): JobStatus {
  return {
    job,
    state: 'cancelled',
    percent: 0,
    etaSeconds: null,
    attempts,
    error: error === null ? undefined : parseFailure(error),
    result: undefined,
  }
}
