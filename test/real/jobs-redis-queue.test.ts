import { Queue } from 'bullmq'
import { Redis } from 'ioredis'
import { BullJobQueue } from '../../src/jobs/bull/queue.ts'
import { queueConformance } from '../jobs/queue-conformance.ts'
import { HURRIED, silent } from '../jobs/scripted-jobs.ts'
import { startRedis } from '../peers/redis.ts'

queueConformance('BullMQ', async () => {
  const redis = await startRedis()
  let opened = 0
  let round = 0
  return {
    open: async () =>
      new BullJobQueue({
        redisUrl: redis.url,
        prefix: `test-${round}:`,
        node: `node-${opened++}`,
        logger: silent,
        timing: HURRIED,
      }),
    addForeign: async () => {
      const client = new Redis(redis.url)
      const queue = new Queue('jobs', { connection: client, prefix: `test-${round}` })
      await queue.add('later', { kind: 'later' }, { jobId: 'job-foreign' })
      await queue.close()
      client.disconnect()
    },
    clear: async () => {
      round++
    },
    drop: () => redis.stop(),
  }
})
