import type { JobStatus } from '../jobs/job.ts'
import type { CatalogueEntry, JobReference } from '../state/catalogue-entry.ts'
import { INTERRUPTED_CODE } from './settlement.ts'

/** Its result is not in the entry yet; a job that failed may have been tried anew. */
export function isNews({ job_id, state }: JobReference, status: JobStatus): boolean {
  return job_id === status.job.job_id && (state === 'waiting' || (status.state === 'done' && state !== 'done'))
}

/** The recording was completed without it. */
export function isMissed({ required, state }: JobReference): boolean {
  return required && (state === 'failed' || state === 'cancelled')
}

/** What `entry` says of an error was of jobs that failed, and as `jobs` are now, none has. */
export function isMended(
  { jobs: before, recording: { error, report } }: CatalogueEntry,
  jobs: readonly JobReference[],
) {
  if (error === null || !before.some(isMissed) || jobs.some(isMissed)) return false
  const isOfRecording =
    error.code === INTERRUPTED_CODE || JSON.stringify(report).includes(JSON.stringify(error.message))
  return !isOfRecording
}

/** `jobs` with another state of one. */
export function withState(jobs: readonly JobReference[], jobId: string, state: JobReference['state']): JobReference[] {
  return jobs.map((job) => (job.job_id === jobId ? { ...job, state } : job))
}
