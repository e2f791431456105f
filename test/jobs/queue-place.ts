import { BullJobQueue } from '../../src/jobs/bull/queue.ts'
import { EmbeddedJobQueue } from '../../src/jobs/embedded-queue.ts'
import type { JobQueue } from '../../src/jobs/job.ts'
import { SqliteStateStore } from '../../src/state/sqlite/store.ts'
import { HURRIED, silent } from './scripted-jobs.ts'

/** Where a queue is kept, told from process to process. */
export interface QueuePlace {
  readonly path?: string
  readonly redisUrl?: string
  readonly prefix?: string
  readonly leaseMs?: number
}

/** A queue there, in a hurry. */
export function openQueue(
  { path, redisUrl, prefix = 'test:', leaseMs = HURRIED.leaseMs }: QueuePlace,
  node: string,
): JobQueue {
  const options = { node, logger: silent, timing: { ...HURRIED, leaseMs } }
  if (redisUrl !== undefined) return new BullJobQueue({ redisUrl, prefix, ...options })
  return new EmbeddedJobQueue(new SqliteStateStore(path ?? ':memory:', silent).tasks, options)
}
