import type { Logger } from '../media/ports.ts'
import type { StateStore } from '../state/store.ts'
import { EmbeddedJobQueue } from './embedded-queue.ts'
import type { JobQueue } from './job.ts'

/** Where a queue is kept, and who asks. */
export interface JobQueuePlace {
  /** Keeps the queue where there is no Redis. */
  readonly store: Pick<StateStore, 'tasks'>
  /** Given: the queue is BullMQ's, and workers elsewhere may take part. */
  readonly redisUrl?: string | undefined
  /** What all keys in Redis begin with. */
  readonly prefix: string
  /** Of this server among those that share its state. */
  readonly node: string
  readonly logger: Logger
}

/** The queue of this server. Does not wait for Redis: while that is away, calls fail with `StateAwayError`. */
export async function openJobQueue({ store, redisUrl, prefix, node, logger }: JobQueuePlace): Promise<JobQueue> {
  if (redisUrl === undefined) return new EmbeddedJobQueue(store.tasks, { node, logger })
  const { BullJobQueue } = await import('./bull/queue.ts') // BullMQ costs memory: only who uses it pays
  return new BullJobQueue({ redisUrl, prefix, node, logger })
}
