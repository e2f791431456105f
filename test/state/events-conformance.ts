import { describe, expect, it } from 'vitest'
import type { StoredEvent } from '../../src/state/event-store.ts'
import { until } from '../peers/until.ts'
import { eventOf, isoOf } from './entries.ts'
import type { StoreBench } from './store-bench.ts'

const OUTBOXES = [
  { queue: 'hooks:a', lifetimeMs: 60_000 },
  { queue: 'hooks', lifetimeMs: 1000 },
]
const DAY_MS = 86_400_000

/** What every log of events has to do. `fresh` gives an empty state. */
export function eventsConform(fresh: () => StoreBench): void {
  describe('events', () => {
    it('are numbered from 1 in one order, over two stores and a reopening', async () => {
      const bench = fresh()
      const [one, two] = [await bench.open(), await bench.open()]
      expect(await one.events.bounds()).toEqual({ oldest: 1, newest: 0 })
      const first = await one.events.append([eventOf('a'), eventOf('b', { data: { n: 1 } })], [])
      const second = await two.events.append([eventOf('c')], [])
      expect([...first, ...second].map(({ seq }) => seq)).toEqual([1, 2, 3])
      const again = await bench.open()
      expect(await again.events.since(0, 100)).toEqual([...first, ...second])
      expect(await again.events.since(1, 1)).toEqual(first.slice(1))
      expect(await again.events.since(3, 100)).toEqual([])
      expect(await again.events.bounds()).toEqual({ oldest: 1, newest: 3 })
      expect(await one.events.append([], OUTBOXES)).toEqual([])
    })

    it('are kept once however often they are appended, and queue their deliveries once', async () => {
      const { events, tasks } = await fresh().open()
      const [a] = await events.append([eventOf('a')], OUTBOXES)
      const before = Date.now()
      const both = await events.append([eventOf('a', { data: { other: true } }), eventOf('b'), eventOf('b')], OUTBOXES)
      expect(both.map(({ id, seq }) => [id, seq])).toEqual([
        ['a', 1],
        ['b', 2],
        ['b', 2],
      ])
      expect(both[0]).toEqual(a)
      for (const { queue, lifetimeMs } of OUTBOXES) {
        const queued = await tasks.list({ queue, limit: 10 })
        expect(queued.map(({ id }) => id)).toEqual([`${queue}:b`, `${queue}:a`])
        expect(queued[0]?.payload).toEqual(both[1])
        expect(queued[0]?.expiresAtMs).toBeGreaterThanOrEqual(before + lifetimeMs)
        expect(queued[0]?.dueAtMs).toBeLessThanOrEqual(Date.now())
      }
    })

    it('are delivered in order per recording, else per room, else all in one', async () => {
      const { events, tasks } = await fresh().open()
      const noRecording = { recording_id: null }
      await events.append(
        [
          eventOf('a'),
          eventOf('b', noRecording),
          eventOf('c', { ...noRecording, room_id: null }),
          eventOf('d', { ...noRecording, room_id: null }),
        ],
        [{ queue: 'q', lifetimeMs: DAY_MS }],
      )
      expect((await tasks.list({ queue: 'q', limit: 9 })).map(({ key }) => key)).toEqual(['', '', 'room', 'rec'])
      const claimed = await tasks.claim('q', 'w', { leaseMs: 1000, limit: 9, nowMs: Date.now() })
      expect(claimed.map(({ id }) => id)).toEqual(['q:a', 'q:b', 'q:c'])
    })

    it('are not delivered where their type is left out', async () => {
      const { events, tasks } = await fresh().open()
      const all = [eventOf('a'), eventOf('p', { type: 'recording_progress' }), eventOf('b')]
      await events.append(all, [
        { queue: 'some', lifetimeMs: DAY_MS, leavesOut: ['recording_progress'] },
        { queue: 'every', lifetimeMs: DAY_MS },
        { queue: 'none', lifetimeMs: DAY_MS, leavesOut: ['recording_started', 'recording_progress'] },
      ])
      expect((await tasks.list({ queue: 'some', limit: 9 })).map(({ id }) => id)).toEqual(['some:b', 'some:a'])
      expect(await tasks.counts('every')).toEqual({ waiting: 3, running: 0, dead: 0 })
      expect(await tasks.counts('none')).toEqual({ waiting: 0, running: 0, dead: 0 })
    })

    it('are forgotten from the front alone, and numbers go on', async () => {
      const { events } = await fresh().open()
      const now = Date.now()
      const at = (id: string, agoMs: number) => eventOf(id, { time: isoOf(now - agoMs) })
      await events.append([at('a', 9000), at('b', 8000), at('late', 1000), at('c', 7000), at('d', 500)], [])
      await events.prune(now - 5000)
      expect((await events.since(0, 10)).map(({ id }) => id)).toEqual(['late', 'c', 'd'])
      expect(await events.bounds()).toEqual({ oldest: 3, newest: 5 })
      await events.prune(now + 1)
      expect(await events.bounds()).toEqual({ oldest: 6, newest: 5 })
      expect((await events.append([at('a', 0)], []))[0]?.seq).toBe(6)
    })

    it('are forgotten by thousands', async () => {
      const { events } = await fresh().open()
      const old = Array.from({ length: 2500 }, (_, i) => eventOf(`o${i}`, { time: isoOf(1000) }))
      for (let i = 0; i < old.length; i += 500) await events.append(old.slice(i, i + 500), [])
      await events.append([eventOf('new')], [])
      await events.prune(2000)
      expect(await events.bounds()).toEqual({ oldest: 2501, newest: 2501 })
    })

    it('are told to whoever follows, from any process, in order, from when it began until it stops', async () => {
      const bench = fresh()
      const [one, two] = [await bench.open(), await bench.open()]
      await one.events.append([eventOf('before')], [])
      const heard: StoredEvent[] = []
      const other: StoredEvent[] = []
      const stop = one.events.follow((event) => void heard.push(event))
      one.events.follow(() => {
        throw new Error('a bad follower')
      })
      const stopOther = two.events.follow((event) => void other.push(event))
      // both are answered after the followers have begun
      await Promise.all([one.events.bounds(), two.events.bounds()])
      const appended: Promise<unknown>[] = []
      for (let i = 0; i < 40; i++) {
        appended.push((i % 2 === 0 ? one : two).events.append([eventOf(`e${i}`), eventOf(`f${i}`)], []))
      }
      await Promise.all(appended)
      await until('all events', () => (heard.length >= 80 && other.length >= 80 ? true : undefined))
      expect(heard.map(({ seq }) => seq)).toEqual(Array.from({ length: 80 }, (_, i) => i + 2))
      expect(other).toEqual(heard)
      expect(heard).toEqual(await one.events.since(1, 100))
      stop()
      await two.events.append([eventOf('after')], [])
      await until('the last event', () => (other.at(-1)?.id === 'after' ? true : undefined))
      expect(heard).toHaveLength(80)
      stopOther()
    })

    it('of another process come soon', async () => {
      const bench = fresh()
      const { events } = await bench.open()
      const told = Promise.withResolvers<number>()
      const stop = events.follow(() => told.resolve(Date.now()))
      await events.bounds()
      const said = await bench.elsewhere(`await store.events.append([eventOf('x')], []); console.log(Date.now())`)
      expect((await told.promise) - Number(said)).toBeLessThan(10_000)
      stop()
    })
  })
}
