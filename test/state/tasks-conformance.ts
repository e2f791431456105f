import { describe, expect, it } from 'vitest'
import { LimitError } from '../../src/media/errors.ts'
import type { Task } from '../../src/state/task-store.ts'
import { taskOf } from './entries.ts'
import type { StoreBench } from './store-bench.ts'

const NOW = Date.now()
const at = (nowMs: number, limit = 10, leaseMs = 1000) => ({ nowMs, limit, leaseMs })
const ids = (tasks: readonly Task[]) => tasks.map(({ id }) => id)
const DONE = { kind: 'done', result: null } as const

/** What every durable queue has to do. `fresh` gives an empty state. */
export function tasksConform(fresh: () => StoreBench): void {
  describe('tasks', () => {
    it('are kept as they were added, once', async () => {
      const bench = fresh()
      const { tasks } = await bench.open()
      const payload = { list: [], nested: { empty: {}, text: 'ü☃\u0000"\\/' }, big: 'x'.repeat(200_000) }
      const task = taskOf('a', { key: 'k|:☃', priority: -3, payload, dueAtMs: NOW, expiresAtMs: NOW + 5 })
      await tasks.add(task)
      await tasks.add({ ...task, payload: 'other' })
      const again = await (await bench.open()).tasks.get('a')
      expect(again).toEqual({
        ...task,
        state: 'waiting',
        createdAtMs: again?.createdAtMs,
        attempts: 0,
        log: [],
        progress: null,
        result: null,
        finishedAtMs: null,
      })
      expect(await tasks.list({ queue: 'q', limit: 10 })).toEqual([again])
      expect(await tasks.get('b')).toBeUndefined()
      expect(await tasks.list({ queue: 'other', limit: 10 })).toEqual([])
      await expect(tasks.add(taskOf('big', { payload: 'x'.repeat(256 * 1024) }))).rejects.toThrow(LimitError)
    })

    it('go by priority, then by order, when they are due', async () => {
      const { tasks } = await fresh().open()
      await tasks.add(taskOf('late', { dueAtMs: NOW + 10, priority: 9 }))
      await tasks.add(taskOf('a'))
      await tasks.add(taskOf('b', { priority: 1, key: 'k' }))
      await tasks.add(taskOf('c', { priority: 100, key: 'k' }))
      await tasks.add(taskOf('d', { priority: -1 }))
      await tasks.add(taskOf('elsewhere', { queue: 'q2' }))
      expect(ids(await tasks.claim('q', 'w', at(NOW, 2)))).toEqual(['b', 'a'])
      expect(ids(await tasks.claim('q', 'w', at(NOW)))).toEqual(['d'])
      expect(await tasks.nextDueMs('q')).toBeLessThanOrEqual(NOW + 10)
      expect(ids(await tasks.claim('q', 'w', at(NOW + 10)))).toEqual(['late'])
      expect(await tasks.settle('b', 'w', DONE)).toBe(true)
      expect(ids(await tasks.claim('q', 'w', at(NOW + 10)))).toEqual(['c'])
      expect(await tasks.counts('q')).toEqual({ waiting: 0, running: 4, dead: 0 })
      expect(await tasks.counts('q2')).toEqual({ waiting: 1, running: 0, dead: 0 })
    })

    it('of a key run one after the other, in order, whoever retries', async () => {
      const { tasks } = await fresh().open()
      for (const id of ['a', 'b', 'c']) await tasks.add(taskOf(id, { key: 'k' }))
      await tasks.add(taskOf('empty', { key: '' }))
      expect(ids(await tasks.claim('q', 'w', at(NOW)))).toEqual(['a', 'empty'])
      expect(await tasks.claim('q', 'v', at(NOW))).toEqual([])
      const again = { kind: 'retry', dueAtMs: NOW + 500, error: 'no' } as const
      expect(await tasks.settle('a', 'w', again)).toBe(true)
      expect(await tasks.claim('q', 'v', at(NOW + 499))).toEqual([])
      const [a] = await tasks.claim('q', 'v', at(NOW + 500))
      expect(a).toMatchObject({ id: 'a', attempts: 2, log: [{ error: 'no' }] })
      expect(await tasks.settle('a', 'v', { kind: 'dead', error: 'never' })).toBe(true)
      expect(ids(await tasks.claim('q', 'v', at(NOW + 500)))).toEqual(['b'])
      expect(await tasks.cancel('b')).toBe(true)
      expect(ids(await tasks.claim('q', 'v', at(NOW + 500)))).toEqual(['c'])
      expect(await tasks.get('a')).toMatchObject({ state: 'dead', log: [{ error: 'no' }, { error: 'never' }] })
    })

    it('belong to a worker for the time of its lease, which it may extend', async () => {
      const bench = fresh()
      const [one, two] = [(await bench.open()).tasks, (await bench.open()).tasks]
      await one.add(taskOf('a', { key: 'k' }))
      await one.add(taskOf('b', { key: 'k' }))
      const real = Date.now()
      await one.claim('q', 'w', at(real, 1, 1000))
      expect(await two.claim('q', 'v', at(real + 999))).toEqual([])
      expect(await two.nextDueMs('q')).toBeLessThanOrEqual(real + 1000)
      expect(await two.extend('a', 'v', 5000)).toBe(false)
      expect(await one.extend('a', 'w', 60_000, { percent: 5 })).toBe(true)
      expect(await one.extend('a', 'w', 60_000)).toBe(true)
      expect(await two.claim('q', 'v', at(real + 59_999))).toEqual([])
      expect(await two.get('a')).toMatchObject({ state: 'running', progress: { percent: 5 } })
      const [taken] = await two.claim('q', 'v', at(real + 200_000))
      expect(taken).toMatchObject({ id: 'a', attempts: 2, progress: null, log: [{ error: 'its worker was lost' }] })
      expect(await one.extend('a', 'w', 60_000)).toBe(false)
      expect(await one.settle('a', 'w', DONE)).toBe(false)
      expect(await two.settle('a', 'v', { kind: 'done', result: { files: [] } })).toBe(true)
      expect(await two.get('a')).toMatchObject({ state: 'done', result: { files: [] } })
      expect(await two.extend('a', 'v', 1)).toBe(false)
      expect(await two.extend('unknown', 'v', 1)).toBe(false)
    })

    it('may be extended and settled after the lease, as long as nobody else took them', async () => {
      const { tasks } = await fresh().open()
      await tasks.add(taskOf('a', { expiresAtMs: NOW + 5 }))
      await tasks.claim('q', 'w', at(NOW - 100_000, 1, 1))
      await tasks.add(taskOf('first', { priority: 5 }))
      expect(ids(await tasks.claim('q', 'v', at(NOW - 50_000, 1)))).toEqual(['first'])
      await tasks.settle('first', 'v', DONE)
      expect(await tasks.extend('a', 'w', 60_000)).toBe(true)
      expect(await tasks.claim('q', 'v', at(NOW - 50_000))).toEqual([])
      expect(await tasks.settle('a', 'w', { kind: 'retry', dueAtMs: NOW, error: 'x' })).toBe(true)
      expect(await tasks.claim('q', 'v', at(NOW + 5))).toEqual([])
      expect(await tasks.get('a')).toMatchObject({ state: 'dead' })
    })

    it('are settled once more without harm: an answer may have been lost', async () => {
      const { tasks } = await fresh().open()
      await tasks.add(taskOf('a'))
      await tasks.claim('q', 'w', at(NOW))
      const retry = { kind: 'retry', dueAtMs: NOW + 1, error: 'x' } as const
      expect(await tasks.settle('a', 'w', retry)).toBe(true)
      expect(await tasks.settle('a', 'w', retry)).toBe(true)
      expect((await tasks.get('a'))?.log).toHaveLength(1)
      await tasks.claim('q', 'w', at(NOW + 1))
      expect(await tasks.settle('a', 'w', DONE)).toBe(true)
      expect(await tasks.settle('a', 'w', DONE)).toBe(true)
      expect(await tasks.settle('a', 'w', retry)).toBe(false)
      expect(await tasks.settle('a', 'v', DONE)).toBe(false)
      expect(await tasks.settle('unknown', 'v', DONE)).toBe(false)
    })

    it('die of age where they wait, and of a lost worker when nobody may begin them any more', async () => {
      const { tasks } = await fresh().open()
      await tasks.add(taskOf('head', { key: 'k' }))
      await tasks.add(taskOf('behind', { key: 'k', expiresAtMs: NOW + 10 }))
      await tasks.add(taskOf('last', { key: 'k' }))
      await tasks.add(taskOf('runs', { expiresAtMs: NOW + 10 }))
      await tasks.add(taskOf('lost', { expiresAtMs: NOW + 10 }))
      await tasks.add(taskOf('waits', { dueAtMs: NOW + 20, expiresAtMs: NOW + 10 }))
      await tasks.claim('q', 'w', at(NOW, 10, 5))
      await tasks.extend('runs', 'w', 100_000)
      await tasks.extend('head', 'w', 100_000)
      expect(await tasks.claim('q', 'v', at(NOW + 10, 1))).toEqual([])
      const states = await Promise.all(['head', 'behind', 'last', 'runs', 'lost', 'waits'].map((id) => tasks.get(id)))
      expect(states.map((task) => task?.state)).toEqual(['running', 'dead', 'waiting', 'running', 'dead', 'dead'])
      expect(states[5]).toMatchObject({ finishedAtMs: NOW + 10, log: [{ error: 'it was not begun in time' }] })
      await tasks.settle('head', 'w', DONE)
      expect(ids(await tasks.claim('q', 'v', at(NOW + 10)))).toEqual(['last'])
    })

    it('that expired at the head of a key let the next one go in the same step', async () => {
      const { tasks } = await fresh().open()
      await tasks.add(taskOf('a', { key: 'k', expiresAtMs: NOW }))
      await tasks.add(taskOf('b', { key: 'k', expiresAtMs: NOW }))
      await tasks.add(taskOf('c', { key: 'k' }))
      expect(ids(await tasks.claim('q', 'w', at(NOW, 1)))).toEqual(['c'])
    })

    it('are cancelled while they wait or run, and not after', async () => {
      const { tasks } = await fresh().open()
      await tasks.add(taskOf('a'))
      await tasks.add(taskOf('b', { priority: 1 }))
      await tasks.claim('q', 'w', at(NOW, 1))
      expect([await tasks.cancel('a'), await tasks.cancel('b'), await tasks.cancel('a')]).toEqual([true, true, false])
      expect(await tasks.cancel('unknown')).toBe(false)
      expect(await tasks.extend('b', 'w', 1000)).toBe(false)
      expect(await tasks.settle('b', 'w', DONE)).toBe(false)
      expect(await tasks.claim('q', 'w', at(NOW + 100_000))).toEqual([])
      expect(await tasks.nextDueMs('q')).toBeUndefined()
    })

    it('wait again after they ended, behind the others of their key', async () => {
      const { tasks } = await fresh().open()
      for (const id of ['a', 'b']) await tasks.add(taskOf(id, { key: 'k', expiresAtMs: NOW + 10 }))
      await tasks.claim('q', 'w', at(NOW))
      await tasks.settle('a', 'w', { kind: 'dead', error: 'x' })
      expect(await tasks.requeue('b', { nowMs: NOW, expiresAtMs: null })).toBe(false)
      expect(await tasks.requeue('unknown', { nowMs: NOW, expiresAtMs: null })).toBe(false)
      expect(await tasks.requeue('a', { nowMs: NOW + 5, expiresAtMs: NOW + 500 })).toBe(true)
      expect(await tasks.get('a')).toMatchObject({
        state: 'waiting',
        attempts: 0,
        dueAtMs: NOW + 5,
        expiresAtMs: NOW + 500,
        finishedAtMs: null,
        log: [{ error: 'x' }],
      })
      expect(await tasks.settle('a', 'w', { kind: 'dead', error: 'x' })).toBe(false)
      expect(ids(await tasks.claim('q', 'w', at(NOW + 5)))).toEqual(['b'])
      await tasks.settle('b', 'w', DONE)
      expect(ids(await tasks.claim('q', 'w', at(NOW + 100)))).toEqual(['a'])
    })

    it('are listed newest first by state and key, counted, and forgotten when they ended long ago', async () => {
      const { tasks } = await fresh().open()
      for (let i = 0; i < 12; i++) await tasks.add(taskOf(`t${i}`, { key: i % 2 === 0 ? 'even' : null }))
      expect(ids(await tasks.list({ queue: 'q', limit: 3 }))).toEqual(['t11', 't10', 't9'])
      expect(ids(await tasks.list({ queue: 'q', key: 'even', limit: 3 }))).toEqual(['t10', 't8', 't6'])
      await tasks.cancel('t10')
      await tasks.cancel('t1')
      await tasks.claim('q', 'w', at(NOW, 2))
      expect(ids(await tasks.list({ queue: 'q', key: 'even', states: ['cancelled'], limit: 9 }))).toEqual(['t10'])
      expect(ids(await tasks.list({ queue: 'q', states: ['cancelled', 'running'], limit: 9 }))).toEqual([
        't10',
        't3',
        't1',
        't0',
      ])
      expect(ids(await tasks.list({ queue: 'q', states: ['running'], limit: 1 }))).toEqual(['t3'])
      expect(await tasks.list({ queue: 'q', states: [], limit: 9 })).toEqual([])
      await tasks.prune('q', Date.now() + 1)
      expect(await tasks.list({ queue: 'q', states: ['cancelled'], limit: 9 })).toEqual([])
      expect(await tasks.get('t10')).toBeUndefined()
      expect(await tasks.counts('q')).toEqual({ waiting: 8, running: 2, dead: 0 })
      await tasks.add(taskOf('t10', { key: 'even' }))
      expect(ids(await tasks.list({ queue: 'q', key: 'even', limit: 2 }))).toEqual(['t10', 't8'])
    })

    it('keep the latest twenty tries', async () => {
      const { tasks } = await fresh().open()
      await tasks.add(taskOf('a'))
      for (let i = 0; i < 25; i++) {
        await tasks.claim('q', 'w', at(NOW + i))
        await tasks.settle('a', 'w', { kind: 'retry', dueAtMs: NOW + i + 1, error: `try ${i}` })
      }
      const task = await tasks.get('a')
      expect(task?.attempts).toBe(25)
      expect(task?.log.map(({ error }) => error)).toEqual(Array.from({ length: 20 }, (_, i) => `try ${i + 5}`))
    })

    it('are each given to one of many workers in four processes', async () => {
      const bench = fresh()
      const { tasks } = await bench.open()
      for (let i = 0; i < 120; i++) await tasks.add(taskOf(`t${i}`, { key: i % 3 === 0 ? `k${i % 9}` : null }))
      const said = await Promise.all(
        [1, 2, 3, 4].map((worker) =>
          bench.elsewhere(`
            const done = []
            for (;;) {
              const claimed = await store.tasks.claim('q', 'w${worker}', { leaseMs: 60000, limit: 3, nowMs: Date.now() })
              for (const { id } of claimed) {
                done.push(id)
                if (!await store.tasks.settle(id, 'w${worker}', { kind: 'done', result: null })) throw new Error(id)
              }
              const { waiting, running } = await store.tasks.counts('q')
              if (waiting + running === 0) break
            }
            console.log(done.join(' '))`),
        ),
      )
      const done = said.flatMap((line) => line.split(' ').filter((id) => id !== ''))
      expect(done).toHaveLength(120)
      expect(new Set(done).size).toBe(120)
    })
  })
}
