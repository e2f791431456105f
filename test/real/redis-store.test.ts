import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe } from 'vitest'
import { type RedisPeer, startRedis } from '../peers/redis.ts'
import { eventsConform } from '../state/events-conformance.ts'
import { agreesWithModel } from '../state/model-conformance.ts'
import { recordingsConform } from '../state/recordings-conformance.ts'
import { scales } from '../state/scale-conformance.ts'
import { StoreBench } from '../state/store-bench.ts'
import { tasksConform } from '../state/tasks-conformance.ts'

let redis: RedisPeer
const benches: StoreBench[] = []
beforeAll(async () => {
  redis = await startRedis()
})
afterAll(async () => {
  await Promise.all(benches.map((bench) => bench.close()))
  await redis.stop()
})

function fresh(): StoreBench {
  const place = {
    dataDir: '/nowhere',
    redisUrl: redis.url,
    prefix: `${randomUUID()}:`,
    stateTtlMs: 60_000,
    indexTtlMs: 60_000,
  }
  const bench = new StoreBench(place)
  benches.push(bench)
  return bench
}

describe('RedisStateStore', () => {
  recordingsConform(fresh)
  eventsConform(fresh)
  tasksConform(fresh)
  agreesWithModel(fresh)
  scales(fresh)
})
