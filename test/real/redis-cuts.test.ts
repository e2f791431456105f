import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { StateAwayError } from '../../src/state/errors.ts'
import type { StoredEvent } from '../../src/state/event-store.ts'
import { openStateStore } from '../../src/state/open-store.ts'
import type { StateStore } from '../../src/state/store.ts'
import { type Cut, CuttingProxy } from '../peers/cutting-proxy.ts'
import { type RedisPeer, startRedis } from '../peers/redis.ts'
import { until } from '../peers/until.ts'
import { entryOf, eventOf, LogLines, taskOf } from '../state/entries.ts'
import { CatalogueModel, QueueModel } from '../state/model.ts'
import { catalogueStep, queueStep } from '../state/model-conformance.ts'

const SEED = 20_261_121
const CUTS: readonly (Cut | undefined)[] = ['before', 'half', 'after', undefined]
const T0 = Date.parse('2026-11-21T12:00:00.000Z')

let redis: RedisPeer
let proxy: CuttingProxy
let store: StateStore
beforeAll(async () => {
  redis = await startRedis()
  proxy = await CuttingProxy.start(redis.port)
  store = await openStateStore({
    dataDir: '/nowhere',
    redisUrl: proxy.url,
    prefix: `${randomUUID()}:`,
    stateTtlMs: 60_000,
    indexTtlMs: 60_000,
    logger: new LogLines(),
  })
  await knowScripts()
})
afterAll(async () => {
  await store.close()
  await proxy.stop()
  await redis.stop()
})

/** So that every request that is cut off is the one that does something. */
async function knowScripts(): Promise<void> {
  const { recordings, events, tasks } = store
  await recordings.admit(entryOf('known', { automatic: true }), { total: 1, perUser: 1 })
  await recordings.put(entryOf('known'))
  await recordings.remove('known')
  await recordings.list({ limit: 1 })
  await recordings.count({})
  await recordings.live()
  await events.append([], [])
  await events.bounds()
  await events.prune(0)
  await tasks.add(taskOf('known', { queue: 'known' }))
  await tasks.claim('known', 'w', { leaseMs: 1, limit: 1, nowMs: 1 })
  await tasks.extend('known', 'w', 1)
  await tasks.settle('known', 'w', { kind: 'done', result: null })
  await tasks.cancel('known')
  await tasks.requeue('known', { nowMs: 1, expiresAtMs: null })
  await tasks.list({ queue: 'known', limit: 1 })
  await tasks.counts('known')
  await tasks.nextDueMs('known')
  await tasks.get('known')
  await tasks.prune('known', 0)
}

/** Cuts the first request of `call` off, and repeats it until it is answered. */
async function despite<T>(cut: Cut | undefined, call: () => Promise<T>): Promise<T> {
  if (cut !== undefined) proxy.cutNext(cut)
  const begun = performance.now()
  for (;;) {
    const before = performance.now()
    try {
      return await call()
    } catch (error) {
      if (!(error instanceof StateAwayError)) throw error
      expect(performance.now() - before).toBeLessThan(2500)
      expect(performance.now() - begun).toBeLessThan(20_000)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
}

/** What the model says: twice where the first time was carried out, and its answer lost. */
function modelled<T>(cut: Cut | undefined, does: () => T): T {
  if (cut === 'after') does()
  return does()
}

const cutOf = (i: number) => CUTS[i % CUTS.length]

it('every verb of the catalogue, cut off anywhere, takes effect once', async () => {
  const model = new CatalogueModel()
  const { recordings } = store
  for (const [i, step] of fc.sample(catalogueStep, { seed: SEED, numRuns: 160 }).entries()) {
    const cut = cutOf(i)
    if (step.do === 'put') {
      const expected = modelled(cut, () => model.put(step.entry))
      expect(await despite(cut, () => recordings.put(step.entry))).toBe(expected)
    } else if (step.do === 'remove') {
      modelled(cut, () => model.remove(step.id))
      await despite(cut, () => recordings.remove(step.id))
    } else if (step.do === 'admit') {
      const expected = modelled(cut, () => model.admit(step.entry, step))
      const admitted = despite(cut, () => recordings.admit(step.entry, step)).then(
        () => undefined,
        (error: unknown) => (String(error).includes('of one user') ? 'user' : 'total'),
      )
      expect(await admitted).toBe(expected)
    } else {
      const page = await despite(cut, () => recordings.list({ ...step.query, limit: 1000 }))
      expect(page.entries).toEqual(model.list(step.query))
      expect(await despite(cut, () => recordings.count(step.query))).toBe(model.list(step.query).length)
    }
    expect(proxy.isArmed).toBe(false)
    expect(await despite(undefined, () => recordings.live())).toEqual(model.live())
  }
  expect(await despite('after', () => recordings.live())).toEqual(model.live())
  expect((await despite('half', () => recordings.get('a')))?.revision).toBe(model.get('a')?.revision)
  expect(proxy.cuts).toBeGreaterThan(100)
})

it('every verb of the queues, cut off anywhere, takes effect as often as it arrived', async () => {
  const model = new QueueModel()
  const { tasks } = store
  let nowMs = T0
  for (const [i, step] of fc.sample(queueStep, { seed: SEED, numRuns: 200 }).entries()) {
    const cut = cutOf(i)
    if (step.do === 'add') {
      const { id, key, priority, dueAtMs, expiresAtMs } = step
      const task = taskOf(id, { key, priority, dueAtMs, expiresAtMs })
      modelled(cut, () => model.add(task))
      await despite(cut, () => tasks.add(task))
    } else if (step.do === 'claim') {
      nowMs += step.laterMs
      const options = { leaseMs: step.leaseMs, limit: step.limit, nowMs }
      const expected = modelled(cut, () => model.claim('q', step.worker, options))
      const claimed = await despite(cut, () => tasks.claim('q', step.worker, options))
      expect(claimed.map(({ id }) => id)).toEqual(expected)
    } else if (step.do === 'settle') {
      const outcome = { kind: 'retry', dueAtMs: step.dueAtMs, error: step.kind } as const
      const expected = modelled(cut, () => model.settle(step.id, step.worker, outcome))
      expect(await despite(cut, () => tasks.settle(step.id, step.worker, outcome))).toBe(expected)
    } else if (step.do === 'cancel') {
      const expected = modelled(cut, () => model.cancel(step.id))
      expect(await despite(cut, () => tasks.cancel(step.id))).toBe(expected)
    } else {
      const options = { nowMs, expiresAtMs: step.expiresAtMs }
      const expected = modelled(cut, () => model.requeue(step.id, options))
      expect(await despite(cut, () => tasks.requeue(step.id, options))).toBe(expected)
    }
    expect(proxy.isArmed).toBe(false)
    const list = await despite(cut, () => tasks.list({ queue: 'q', limit: 100 }))
    const kept = list.map(({ id, state, attempts, log, expiresAtMs }) => {
      return { id, state, attempts, errors: log.map(({ error }) => error), expiresAtMs }
    })
    expect(kept).toEqual(model.list('q'))
  }
})

it('events, cut off anywhere, are kept once, told once, in order, and delivered once', async () => {
  const told: StoredEvent[] = []
  const stop = store.events.follow((event) => void told.push(event))
  await store.events.bounds()
  const outboxes = [{ queue: 'hooks', lifetimeMs: 60_000 }]
  for (let i = 0; i < 60; i++) {
    if (i % 10 === 9) proxy.cutAll()
    const events = [eventOf(`e${i}`), eventOf(`f${i}`)]
    const stored = await despite(cutOf(i), () => store.events.append(events, outboxes))
    expect(stored.map(({ seq }) => seq)).toEqual([2 * i + 1, 2 * i + 2])
  }
  const kept = await despite('before', () => store.events.since(0, 1000))
  expect(kept.map(({ id }) => id)).toEqual(Array.from({ length: 60 }, (_, i) => [`e${i}`, `f${i}`]).flat())
  await until('all events', () => (told.length >= 120 ? true : undefined))
  expect(told).toEqual(kept)
  expect(await despite('half', () => store.tasks.counts('hooks'))).toEqual({ waiting: 120, running: 0, dead: 0 })
  await despite('after', () => store.events.prune(Date.now() + 1))
  expect(await despite('after', () => store.events.bounds())).toEqual({ oldest: 121, newest: 120 })
  stop()
})

it('what else there is of queues says the truth, cut off anywhere', async () => {
  const { tasks } = store
  for (const cut of ['before', 'half', 'after'] as const) {
    const queue = `rest-${cut}`
    const id = `${queue}-a`
    const nowMs = Date.now()
    await despite(cut, () => tasks.add(taskOf(id, { queue, dueAtMs: nowMs })))
    expect(await despite(cut, () => tasks.nextDueMs(queue))).toBeLessThanOrEqual(nowMs)
    await tasks.claim(queue, 'w', { leaseMs: 1000, limit: 1, nowMs })
    expect(await despite(cut, () => tasks.extend(id, 'w', 50_000, { percent: 7 }))).toBe(true)
    expect(await despite(cut, () => tasks.get(id))).toMatchObject({ state: 'running', progress: { percent: 7 } })
    expect(await despite(cut, () => tasks.counts(queue))).toEqual({ waiting: 0, running: 1, dead: 0 })
    expect(await despite(cut, () => tasks.settle(id, 'w', { kind: 'done', result: [] }))).toBe(true)
    expect(await despite(cut, () => tasks.settle(id, 'w', { kind: 'dead', error: 'no' }))).toBe(false)
    await despite(cut, () => tasks.prune(queue, Date.now() + 1))
    expect(await tasks.get(id)).toBeUndefined()
  }
})
