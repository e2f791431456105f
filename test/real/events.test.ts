/// <reference lib="dom" />
import { chromium } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { random } from '../../fuzz/mutate.ts'
import { TokenKeeper } from '../../src/api/token.ts'
import { EventClient, type EventMessage } from '../api/event-client.ts'
import { EVENT_SERVER_KEY, EventServer } from '../peers/event-server.ts'
import { type RedisPeer, startRedis } from '../peers/redis.ts'
import { freePort, scratch } from '../peers/tapedeck.ts'

const TOTAL = 10_000
const RETRY_MS = 20
const CHROMIUM_ARGS =
  '--headless --no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync --no-first-run'

let redis: RedisPeer
const token = await new TokenKeeper(EVENT_SERVER_KEY).issue({ role: 'admin', grants: [] }, 3_600_000)
const place = scratch('events')
const servers: EventServer[] = []

async function begin(store: string, name: string): Promise<EventServer> {
  const dataDir = `${place.path}/${name}-${store}`
  const state = store === 'redis' ? { dataDir, redisUrl: redis.url } : { dataDir }
  const server = new EventServer({ ...state, port: await freePort(), webhookUrls: [] })
  servers.push(server)
  return server.start()
}

beforeAll(async () => {
  redis = await startRedis()
})
afterEach(async () => {
  for (const server of servers.splice(0)) await server.end('SIGKILL')
})
afterAll(async () => {
  await redis.stop()
  place.drop()
})

/** Listens with interruptions until event number `last`, each time going on where it was. */
async function listen(url: string, last: number, seed: number): Promise<EventMessage[]> {
  const pick = random(seed)
  const heard: EventMessage[] = []
  let since = 0
  while (heard.at(-1)?.data.n !== last) {
    const enough = heard.length + 1 + pick(1500)
    const client = new EventClient(`${url}?since=${since}&token=${token}`)
    let taken = 0
    const isDone = () => {
      for (; taken < client.messages.length; taken++) {
        const message = client.messages[taken]
        since = message.seq
        if (message.type === 'replay_gap') throw new Error('a gap')
        if (message.id !== null) heard.push(message)
      }
      return heard.length >= enough || heard.at(-1)?.data.n === last
    }
    // closed by a restart, or not there yet: come back soon
    await client.until(isDone).catch(() => new Promise((resolve) => setTimeout(resolve, RETRY_MS)))
    isDone()
    client.socket.terminate()
    await client.end()
  }
  return heard
}

describe.each(['sqlite', 'redis'])('events over WebSocket, on %s', (store) => {
  it('reach whoever comes back with its last number: all, each once, in order, over restarts', async () => {
    const server = await begin(store, 'reconnect')
    const listeners = [11, 22, 33].map((seed) => listen(server.url, TOTAL, seed))
    for (let from = 1; from <= TOTAL; from += 2500) {
      server.emit(from, from + 2499)
      await server.kept(from + 2499)
      if (from === 2501) {
        await server.end('SIGTERM')
        await server.start()
      }
      if (from === 5001) {
        await server.end('SIGKILL')
        await server.start()
      }
    }
    for (const heard of await Promise.all(listeners)) {
      expect(heard.length).toBe(TOTAL)
      expect(heard.every(({ data }, i) => data.n === i + 1)).toBe(true)
      expect(heard.every(({ seq }, i) => i === 0 || seq > heard[i - 1].seq)).toBe(true)
      expect(new Set(heard.map(({ id }) => id)).size).toBe(TOTAL)
    }
  })
})

describe('events while Redis is away', () => {
  it('are told late, in order, and none is lost', async () => {
    const server = await begin('redis', 'away')
    const client = await EventClient.greeted(`${server.url}?token=${token}`)
    const numbers = () => client.events.map(({ data }) => data.n)
    server.emit(1, 100)
    await client.until(() => client.events.length === 100)
    await redis.kill9()
    server.emit(101, 600)
    await redis.restart()
    await server.kept(600)
    await client.until(() => client.events.length >= 600)
    expect(numbers()).toEqual(Array.from({ length: 600 }, (_, i) => i + 1))
    client.socket.close()
  })

  it('of one server are told by another on the same state', async () => {
    const [one, other] = await Promise.all([begin('redis', 'one'), begin('redis', 'other')])
    const client = await EventClient.greeted(`${other.url}?token=${token}`)
    one.emit(1, 500)
    await client.until(() => client.events.length === 500)
    expect(client.events.map(({ data }) => data.n)).toEqual(Array.from({ length: 500 }, (_, i) => i + 1))
    client.socket.close()
  })
})

describe('Chromium', () => {
  it('listens with its WebSocket, and misses nothing over a restart', async () => {
    const server = await begin('sqlite', 'chromium')
    const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: CHROMIUM_ARGS.split(' ') })
    try {
      const page = await browser.newPage()
      const refusal = page.evaluate(
        (url) => new Promise((resolve) => new WebSocket(url).addEventListener('close', ({ code }) => resolve(code))),
        `${server.url}?token=none`,
      )
      expect(await refusal).toBe(4401)
      const first = Promise.withResolvers<void>()
      await page.exposeFunction('heardFirst', () => first.resolve())
      const hearing = page.evaluate(hearAll, [server.url, token, 2000] as const)
      server.emit(1, 1000)
      await first.promise
      await server.kept(1000)
      await server.end('SIGTERM')
      await server.start()
      server.emit(1001, 2000)
      const { numbers, sockets } = await hearing
      expect(numbers).toEqual(Array.from({ length: 2000 }, (_, i) => i + 1))
      expect(sockets).toBeGreaterThan(1)
    } finally {
      await browser.close()
    }
  })
})

declare global {
  var heardFirst: () => void
}

/** In the page: event numbers from 1 to `last`, coming back as often as it takes. */
function hearAll([url, shown, last]: readonly [string, string, number]): Promise<{
  numbers: unknown[]
  sockets: number
}> {
  return new Promise((resolve) => {
    const numbers: unknown[] = []
    let [since, sockets] = [0, 0]
    const listen = () => {
      const socket = new WebSocket(`${url}?since=${since}&token=${shown}`)
      socket.onopen = () => sockets++
      socket.onmessage = ({ data }) => {
        const message = JSON.parse(data)
        since = message.seq
        if (message.id !== null) numbers.push(message.data.n)
        if (numbers.length === 1) globalThis.heardFirst()
        if (message.data.n === last) resolve({ numbers, sockets })
      }
      socket.onclose = () => setTimeout(listen, 50)
    }
    listen()
  })
}
