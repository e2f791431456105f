import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { BullJobQueue } from '../../src/jobs/bull/queue.ts'
import type { JobQueue } from '../../src/jobs/job.ts'
import { StateAwayError } from '../../src/state/errors.ts'
import { HURRIED, job, Script, silent } from '../jobs/scripted-jobs.ts'
import { type RedisPeer, startRedis } from '../peers/redis.ts'
import { freePort } from '../peers/tapedeck.ts'
import { until } from '../peers/until.ts'

/** Two seconds are promised; this machine does other things, too. */
const SOON_MS = 4000

describe('a queue on BullMQ', () => {
  let redis: RedisPeer
  let queues: BullJobQueue[] = []
  let round = 0
  beforeAll(async () => {
    redis = await startRedis({ password: 'geheim' })
  })
  afterEach(async () => {
    redis.resume()
    await Promise.all(queues.map((queue) => queue.close()))
    queues = []
    round++
  })
  afterAll(() => redis.stop())

  const open = (redisUrl = redis.url, logger = silent): BullJobQueue => {
    const queue = new BullJobQueue({ redisUrl, prefix: `away-${round}:`, node: 'test', logger, timing: HURRIED })
    queues.push(queue)
    return queue
  }
  const failsSoon = async (call: () => Promise<unknown>): Promise<void> => {
    const askedAt = performance.now()
    await expect(call()).rejects.toThrow(StateAwayError)
    expect(performance.now() - askedAt).toBeLessThan(SOON_MS)
  }
  const isDone = (queue: JobQueue, id: string): Promise<true> =>
    until(`${id} to be done`, async () => {
      const status = await queue.get(id).catch(() => undefined)
      return status?.state === 'done' ? true : undefined
    })
  const began = (script: Script, id: string): Promise<true> =>
    until(`${id} to begin`, () => (script.begun.includes(id) ? true : undefined))

  it('fails soon where there is no Redis, and closes', async () => {
    const queue = open(`redis://127.0.0.1:${await freePort()}`)
    queue.work(new Script().handler, { concurrency: 1 })
    queue.listen({})
    await failsSoon(() => queue.add(job('a')))
    await failsSoon(() => queue.get('a'))
    await failsSoon(() => queue.depth())
    const askedAt = performance.now()
    await queue.close()
    expect(performance.now() - askedAt).toBeLessThan(SOON_MS)
  })

  it('never tells the password', async () => {
    const said: string[] = []
    const note = (fields: object, message: string) => said.push(message, JSON.stringify(fields, replaceErrors))
    const url = redis.url.replace('geheim', 'falsches-wort')
    const queue = open(url, { debug: note, info: note, warn: note, error: note })
    queue.work(new Script().handler, { concurrency: 1 })
    queue.listen({})
    const error: unknown = await queue.add(job('a')).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(StateAwayError)
    expect(said.length).toBeGreaterThan(0)
    expect(`${said} ${error} ${JSON.stringify(error, replaceErrors)}`).not.toContain('falsches-wort')
  })

  it('fails soon while Redis stands still, and goes on when it moves', async () => {
    const [queue, script] = [open(), new Script()]
    queue.work(script.handler, { concurrency: 1 })
    await queue.add(script.plan('long', 'hang'))
    await began(script, 'long')
    redis.pause()
    await failsSoon(() => queue.add(job('b')))
    await failsSoon(() => queue.cancel('long'))
    redis.resume()
    await until('Redis', () =>
      queue.add(job('c')).then(
        () => true,
        () => undefined,
      ),
    )
    await until('an end', async () => {
      script.release('long')
      return ['done', 'cancelled'].includes((await queue.get('long'))?.state ?? '') ? true : undefined
    })
    await isDone(queue, 'c')
  })

  it('keeps what was added over restarts of Redis, does it, and tells of it', async () => {
    const [queue, script] = [open(), new Script()]
    const told = new Set<string>()
    queue.listen({ finished: ({ job: { job_id }, state }) => told.add(`${job_id} ${state}`) })
    queue.work(script.handler, { concurrency: 1 })
    await queue.add(script.plan('during', 'hang'))
    for (const id of ['a', 'b', 'c']) await queue.add(job(id))
    await began(script, 'during')
    await redis.kill9()
    await failsSoon(() => queue.add(job('never')))
    script.release('during') // it ends while Redis is away
    await redis.restart()
    for (const id of ['during', 'a', 'b', 'c']) await isDone(queue, id)
    await until('the news', () => (told.size >= 4 ? true : undefined))
    expect(told).toEqual(new Set(['during done', 'a done', 'b done', 'c done']))
  })

  it('does again what ran for longer than its lease without Redis', async () => {
    const [queue, script] = [open(), new Script()]
    queue.work(script.handler, { concurrency: 1 })
    await queue.add(script.plan('long', 'hang', 'done'))
    await began(script, 'long')
    await redis.kill9()
    await new Promise((resolve) => setTimeout(resolve, HURRIED.leaseMs + 500)) // the lease is time, nothing tells of its end
    await redis.restart()
    await until('an end', async () => {
      script.release('long')
      return (await queue.get('long').catch(() => undefined))?.state === 'done' ? true : undefined
    })
  })

  it('does every job of many, however often Redis is killed', async () => {
    const [one, two, script] = [open(), open(), new Script()]
    for (const queue of [one, two]) queue.work(script.handler, { concurrency: 2 })
    const ids = Array.from({ length: 100 }, (_, index) => `job-${index}`)
    const adding = (async () => {
      for (const id of ids)
        await until(`${id} to be added`, () =>
          one.add(job(id)).then(
            () => true,
            () => undefined,
          ),
        )
    })()
    for (let times = 0; times < 5; times++) {
      const seen = script.begun.length
      await until('some work', () => (script.begun.length > seen || script.begun.length >= 100 ? true : undefined))
      await redis.kill9()
      await redis.restart()
    }
    await adding
    for (const id of ids) await isDone(two, id)
    expect(new Set(script.begun)).toEqual(new Set(ids))
  })
})

/** Errors with all that hangs on them. */
function replaceErrors(_: string, value: unknown): unknown {
  if (!(value instanceof Error)) return value
  return { ...value, said: [value.message, value.stack, value.cause] }
}
