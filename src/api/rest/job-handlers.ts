import type { JobStatus } from '../../jobs/job.ts'
import { RecordingMissingError } from '../../service/errors.ts'
import type { Caller } from '../caller.ts'
import { JobMissingError, JobStateError } from '../errors.ts'
import { demand, may, type Permission, type Target } from '../permission.ts'
import type { Handlers } from './call.ts'
import type { ApiServices } from './services.ts'
import { jobView } from './views.ts'

/** Work after the stop: `/jobs`. A job belongs to the room of its recording; of one that is gone, to whoever has all rooms. */
export function jobHandlers({ control, jobs }: ApiServices): Handlers<'listJobs' | 'retryJob' | 'cancelJob'> {
  const targetOf = async ({ job }: JobStatus): Promise<Target | undefined> => {
    try {
      const { recording } = await control.get(job.recording_id)
      return { roomId: recording.room_id, userId: recording.user_id }
    } catch (error) {
      if (error instanceof RecordingMissingError) return undefined
      throw error
    }
  }
  const isWithin = async (caller: Caller, permission: Permission, status: JobStatus): Promise<boolean> => {
    if (caller.rooms === '*') return true
    const target = await targetOf(status)
    return target !== undefined && may(caller, permission, target)
  }
  const find = async (caller: Caller, id: string): Promise<JobStatus> => {
    const status = await jobs.get(id)
    if (status === undefined) throw new JobMissingError(id)
    if (caller.rooms !== '*') {
      demand(caller, 'job.control', (await targetOf(status)) ?? { roomId: '', userId: null })
    }
    return status
  }
  return {
    listJobs: async ({ caller, query }) => {
      const states = query.state === undefined ? {} : { states: [query.state] }
      const [found, depth] = await Promise.all([jobs.list({ ...states, limit: query.limit }), jobs.depth()])
      const visible = await Promise.all(found.map((status) => isWithin(caller, 'job.read', status)))
      return { jobs: found.filter((_, index) => visible[index]).map(jobView), depth }
    },
    retryJob: async ({ caller, params }) => {
      const { state } = await find(caller, params.job_id)
      if (!(await jobs.retry(params.job_id))) throw new JobStateError(params.job_id, state, 'tried anew')
      return jobView(await find(caller, params.job_id))
    },
    cancelJob: async ({ caller, params }) => {
      const { state } = await find(caller, params.job_id)
      if (!(await jobs.cancel(params.job_id))) throw new JobStateError(params.job_id, state, 'cancelled')
      return jobView(await find(caller, params.job_id))
    },
  }
}
