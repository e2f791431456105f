import type { Settings } from '../config.ts'
import type { JobQueue } from '../jobs/job.ts'
import { openJobQueue } from '../jobs/queue.ts'
import type { Logger } from '../media/ports.ts'
import { nodeIdentity } from '../state/node-identity.ts'
import { openStateStore } from '../state/open-store.ts'

/** Settings that say where the queue of jobs is. */
export const QUEUE_SETTINGS = ['dataDir', 'redis', 'redisPrefix', 'nodeName'] as const

/** The queue of jobs of the server with the same settings, which may be running, for as long as `use` needs it. @throws StateError */
export async function withJobQueue<T>(
  settings: Settings,
  logger: Logger,
  use: (queue: JobQueue) => Promise<T>,
): Promise<T> {
  const { dataDir, redis, redisPrefix: prefix, nodeName } = settings
  const lives = { stateTtlMs: settings.redisStateTtl, indexTtlMs: settings.redisIndexTtl }
  const store = await openStateStore({ dataDir, redisUrl: redis, prefix, ...lives, logger })
  try {
    const node = nodeIdentity(dataDir, nodeName)
    const queue = await openJobQueue({ store, redisUrl: redis, prefix, node, logger })
    try {
      return await use(queue)
    } finally {
      await queue.close()
    }
  } finally {
    await store.close()
  }
}
