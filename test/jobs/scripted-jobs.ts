import type { Job, JobContext, JobResult } from '../../src/jobs/job.ts'
import type { QueueTiming } from '../../src/jobs/queue-timing.ts'
import { UnsupportedError } from '../../src/media/errors.ts'
import type { Logger } from '../../src/media/ports.ts'

/** A queue in a hurry. */
export const HURRIED: QueueTiming = {
  leaseMs: 1500,
  lookMs: 40,
  progressMs: 60,
  idleMs: 80,
  retryMs: 20,
  closeMs: 3000,
}

/** Says nothing. */
export const silent: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

/** A job that a `Script` knows by its id. */
export function job(id: string, priority = 0): Job {
  const source = { file_id: 'f1', participant_id: 'alice', path: 'a.mp4', duration_ms: 1000, part: 1 }
  return { kind: 'thumbnails', job_id: id, recording_id: `of-${id}`, priority, source, output: 'thumbs' }
}

/** What a script may do with one try of a job. */
export type Act = 'done' | 'fail' | 'refuse' | 'hang' | 'stubborn'

/** Does jobs as they are told to be done, and writes down how it went. */
export class Script {
  /** Ids in the order they were begun, once per try. */
  readonly begun: string[] = []
  readonly aborted: string[] = []
  busy = 0
  busiest = 0
  readonly #acts = new Map<string, Act[]>()
  readonly #hanging = new Map<string, () => void>()
  context: JobContext | undefined

  /** One act per try; the last one goes on. */
  plan(id: string, ...acts: Act[]): Job {
    this.#acts.set(id, acts)
    return job(id)
  }

  /** Lets a hanging try go well. */
  release(id: string): void {
    this.#hanging.get(id)?.()
  }

  readonly handler = async (given: Job, context: JobContext): Promise<JobResult> => {
    const id = given.job_id
    this.begun.push(id)
    this.context = context
    this.busiest = Math.max(this.busiest, ++this.busy)
    try {
      const acts = this.#acts.get(id) ?? ['done']
      const act = acts.length > 1 ? acts.shift() : acts[0]
      if (act === 'fail') throw new Error(`no luck with ${id}`)
      if (act === 'refuse') throw new UnsupportedError(`nobody can do ${id}`)
      if (act === 'hang') await this.#hang(id, context)
      if (act === 'stubborn') await this.#hang(id, context).catch(() => undefined)
      else await new Promise((resolve) => setImmediate(resolve))
      return { files: [] }
    } finally {
      this.busy--
    }
  }

  #hang(id: string, { signal }: JobContext): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#hanging.set(id, resolve)
      const abort = (): void => {
        this.aborted.push(id)
        reject(new Error('aborted'))
      }
      if (signal.aborted) abort()
      else signal.addEventListener('abort', abort, { once: true })
    })
  }
}
