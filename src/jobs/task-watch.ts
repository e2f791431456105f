import type { Logger } from '../media/ports.ts'
import type { Task, TaskStore } from '../state/task-store.ts'
import type { Job, JobListener, JobStatus } from './job.ts'
import type { JobProgress } from './job-run.ts'
import { JOB_QUEUE, noteOf, statusOf, taskIdOf } from './task-status.ts'

/** Open jobs that are looked at; of more, the oldest wait until there are fewer. */
const MAX_OPEN = 1000

/** Tells listeners what becomes of jobs: at once of those that this process does, soon of the others. */
export class TaskWatch {
  readonly #tasks: TaskStore
  readonly #everyMs: number
  readonly #logger: Logger
  readonly #listeners = new Set<JobListener>()
  /** Jobs whose end nobody was told of yet, with the progress that was told last. */
  readonly #open = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined
  #isLooking = false

  constructor(tasks: TaskStore, everyMs: number, logger: Logger) {
    this.#tasks = tasks
    this.#everyMs = everyMs
    this.#logger = logger
  }

  listen(listener: JobListener): () => void {
    this.#listeners.add(listener)
    this.#timer ??= setInterval(() => void this.#look(), this.#everyMs).unref()
    return () => {
      this.#listeners.delete(listener)
      if (this.#listeners.size === 0) this.close()
    }
  }

  /** A job was added, or waits again. */
  opened(jobId: string): void {
    if (this.#listeners.size > 0) this.#open.set(jobId, 0)
  }

  progress(job: Job, { percent, eta_seconds }: JobProgress): void {
    if (this.#open.has(job.job_id)) this.#open.set(job.job_id, percent)
    this.#tell((listener) => listener.progress?.(job, percent, eta_seconds))
  }

  /** A job has come to its end, or may have. Never rejects. */
  async settled(jobId: string): Promise<void> {
    try {
      const task = await this.#tasks.get(taskIdOf(jobId))
      if (task === undefined || isOpen(task)) return
      this.#open.delete(jobId)
      const status = statusOf(task)
      if (status !== undefined) this.#finished(status)
    } catch {
      this.#open.set(jobId, 0) // the store is away: the next look finds it
    }
  }

  close(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#open.clear()
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return
    this.#isLooking = true
    try {
      const hasUnfinished = (await this.#tasks.nextDueMs(JOB_QUEUE)) !== undefined
      if (this.#open.size > 0 || hasUnfinished) await this.#compare()
    } catch (error) {
      this.#logger.debug({ err: error }, 'the queue of jobs cannot be looked at now')
    } finally {
      this.#isLooking = false
    }
  }

  async #compare(): Promise<void> {
    const known = [...this.#open.keys()]
    const tasks = await this.#tasks.list({ queue: JOB_QUEUE, states: ['waiting', 'running'], limit: MAX_OPEN })
    const open = new Set<string>()
    for (const task of tasks) {
      const status = statusOf(task)
      if (status === undefined) continue
      const id = status.job.job_id
      open.add(id)
      const told = this.#open.get(id)
      this.#open.set(id, status.percent)
      const note = noteOf(task)
      if (task.state === 'running' && note !== undefined && told !== undefined && told !== status.percent) {
        this.#tell((listener) => listener.progress?.(status.job, note.percent, note.eta_seconds))
      }
    }
    for (const id of known) if (!open.has(id) && this.#open.has(id)) await this.settled(id)
  }

  #finished(status: JobStatus): void {
    this.#tell((listener) => listener.finished?.(status))
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

function isOpen(task: Task): boolean {
  return task.state === 'waiting' || task.state === 'running'
}
