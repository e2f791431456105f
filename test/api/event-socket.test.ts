import { join } from 'node:path'
import Fastify, { type FastifyInstance } from 'fastify'
import { SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { Access, type AccessRules } from '../../src/api/access.ts'
import type { ROLES } from '../../src/api/caller.ts'
import { EventSocket } from '../../src/api/event-socket.ts'
import { TokenKeeper } from '../../src/api/token.ts'
import type { EventType } from '../../src/events/event.ts'
import { EventLog } from '../../src/events/event-log.ts'
import type { Logger } from '../../src/media/ports.ts'
import { SqliteStateStore } from '../../src/state/sqlite/store.ts'
import { scratch } from '../peers/tapedeck.ts'
import { until } from '../peers/until.ts'
import { EventClient } from './event-client.ts'

const HOUR_MS = 3_600_000
const silent: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
const SECRET = Buffer.alloc(32, 5)
const keeper = new TokenKeeper(SECRET)

/** What a server has of events, on a port of its own. */
async function begin(path: string, rules: Partial<AccessRules> = {}, logger = silent) {
  const store = new SqliteStateStore(path, silent)
  const log = new EventLog({ store, logger: silent })
  const access = new Access({ requireToken: true, allowAnonymous: false, ...rules }, keeper)
  const app: FastifyInstance = Fastify({ forceCloseConnections: true })
  const sockets = new EventSocket({ log, access, logger, version: '1.2.3' })
  sockets.mount(app, ['/api', '/api/webrtc'])
  const base = (await app.listen({ host: '127.0.0.1', port: 0 })).replace('http:', 'ws:')
  const end = async () => {
    await app.close()
    await log.close()
    await store.close()
  }
  return { store, log, app, sockets, url: `${base}/api/events`, base, end }
}

const token = (
  user: string | undefined,
  rooms: '*' | string[] | undefined,
  role?: (typeof ROLES)[number],
  ttlMs = HOUR_MS,
): Promise<string> =>
  keeper.issue(
    {
      grants: [],
      ...(user === undefined ? {} : { user }),
      ...(rooms === undefined ? {} : { rooms }),
      ...(role === undefined ? {} : { role }),
    },
    ttlMs,
  )

const expired = () =>
  new SignJWT({ role: 'admin' })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime(Math.floor(Date.now() / 1000) - 5) // within the skew that is tolerated elsewhere
    .sign(SECRET)

const place = scratch('event-socket')
let server: Awaited<ReturnType<typeof begin>>
let admin: string

let marks = 0
/** Says something that everybody who may hear anything hears of, so that what did not come before it never will. */
function emit(roomId: string | null, about: { type?: EventType; recordingId?: string; userId?: string } = {}): number {
  const n = ++marks
  const { type = roomId === null ? 'disk_low' : 'participant_joined', recordingId = null, userId = null } = about
  server.log.emit({ type, roomId, recordingId, userId, data: { n } })
  return n
}
const numbers = (client: EventClient) => client.events.map(({ data }) => data.n)

beforeAll(async () => {
  server = await begin(join(place.path, 'catalogue.db'))
  admin = await token('root', undefined, 'admin')
})
afterAll(async () => {
  await server.end()
  place.drop()
})

describe('events over WebSocket', () => {
  it('greet, and tell what happens from then on, in the documented shape', async () => {
    const client = await EventClient.greeted(server.url, { authorization: `Bearer ${admin}` })
    const before = client.messages[0].seq
    expect(client.messages[0]).toMatchObject({ type: 'hello', room_id: null, id: null, data: { version: '1.2.3' } })
    const n = emit('demo', { type: 'recording_started', recordingId: 'r1', userId: 'alice' })
    await client.until(() => client.events.length === 1)
    expect(client.events[0]).toEqual({
      type: 'recording_started',
      room_id: 'demo',
      data: { n },
      seq: expect.any(Number),
      time: expect.stringMatching(/^\d{4}-.*Z$/),
      id: expect.any(String),
    })
    expect(client.events[0].seq).toBeGreaterThan(before)
    client.socket.close()
  })

  it('are also at /api/webrtc/events, and say what they are to those who do not upgrade', async () => {
    const client = await EventClient.greeted(`${server.base}/api/webrtc/events?token=${admin}`)
    client.socket.close()
    const answer = await fetch(`${server.url.replace('ws:', 'http:')}`)
    expect(answer.status).toBe(426)
    expect(await answer.json()).toMatchObject({ error: { code: 'TD_BAD_REQUEST' } })
  })

  it('take the token in the header, in the query, or as the first message', async () => {
    const byHeader = await EventClient.greeted(server.url, { authorization: `Bearer ${admin}` })
    const byQuery = await EventClient.greeted(`${server.url}?token=${admin}`)
    const byMessage = new EventClient(server.url)
    await byMessage.opened()
    byMessage.say({ type: 'auth', token: admin })
    await byMessage.until(() => byMessage.messages[0]?.type === 'hello')
    for (const client of [byHeader, byQuery, byMessage]) client.socket.close()
  })

  it.each<[string, () => Promise<string>, number]>([
    ['a garbled token', async () => '?token=x.y.z', 4401],
    ['an empty token', async () => '?token=', 4401],
    ['an expired token', async () => `?token=${await expired()}`, 4401],
    [
      'a token of another key',
      async () => `?token=${await new TokenKeeper(Buffer.alloc(32, 6)).issue({ user: 'a', grants: [] }, HOUR_MS)}`,
      4401,
    ],
    [
      'algorithm none',
      async () => `?token=eyJhbGciOiJub25lIn0.${Buffer.from('{"sub":"a","exp":4000000000}').toString('base64url')}.`,
      4401,
    ],
    [
      'a token for streams only',
      async () => `?token=${await keeper.issue({ rooms: '*', grants: ['play'] }, HOUR_MS)}`,
      4403,
    ],
    ['a room that is not its own', async () => `?room=demo,other&token=${await token('alice', ['demo'])}`, 4403],
    ['a since that is no number', async () => `?since=x&token=${admin}`, 4400],
  ])('refuse %s', async (_, query, code) => {
    const client = new EventClient(server.url + (await query()))
    expect((await client.end()).code).toBe(code)
    expect(client.messages).toEqual([])
  })

  it('refuse who does not say who they are, and what makes no sense', async () => {
    const hasty = new EventClient(server.url)
    await hasty.opened()
    hasty.say({ type: 'subscribe', room: 'demo' })
    expect(await hasty.end()).toMatchObject({ code: 4401 })
    for (const text of ['x', '{}', '[]', '{"type":"auth"}', '{"type":"auth","token":7}', '{"type":"launch"}']) {
      const client = new EventClient(`${server.url}?token=${admin}`)
      await client.opened()
      client.socket.send(text)
      expect(await client.end(), text).toMatchObject({ code: 4400 })
    }
    const binary = new EventClient(`${server.url}?token=${admin}`)
    await binary.opened()
    binary.socket.send(Buffer.from('{"type":"subscribe","room":"demo"}'))
    expect(await binary.end()).toMatchObject({ code: 4400 })
  })

  it('bound what a client may say: in size, in number, and silence', { timeout: 20_000 }, async () => {
    const large = new EventClient(`${server.url}?token=${admin}`)
    await large.opened()
    large.socket.send('x'.repeat(10_000))
    expect(await large.end()).toMatchObject({ code: 1009 })
    const fast = await EventClient.greeted(`${server.url}?token=${admin}`)
    for (let i = 0; i < 60; i++) fast.say({ type: 'unsubscribe', room: 'demo' })
    expect(await fast.end()).toMatchObject({ code: 1008 })
    const silentOne = new EventClient(server.url)
    expect(await silentOne.end()).toMatchObject({ code: 4401, reason: expect.stringContaining('token is needed') })
  })

  it('end with the token, unless a fresh one is shown', async () => {
    const url = `${server.url}?token=${await token('alice', ['demo'], undefined, 5000)}`
    const [idle, renewed] = await Promise.all([EventClient.greeted(url), EventClient.greeted(url)])
    renewed.say({ type: 'auth', token: await token('alice', ['demo']) })
    expect(await idle.end()).toMatchObject({ code: 4401, reason: 'the token has expired' })
    const n = emit('demo')
    await renewed.until(() => numbers(renewed).includes(n))
    renewed.socket.close()
  })

  it('tell each caller what it may know, and nothing else', async () => {
    const callers: readonly (readonly [string, string])[] = [
      ['alice', await token('alice', ['demo'])],
      ['alice, of no room', await token('alice', undefined)],
      ['bob', await token('bob', ['demo'])],
      ['viewer', await token('v', ['demo'], 'viewer')],
      ['operator', await token('o', ['demo'], 'operator')],
      ['viewer of another room', await token('v', ['other'], 'viewer')],
      ['admin', admin],
      ['admin of a room', await token('root', ['other'], 'admin')],
    ]
    const clients = await Promise.all(
      callers.map(async ([name, shown]) => [name, await EventClient.greeted(`${server.url}?token=${shown}`)] as const),
    )
    const told = {
      participant: emit('demo'),
      ofAlice: emit('demo', { type: 'recording_started', recordingId: 'a', userId: 'alice' }),
      ofBob: emit('demo', { type: 'recording_started', recordingId: 'b', userId: 'bob' }),
      automatic: emit('demo', { type: 'recording_started', recordingId: 'c' }),
      ofAliceElsewhere: emit('other', { type: 'recording_started', recordingId: 'd', userId: 'alice' }),
      elsewhere: emit('other'),
      ofServer: emit(null),
    }
    const expected: Readonly<Record<string, readonly (keyof typeof told)[]>> = {
      alice: ['participant', 'ofAlice', 'ofAliceElsewhere'],
      'alice, of no room': ['ofAlice', 'ofAliceElsewhere'],
      bob: ['participant', 'ofBob'],
      viewer: ['participant', 'ofAlice', 'ofBob', 'automatic'],
      operator: ['participant', 'ofAlice', 'ofBob', 'automatic', 'ofServer'],
      'viewer of another room': ['ofAliceElsewhere', 'elsewhere'],
      admin: ['participant', 'ofAlice', 'ofBob', 'automatic', 'ofAliceElsewhere', 'elsewhere', 'ofServer'],
      'admin of a room': ['ofAliceElsewhere', 'elsewhere', 'ofServer'],
    }
    const everybody = await EventClient.greeted(`${server.url}?since=0&token=${admin}`)
    await everybody.until(() => numbers(everybody).includes(told.ofServer))
    for (const [name, client] of clients) {
      // an answer behind the last event: whatever was to come has come
      client.say({ type: 'unsubscribe', room: 'none' })
      await client.until(() => client.messages.at(-1)?.type === 'subscribed')
      expect(numbers(client), name).toEqual(expected[name].map((key) => told[key]))
      client.socket.close()
    }
    everybody.socket.close()
  })

  it('are narrowed to rooms, at opening and later', async () => {
    const client = await EventClient.greeted(`${server.url}?room=a,b&token=${admin}`)
    const heard = [emit('a'), emit('b')]
    emit('c')
    emit(null)
    client.say({ type: 'subscribe', room: 'c' })
    await client.until(() => client.messages.at(-1)?.type === 'subscribed')
    expect(client.messages.at(-1)?.data).toEqual({ rooms: ['a', 'b', 'c'] })
    heard.push(emit('c'))
    await client.until(() => numbers(client).includes(heard[2]))
    client.say({ type: 'unsubscribe', room: 'a' })
    await client.until(() => client.messages.at(-1)?.type === 'subscribed')
    emit('a')
    heard.push(emit('b'))
    await client.until(() => numbers(client).includes(heard[3]))
    expect(numbers(client)).toEqual(heard)
    const alice = await EventClient.greeted(`${server.url}?token=${await token('alice', ['demo'])}`)
    alice.say({ type: 'subscribe', room: 'c' })
    expect(await alice.end()).toMatchObject({ code: 4403 })
    client.socket.close()
  })

  it('say so when what is asked for is not kept any longer', async () => {
    const own = await begin(join(place.path, 'gap.db'))
    try {
      for (let n = 1; n <= 10; n++)
        own.log.emit({ type: 'disk_low', roomId: null, recordingId: null, userId: null, data: { n } })
      await until('all to be kept', () => (own.log.pending === 0 ? true : undefined))
      const whole = await EventClient.greeted(`${own.url}?since=0&token=${admin}`)
      await whole.until(() => whole.events.length === 10)
      expect(whole.messages.filter(({ type }) => type === 'replay_gap')).toEqual([])
      await own.store.events.prune(Date.now() + 1)
      const late = await EventClient.greeted(`${own.url}?since=4&token=${admin}`)
      await late.until(() => late.messages.length === 2)
      expect(late.messages[1]).toMatchObject({ type: 'replay_gap', data: { oldest: 11 }, seq: 10 })
      own.log.emit({ type: 'disk_ok', roomId: null, recordingId: null, userId: null, data: {} })
      await late.until(() => late.events.length === 1)
      const foreign = await EventClient.greeted(`${own.url}?since=999&token=${admin}`)
      await foreign.until(() => foreign.events.length === 1)
      expect(foreign.messages.map(({ type }) => type)).toEqual(['hello', 'replay_gap', 'disk_ok'])
    } finally {
      await own.end()
    }
  })

  it('wait for a slow reader, hold little for it meanwhile, and give up who reads nothing', async () => {
    const given = Promise.withResolvers<string>()
    const logger = { ...silent, info: (_: object, message: string) => given.resolve(message) }
    const own = await begin(join(place.path, 'slow.db'), {}, logger)
    try {
      const open = () => EventClient.greeted(`${own.url}?token=${admin}`)
      const [still, slow, quick] = await Promise.all([open(), open(), open()])
      still.socket.pause()
      slow.socket.pause()
      const filler = 'x'.repeat(100_000)
      const total = 200
      const isWhole = (client: EventClient) => client.events.length === total
      for (let n = 0; n < total; n++) {
        own.log.emit({ type: 'marker_added', roomId: 'demo', recordingId: 'r', userId: null, data: { n, filler } })
      }
      await quick.until(() => isWhole(quick))
      slow.socket.resume()
      await slow.until(() => isWhole(slow))
      expect(numbers(slow)).toEqual(numbers(quick))
      expect(await given.promise).toContain('nobody reads')
      still.socket.resume()
      expect(await still.end()).toMatchObject({ code: 4408 })
      expect(still.events.length).toBeLessThan(total)
      const resumed = await EventClient.greeted(`${own.url}?since=${still.messages.at(-1)?.seq}&token=${admin}`)
      await resumed.until(() => resumed.events.length + still.events.length === total)
      expect([...numbers(still), ...numbers(resumed)]).toEqual(numbers(quick))
    } finally {
      await own.end()
    }
  })

  it('trust programs on this machine where no token is needed, but not pages of strangers', async () => {
    const open = await begin(join(place.path, 'open.db'), { requireToken: false })
    try {
      const local = await EventClient.greeted(open.url)
      expect(local.messages[0].type).toBe('hello')
      const page = new EventClient(open.url, { origin: 'https://evil.example' })
      expect(await page.end()).toMatchObject({ code: 4403 })
    } finally {
      await open.end()
    }
  })

  it('are closed with 1001 when the server stops', async () => {
    const own = await begin(join(place.path, 'stop.db'))
    const clients = await Promise.all([0, 1, 2].map(() => EventClient.greeted(`${own.url}?token=${admin}`)))
    expect(own.sockets.size).toBe(3)
    const dead = new WebSocket(`${own.url}?token=${admin}`)
    await new Promise((resolve) => dead.once('message', resolve))
    dead.pause() // never answers the goodbye
    const [ends] = await Promise.all([Promise.all(clients.map((client) => client.end())), own.end()])
    expect(ends.map(({ code }) => code)).toEqual([1001, 1001, 1001])
    expect(own.sockets.size).toBe(0)
    dead.terminate()
  })
})
