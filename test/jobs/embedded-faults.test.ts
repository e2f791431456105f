import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { EmbeddedJobQueue } from '../../src/jobs/embedded-queue.ts'
import { StateAwayError } from '../../src/state/errors.ts'
import { SqliteStateStore } from '../../src/state/sqlite/store.ts'
import type { TaskStore } from '../../src/state/task-store.ts'
import { scratch } from '../peers/tapedeck.ts'
import { until } from '../peers/until.ts'
import { HURRIED, job, Script, silent } from './scripted-jobs.ts'

const directory = scratch('jobs-faults')
afterAll(() => directory.drop())

/** A real store that cannot be had now and then: before a call took effect, or after it did. */
function flaky(tasks: TaskStore, isAway: (when: 'before' | 'after', verb: string) => boolean): TaskStore {
  const fault = (verb: string) => new StateAwayError(verb, 'a fault of the test')
  return new Proxy(tasks, {
    get: (target, verb) => {
      const call: unknown = Reflect.get(target, verb)
      if (typeof call !== 'function' || typeof verb !== 'string') return call
      return async (...args: unknown[]): Promise<unknown> => {
        if (isAway('before', verb)) throw fault(verb)
        const value: unknown = await Reflect.apply(call, target, args)
        if (isAway('after', verb)) throw fault(verb)
        return value
      }
    },
  })
}

/** Mulberry32: numbers from 0 to 1, the same for the same seed. */
function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

describe('an embedded queue whose store fails', () => {
  it.each([1, 2, 3])('brings every job to one end, seed %i', async (seed) => {
    const store = new SqliteStateStore(join(directory.path, `${seed}.db`), silent)
    const next = random(seed)
    const worker = flaky(store.tasks, (_, verb) => verb !== 'claim' && next() < 0.08)
    const options = { node: 'test', logger: silent, timing: HURRIED }
    const [queue, observer] = [new EmbeddedJobQueue(worker, options), new EmbeddedJobQueue(store.tasks, options)]
    const script = new Script()
    const told = new Set<string>()
    queue.listen({ finished: ({ job: { job_id }, state }) => told.add(`${job_id} ${state}`) })
    const wanted = new Set<string>()
    for (let index = 0; index < 30; index++) {
      const id = `job-${index}`
      const act = index % 5 === 0 ? 'refuse' : index % 7 === 0 ? 'fail' : 'done'
      wanted.add(`${id} ${act === 'done' ? 'done' : 'dead'}`)
      script.plan(id, act)
      await until(`${id} to be added`, () =>
        queue.add(job(id)).then(
          () => true,
          () => undefined,
        ),
      )
    }
    queue.work(script.handler, { concurrency: 3 })
    await until('all ends', async () => {
      const { waiting, running } = await observer.depth()
      return waiting + running === 0 ? true : undefined
    })
    const ended = (await observer.list({ limit: 100 })).map(({ job: { job_id }, state }) => `${job_id} ${state}`)
    expect(new Set(ended)).toEqual(wanted)
    await until('all to be told', () => (told.size >= wanted.size ? true : undefined))
    expect(told).toEqual(wanted)
    await queue.close()
    await store.close()
  })

  it('goes on with what runs while the store is away, and hands its result over afterwards', async () => {
    const store = new SqliteStateStore(join(directory.path, 'away.db'), silent)
    let isAway = false
    const tasks = flaky(store.tasks, (when) => when === 'before' && isAway)
    const queue = new EmbeddedJobQueue(tasks, { node: 'test', logger: silent, timing: { ...HURRIED, leaseMs: 60_000 } })
    const script = new Script()
    queue.work(script.handler, { concurrency: 1 })
    await queue.add(script.plan('long', 'hang'))
    await until('it to run', () => (script.begun.length > 0 ? true : undefined))
    isAway = true
    await expect(queue.add(job('other'))).rejects.toThrow(StateAwayError)
    script.release('long')
    await until('its end', () => (script.busy === 0 ? true : undefined))
    expect((await store.tasks.get('jobs:long'))?.state).toBe('running')
    isAway = false
    await until('its result', async () => ((await queue.get('long'))?.state === 'done' ? true : undefined))
    expect(script.aborted).toEqual([])
    expect(script.begun).toEqual(['long'])
    await queue.close()
    await store.close()
  })

  it('does again, after a claim whose answer was lost', async () => {
    const store = new SqliteStateStore(join(directory.path, 'claim.db'), silent)
    let isLost = true
    const tasks = flaky(store.tasks, (when, verb) => {
      const fails = isLost && when === 'after' && verb === 'claim'
      if (fails) isLost = false
      return fails
    })
    const queue = new EmbeddedJobQueue(tasks, { node: 'test', logger: silent, timing: HURRIED })
    const script = new Script()
    await queue.add(job('a'))
    queue.work(script.handler, { concurrency: 1 })
    const status = await until('its end', async () => {
      const now = await queue.get('a')
      return now?.state === 'done' ? now : undefined
    })
    expect(status.attempts).toBe(2)
    expect(script.begun).toEqual(['a'])
    await queue.close()
    await store.close()
  })
})
