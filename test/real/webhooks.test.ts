import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { random } from '../../fuzz/mutate.ts'
import { type Received, WebhookReceiver } from '../events/receiver.ts'
import { cli } from '../peers/cli.ts'
import { EVENT_SERVER_SECRET, EventServer, recordingOf } from '../peers/event-server.ts'
import { type RedisPeer, startRedis } from '../peers/redis.ts'
import { freePort, scratch } from '../peers/tapedeck.ts'

const TOTAL = 500
const place = scratch('webhooks-real')
const closing: (() => Promise<unknown>)[] = []
let redis: RedisPeer

beforeAll(async () => {
  redis = await startRedis()
})
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})
afterAll(async () => {
  await redis.stop()
  place.drop()
})

async function receiver(): Promise<WebhookReceiver> {
  const made = await new WebhookReceiver(EVENT_SERVER_SECRET).up()
  closing.push(() => made.down())
  return made
}

async function begin(
  store: string,
  name: string,
  webhookUrls: string[],
  lifetimeMs = 600_000,
): Promise<{ server: EventServer; stateFlags: string[] }> {
  const dataDir = `${place.path}/${name}-${store}`
  const state = store === 'redis' ? { dataDir, redisUrl: redis.url } : { dataDir }
  const server = new EventServer({ ...state, port: await freePort(), webhookUrls, lifetimeMs })
  closing.push(() => server.end('SIGKILL'))
  const redisFlags = store === 'redis' ? ['--redis', redis.url, '--redis-prefix', 'test:'] : []
  return { server: await server.start(), stateFlags: ['--data-dir', dataDir, ...redisFlags] }
}

/** What was taken of each recording, repetitions left out, in the order in which it came first. */
function ordersOf(taken: readonly Received[]): Map<string, unknown[]> {
  const orders = new Map<string, unknown[]>()
  const seen = new Set<string>()
  for (const { event } of taken) {
    if (seen.has(event.webhook_id)) continue
    seen.add(event.webhook_id)
    const key = String(event.data.recording_id)
    orders.set(key, [...(orders.get(key) ?? []), event.data.n])
  }
  return orders
}

function ordersOfAll(): Map<string, unknown[]> {
  const orders = new Map<string, unknown[]>()
  for (let n = 1; n <= TOTAL; n++) orders.set(recordingOf(n), [...(orders.get(recordingOf(n)) ?? []), n])
  return orders
}

describe.each(['sqlite', 'redis'])('webhooks on %s', (store) => {
  it('lose nothing and keep their order, whatever receiver and server do', async () => {
    const pick = random(20_261_121)
    const [shaky, absent] = [await receiver(), await receiver()]
    shaky.behaviour = () => {
      const chance = pick(100)
      return chance < 3 ? 'hang' : chance < 20 ? 500 : 200
    }
    await absent.down()
    const { server } = await begin(store, 'shaky', [shaky.url, absent.url])
    server.emit(1, TOTAL)
    await server.kept(TOTAL)
    for (const share of [0.1, 0.3, 0.5]) {
      await shaky.until(() => shaky.taken().length >= TOTAL * share)
      await server.end('SIGKILL')
      await server.start()
    }
    await absent.up()
    await Promise.all([
      shaky.until(() => new Set(shaky.taken().map(({ event }) => event.webhook_id)).size === TOTAL),
      absent.until(() => new Set(absent.taken().map(({ event }) => event.webhook_id)).size === TOTAL),
    ])
    for (const target of [shaky, absent]) {
      expect(target.refusals).toEqual([])
      expect(ordersOf(target.taken())).toEqual(ordersOfAll())
      // the same event under the same id, however often it came
      const ids = new Map(target.requests.map(({ event }) => [event.webhook_id, event.seq]))
      expect(ids.size).toBe(TOTAL)
      expect(new Set(ids.values()).size).toBe(TOTAL)
      expect(target.requests.every(({ event, headers }) => headers['webhook-id'] === event.webhook_id)).toBe(true)
    }
    // three kills, each with at most eight deliveries under way, and what failed: it was not hammered
    expect(absent.requests.length).toBeLessThanOrEqual(TOTAL + 8)
    expect(shaky.requests.length).toBeLessThan(TOTAL * 1.6)
  })

  it('that were given up are listed, and sent again by the command line beside a running server', async () => {
    const target = await receiver()
    target.behaviour = () => 410
    const { server, stateFlags } = await begin(store, 'replay', [target.url])
    server.emit(1, 20)
    await target.until(() => target.requests.length === 20)
    const run = (...args: string[]) =>
      cli(place.path, ['webhooks', ...args, ...stateFlags, '--webhook-url', target.url])
    let listed: { delivery_id: string; state: string; log: { error: string }[] }[] = []
    while (listed.length < 20) {
      const { stdout } = await run('list', '--state', 'dead', '--json')
      listed = stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]))
    }
    expect(listed[0].log[0].error).toBe('answered 410: no, thank you')
    const text = await run('list')
    expect(text.stdout).toMatch(/^dead +\S+ +marker_added +recording r\d .*1 attempt/)
    expect(text.stdout).not.toContain('of-the-receiver')
    target.behaviour = () => 200
    const one = await run('replay', '--id', listed[0].delivery_id, 'nothing')
    expect(one).toMatchObject({ code: 3, stdout: expect.stringContaining('1 webhook to be sent again') })
    await target.until(() => target.taken().length === 1)
    const rest = await run('replay', '--failed', '--since', '10m')
    expect(rest).toMatchObject({ code: 0, stdout: '19 webhooks to be sent again\n' })
    await target.until(() => target.taken().length === 20)
    expect(new Set(target.taken().map(({ event }) => event.webhook_id)).size).toBe(20)
    expect((await run('replay')).code).toBe(2)
  })
})
