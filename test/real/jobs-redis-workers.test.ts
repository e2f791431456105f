import { workerConformance } from '../jobs/worker-conformance.ts'
import { type RedisPeer, startRedis } from '../peers/redis.ts'

let redis: RedisPeer | undefined
let places = 0

workerConformance('BullMQ', {
  start: async () => {
    redis = await startRedis()
  },
  makePlace: () => ({ redisUrl: redis?.url ?? '', prefix: `test-${places++}:` }),
  stop: async () => redis?.stop(),
})
