import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { StateAwayError, StateDamagedError } from '../../src/state/errors.ts'
import type { StoredEvent } from '../../src/state/event-store.ts'
import { EventWriter } from '../../src/state/event-writer.ts'
import { openStateStore } from '../../src/state/open-store.ts'
import { RecordingWriter } from '../../src/state/recording-writer.ts'
import type { StateStore } from '../../src/state/store.ts'
import { type RedisPeer, startRedis } from '../peers/redis.ts'
import { until } from '../peers/until.ts'
import { entryOf, eventOf, LogLines, taskOf } from '../state/entries.ts'

/** A call is answered or fails within this, ms. */
const SOON_MS = 2500
const PASSWORD = 'geheim:%40+/x'

let redis: RedisPeer
const stores: StateStore[] = []
const log = new LogLines()
beforeAll(async () => {
  redis = await startRedis()
})
afterAll(async () => {
  await Promise.all(stores.map((store) => store.close()))
  await redis.stop()
})

async function open(prefix = `${randomUUID()}:`, lifetimes = { stateTtlMs: 60_000, indexTtlMs: 60_000 }) {
  const store = await openStateStore({ dataDir: '/nowhere', redisUrl: redis.url, prefix, ...lifetimes, logger: log })
  stores.push(store)
  return store
}

/** Resolves when the store says of itself that it can be had, or cannot. */
async function becomes(store: StateStore, isReachable: boolean): Promise<void> {
  if (store.health.isReachable === isReachable) return
  const { promise, resolve } = Promise.withResolvers<void>()
  const stop = store.listen((health) => {
    if (health.isReachable === isReachable) resolve()
  })
  await promise
  stop()
}

/** Fails as a store that is away does, soon. */
async function isAway(call: Promise<unknown>): Promise<void> {
  const begun = performance.now()
  await expect(call).rejects.toThrow(StateAwayError)
  expect(performance.now() - begun).toBeLessThan(SOON_MS)
}

describe('a Redis that is away', () => {
  it('and comes back has everything, tells followers all, and takes what waited, once and in order', async () => {
    const store = await open()
    const told: StoredEvent[] = []
    store.events.follow((event) => void told.push(event))
    await store.recordings.put(entryOf('kept'))
    await store.tasks.add(taskOf('kept'))
    const recordings = new RecordingWriter(store.recordings, log)
    const events = new EventWriter(store.events, () => [{ queue: 'hooks', lifetimeMs: 60_000 }], log)
    events.append(eventOf('first'))
    expect(await events.flush({ deadlineMs: 5000 })).toBe(true)
    for (const how of ['kill9', 'restart', 'kill9'] as const) {
      await redis.kill9()
      await becomes(store, false)
      expect(store.health.problem).toMatch(/ECONNREFUSED|lost|answer/)
      await isAway(store.recordings.get('kept'))
      await isAway(store.recordings.admit(entryOf(`no${how}`), { total: 9, perUser: 9 }))
      await isAway(store.tasks.claim('q', 'w', { leaseMs: 1, limit: 1, nowMs: Date.now() }))
      await isAway(store.events.append([eventOf('no')], []))
      const base = events.pending
      for (let i = 0; i < 30; i++) {
        events.append(eventOf(`${how}${told.length}-${i}`))
        recordings.put(entryOf(`r${i % 5}`, { revision: 100 * told.length + i + 1 }))
      }
      expect(events.pending).toBe(base + 30)
      expect(recordings.pending).toBe(5)
      expect(recordings.pendingEntry('r4')?.revision).toBe(100 * told.length + 30)
      expect(await recordings.flush({ deadlineMs: 200 })).toBe(false)
      await redis.restart()
      await becomes(store, true)
      expect(await recordings.flush({ deadlineMs: 10_000 })).toBe(true)
      expect(await events.flush({ deadlineMs: 10_000 })).toBe(true)
      const { newest } = await store.events.bounds()
      await until('all events', () => (told.at(-1)?.seq === newest ? true : undefined))
    }
    expect(told).toHaveLength(91)
    expect(told).toEqual(await store.events.since(0, 1000))
    expect(told.map(({ seq }) => seq)).toEqual(Array.from({ length: 91 }, (_, i) => i + 1))
    expect((await store.tasks.counts('hooks')).waiting).toBe(91)
    expect(await store.recordings.get('kept')).toEqual(entryOf('kept'))
    expect(await store.recordings.count({})).toBe(6)
    expect((await store.tasks.get('kept'))?.state).toBe('waiting')
    recordings.close()
    events.close()
  })

  it('because it stands still is found out by itself, and costs every call two seconds at most', async () => {
    const store = await open()
    await store.recordings.put(entryOf('a'))
    redis.pause()
    const begun = performance.now()
    const calls = Array.from({ length: 200 }, (_, i) => isAway(store.recordings.put(entryOf(`p${i}`))))
    await Promise.all(calls)
    expect(performance.now() - begun).toBeLessThan(SOON_MS)
    await becomes(store, false)
    const quick = performance.now()
    await isAway(store.recordings.get('a'))
    expect(performance.now() - quick).toBeLessThan(5000)
    redis.resume()
    await becomes(store, true)
    expect(await store.recordings.get('a')).toEqual(entryOf('a'))
    redis.pause()
    await becomes(store, false)
    redis.resume()
    await becomes(store, true)
  })

  it('from the beginning does not keep a server from starting', async () => {
    await redis.kill9()
    const begun = performance.now()
    const store = await open()
    expect(performance.now() - begun).toBeLessThan(SOON_MS)
    expect(store.health.isReachable).toBe(false)
    const told: string[] = []
    store.events.follow(({ id }) => void told.push(id))
    await isAway(store.recordings.live())
    await redis.restart()
    await becomes(store, true)
    await store.recordings.put(entryOf('a'))
    expect(await store.recordings.live()).toHaveLength(1)
    await until('the event', async () => {
      await store.events.append([eventOf(randomUUID())], [])
      return told.length > 0 ? true : undefined
    })
  })

  it('for want of memory says why', async () => {
    const small = await startRedis({ flags: ['--maxmemory', '1'] })
    const store = await openStateStore({
      ...{ dataDir: '/nowhere', redisUrl: small.url, prefix: 'p:', stateTtlMs: 1000, indexTtlMs: 1000, logger: log },
    })
    await isAway(store.recordings.put(entryOf('a')))
    expect(store.health.problem).toMatch(/OOM/)
    await store.close()
    await small.stop()
  })
})

describe('what others may read', () => {
  it('is the recording itself, by id, room and user, and what is live', async () => {
    const prefix = 'webrtc:recording:'
    const store = await open(prefix)
    const client = new Redis(redis.url)
    const a = entryOf('a', { recording: { room_id: 'standup ☃', user_id: 'alice' } })
    await store.recordings.admit(a, { total: 10, perUser: 10 })
    await store.recordings.put(entryOf('b', { automatic: true, recording: { room_id: 'standup ☃', user_id: null } }))
    await store.recordings.put(entryOf('c', { recording: { status: 'completed' } }))
    expect(JSON.parse((await client.get(`${prefix}state:a`)) ?? '')).toEqual(a.recording)
    expect((await client.smembers(`${prefix}room:standup ☃`)).sort()).toEqual(['a', 'b'])
    expect((await client.smembers(`${prefix}user:alice`)).sort()).toEqual(['a', 'c'])
    expect((await client.smembers(`${prefix}active`)).sort()).toEqual(['a', 'b'])
    for (const key of ['state:a', 'room:standup ☃', 'user:alice']) {
      const ttl = await client.pttl(prefix + key)
      expect(ttl).toBeGreaterThan(55_000)
      expect(ttl).toBeLessThanOrEqual(60_000)
    }
    await store.recordings.put({ ...a, revision: 2, recording: { ...a.recording, status: 'failed' } })
    await store.recordings.remove('c')
    expect(await client.smembers(`${prefix}active`)).toEqual(['b'])
    expect(await client.exists(`${prefix}state:c`)).toBe(0)
    expect(await client.smembers(`${prefix}user:alice`)).toEqual(['a'])
    client.disconnect()
  })

  it('ends its life as configured, but never while the recording is live; the catalogue stays', async () => {
    const prefix = `${randomUUID()}:`
    const store = await open(prefix, { stateTtlMs: 900, indexTtlMs: 900 })
    const client = new Redis(redis.url)
    await store.recordings.put(entryOf('live', { recording: { room_id: 'l', user_id: 'l' } }))
    await store.recordings.put(entryOf('done', { recording: { room_id: 'd', user_id: 'd', status: 'completed' } }))
    const of = (id: string, name: string) => [`${prefix}state:${id}`, `${prefix}room:${name}`, `${prefix}user:${name}`]
    await until('the end of what is done', async () =>
      (await client.exists(...of('done', 'd'))) === 0 ? true : undefined,
    )
    expect(await client.exists(...of('live', 'l'))).toBe(3)
    expect(await store.recordings.count({ room: 'd', user: 'd', statuses: ['completed'] })).toBe(1)
    expect((await store.recordings.list({ limit: 9 })).entries).toHaveLength(2)
    client.disconnect()
  })
})

describe('what is damaged', () => {
  it('costs only itself, and is said once', async () => {
    const prefix = `${randomUUID()}:`
    const store = await open(prefix)
    const client = new Redis(redis.url)
    for (const id of ['a', 'b', 'c']) await store.recordings.put(entryOf(id))
    await client.hset(`${prefix}catalogue:entries`, 'a', 'no json', 'b', '{"version":7}')
    const before = log.of('error').length
    for (let i = 0; i < 3; i++) {
      expect(
        (await store.recordings.list({ limit: 9 })).entries.map(({ recording }) => recording.recording_id),
      ).toEqual(['c'])
      expect(await store.recordings.live()).toHaveLength(1)
    }
    expect(log.of('error').slice(before)).toHaveLength(2)
    await expect(store.recordings.get('a')).rejects.toThrow(`${prefix}catalogue:entries a in the state is damaged`)
    await store.recordings.put(entryOf('a', { revision: 2 }))
    expect(await store.recordings.get('a')).toBeDefined()
    await client.hset(`${prefix}catalogue:meta`, 'c', '{"half')
    expect(await store.recordings.put(entryOf('c', { revision: 2 }))).toBe(true)
    await client.set(`${prefix}room:taken`, 'text')
    await expect(store.recordings.put(entryOf('d', { recording: { room_id: 'taken' } }))).rejects.toThrow(
      StateDamagedError,
    )
    expect(store.health.isReachable).toBe(true)
    await store.tasks.add(taskOf('x'))
    await client.hset(`${prefix}tasks:task:x`, 'log', '[7]', 'payload', '{')
    await expect(store.tasks.get('x')).rejects.toThrow(StateDamagedError)
    expect(await store.tasks.list({ queue: 'q', limit: 9 })).toEqual([])
    client.disconnect()
  })
})

describe('the password', () => {
  it('opens the door, and is never said', async () => {
    const locked = await startRedis({ password: 'sesame' })
    const lines = new LogLines()
    const at = (password: string) => ({
      dataDir: '/nowhere',
      redisUrl: `redis://:${encodeURIComponent(password)}@127.0.0.1:${locked.port}`,
      ...{ prefix: 'p:', stateTtlMs: 1000, indexTtlMs: 1000, logger: lines },
    })
    const right = await openStateStore(at('sesame'))
    expect(await right.recordings.put(entryOf('a'))).toBe(true)
    const wrong = await openStateStore(at(PASSWORD))
    expect(wrong.health).toMatchObject({ isReachable: false, problem: expect.stringMatching(/WRONGPASS|NOAUTH/) })
    const error: unknown = await wrong.recordings.get('a').catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(StateAwayError)
    const { inspect } = await import('node:util')
    const said = inspect([error, wrong.health, lines.lines], { depth: 20 })
    expect(said).not.toContain(PASSWORD)
    expect(said).not.toContain(encodeURIComponent(PASSWORD))
    await Promise.all([right.close(), wrong.close()])
    await locked.stop()
  })
})
