import { createServer } from 'node:http'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DeliveryLog } from '../../src/events/delivery-log.ts'
import type { EventType, Happening } from '../../src/events/event.ts'
import { EventLog } from '../../src/events/event-log.ts'
import { WebhookDispatcher } from '../../src/events/webhook-dispatcher.ts'
import type { WebhookTiming } from '../../src/events/webhook-schedule.ts'
import type { Logger } from '../../src/media/ports.ts'
import { SqliteStateStore } from '../../src/state/sqlite/store.ts'
import { scratch } from '../peers/tapedeck.ts'
import { until } from '../peers/until.ts'
import { WebhookReceiver } from './receiver.ts'

const SECRET = 'the secret of this test, 32 bytes or more'
const TIMING: WebhookTiming = {
  firstRetryMs: 20,
  maxRetryMs: 200,
  timeoutMs: 300,
  lifetimeMs: 60_000,
  lookEveryMs: 200,
  keptMs: 60_000,
}
const silent: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
const happening = (recordingId: string | null, n: number, type: EventType = 'marker_added'): Happening => ({
  type,
  roomId: 'demo',
  recordingId,
  userId: null,
  data: { recording_id: recordingId, n },
})

let place: ReturnType<typeof scratch>
const closing: (() => unknown)[] = []

/** A dispatcher and its log on a store of their own connection, as a process has them. */
function begin(urls: readonly string[], options: { timing?: Partial<WebhookTiming>; allowPrivate?: boolean } = {}) {
  const store = new SqliteStateStore(join(place.path, 'catalogue.db'), silent)
  const timing = { ...TIMING, ...options.timing }
  const allowPrivate = options.allowPrivate ?? true
  const webhooks = new WebhookDispatcher({ store, urls, secret: SECRET, allowPrivate, logger: silent, timing })
  const log = new EventLog({ store, logger: silent, outboxes: webhooks.outboxes })
  webhooks.start()
  let isOpen = true
  const end = async () => {
    if (!isOpen) return
    isOpen = false
    await log.close()
    await webhooks.close({ graceMs: 0 })
    await store.close()
  }
  closing.push(end)
  return { store, log, webhooks, deliveries: new DeliveryLog(store.tasks, urls), end }
}

async function receiver(): Promise<WebhookReceiver> {
  const made = await new WebhookReceiver(SECRET).up()
  closing.push(() => made.down())
  return made
}

/** What was taken of each recording, each event once: the order in which it first arrived. */
function ordersOf(target: WebhookReceiver): Map<string, number[]> {
  const orders = new Map<string, number[]>()
  const seen = new Set<string>()
  for (const { event } of target.taken()) {
    if (seen.has(event.webhook_id)) continue
    seen.add(event.webhook_id)
    const key = String(event.data.recording_id)
    orders.set(key, [...(orders.get(key) ?? []), Number(event.data.n)])
  }
  return orders
}

const counted = (recordings: number, each: number) =>
  new Map(Array.from({ length: recordings }, (_, i) => [`r${i}`, Array.from({ length: each }, (_, n) => n)]))

function emitAll(log: EventLog, recordings: number, each: number): void {
  for (let n = 0; n < each; n++) for (let i = 0; i < recordings; i++) log.emit(happening(`r${i}`, n))
}

beforeEach(() => {
  place = scratch('webhooks')
})
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
  place.drop()
})

describe('webhooks', () => {
  it('bring every event but progress, signed, in order per recording', async () => {
    const target = await receiver()
    const { log, webhooks } = begin([target.url])
    log.emit(happening('r0', -1, 'recording_progress'))
    emitAll(log, 5, 20)
    await target.until(() => target.taken().length >= 100)
    expect(ordersOf(target)).toEqual(counted(5, 20))
    expect(target.refusals).toEqual([])
    const [first] = target.requests
    expect(first.headers).toMatchObject({
      'content-type': 'application/json',
      'user-agent': 'tapedeck',
      'webhook-id': first.event.webhook_id,
    })
    expect(first.event).toMatchObject({ type: 'marker_added', room_id: 'demo', data: { n: 0 } })
    expect(Object.keys(first.event).sort()).toEqual(['data', 'id', 'room_id', 'seq', 'time', 'type', 'webhook_id'])
    await until('all to be settled', async () => ((await webhooks.figures()).waiting === 0 ? true : undefined))
    expect(await webhooks.figures()).toEqual({ waiting: 0, dead: 0, delivered: 100, failed: 0 })
    expect(target.requests).toHaveLength(100)
  })

  it('outlast a receiver that is down, slow, failing, then back', async () => {
    const target = await receiver()
    const { log, webhooks } = begin([target.url])
    await target.down()
    emitAll(log, 3, 10)
    await until('tries to fail', async () => ((await webhooks.figures()).failed >= 4 ? true : undefined))
    const phases: (number | 'hang')[] = ['hang', 500, 503, 429, 404, 'hang', 500]
    target.behaviour = () => phases.shift() ?? 200
    await target.up()
    await target.until(() => ordersOf(target).size === 3 && target.taken().length >= 30)
    expect(ordersOf(target)).toEqual(counted(3, 10))
    expect(target.refusals).toEqual([])
    const repeated = target.requests.filter(({ status }) => status !== 200).map(({ event }) => event.webhook_id)
    for (const id of repeated) expect(target.taken().map(({ event }) => event.webhook_id)).toContain(id)
  })

  it('spare a receiver that fails: one request at a time, fewer and fewer', async () => {
    const target = await receiver()
    target.behaviour = () => 500
    const { log } = begin([target.url], { timing: { firstRetryMs: 100, maxRetryMs: 1000 } })
    const beganMs = Date.now()
    emitAll(log, 50, 1)
    await target.until(() => target.requests.length >= 14)
    // the first eight are sent at once, and two more before it is clear that all fail; then it rests before each
    expect(target.requests[13].atMs - beganMs).toBeGreaterThan(1000)
    expect(target.requests.filter(({ atMs }) => atMs - beganMs < 100).length).toBeLessThanOrEqual(10)
    target.behaviour = () => 200
    await target.until(() => ordersOf(target).size === 50)
  })

  it('go to each URL by itself: a dead one keeps none from another', async () => {
    const dead = await receiver()
    const alive = await receiver()
    const { log, webhooks, deliveries } = begin([dead.url, alive.url])
    await dead.down()
    emitAll(log, 4, 5)
    await alive.until(() => alive.taken().length >= 20)
    expect(ordersOf(alive)).toEqual(counted(4, 5))
    expect(dead.requests).toEqual([])
    await until('the others to be settled', async () => ((await webhooks.figures()).waiting === 20 ? true : undefined))
    const waiting = await deliveries.list({ states: ['waiting', 'running'], limit: 100 })
    expect(new Set(waiting.map(({ url }) => url))).toEqual(new Set([dead.url.replace(/\?.*/, '')]))
    await dead.up()
    await dead.until(() => dead.taken().length >= 20)
    expect(ordersOf(dead)).toEqual(counted(4, 5))
  })

  it('go on after a restart with what was left, under the same ids', async () => {
    const target = await receiver()
    target.behaviour = (event) => (Number(event.data.n) < 5 ? 200 : 'hang')
    const first = begin([target.url])
    emitAll(first.log, 2, 10)
    await target.until(() => target.requests.filter(({ status }) => status === 0).length >= 2)
    await first.end()
    target.behaviour = () => 200
    begin([target.url])
    await target.until(() => target.taken().length >= 20)
    expect(ordersOf(target)).toEqual(counted(2, 10))
    const hung = target.requests.filter(({ status }) => status === 0).map(({ event }) => event.webhook_id)
    for (const id of hung) expect(target.taken().filter(({ event }) => event.webhook_id === id)).toHaveLength(1)
  })

  it('are given up at 410 and after their time, and can be sent again in order', async () => {
    const target = await receiver()
    target.behaviour = (event) => (event.data.recording_id === 'r0' ? 410 : 500)
    const { log, webhooks, deliveries } = begin([target.url], { timing: { lifetimeMs: 700 } })
    emitAll(log, 2, 3)
    await until('all to be given up', async () => ((await webhooks.figures()).dead === 6 ? true : undefined))
    expect(target.requests.filter(({ event }) => event.data.recording_id === 'r0').length).toBeLessThanOrEqual(3)
    const dead = await deliveries.list({ states: ['dead'], limit: 100 })
    expect(dead).toHaveLength(6)
    expect(dead.map(({ seq }) => seq)).toEqual(dead.map(({ seq }) => seq).sort((a, b) => b - a))
    const gone = await deliveries.list({ recordingId: 'r0', limit: 1 })
    expect(gone[0]).toMatchObject({ type: 'marker_added', room_id: 'demo', recording_id: 'r0', state: 'dead' })
    expect(gone[0].finished_at).not.toBeNull()
    expect(gone[0].url).not.toContain('of-the-receiver')
    target.behaviour = () => 200
    expect(await deliveries.replay(dead[0].delivery_id)).toBe(true)
    expect(await deliveries.replay(dead[0].delivery_id)).toBe(false)
    expect(await deliveries.replay('webhook:of somebody else:1')).toBe(false)
    await target.until(() => target.taken().length === 1)
    expect(await deliveries.replayAll({ onlyDead: true, sinceMs: Date.now() + 1000 })).toBe(0)
    expect(await deliveries.replayAll({ onlyDead: true })).toBe(5)
    await target.until(() => target.taken().length === 6)
    expect(
      target
        .taken()
        .filter(({ event }) => event.data.recording_id === 'r0')
        .map(({ event }) => event.data.n),
    ).toEqual([0, 1, 2])
    expect(new Set(target.taken().map(({ event }) => event.webhook_id)).size).toBe(6)
    await until('all to be settled', async () => ((await webhooks.figures()).waiting === 0 ? true : undefined))
    expect(await deliveries.replayAll({ onlyDead: false })).toBe(6)
  })

  it('neither follow redirects nor go to private addresses', async () => {
    const target = await receiver()
    const lure = createServer((_, response) => response.writeHead(307, { location: target.url }).end())
    await new Promise<void>((resolve) => lure.listen(0, '127.0.0.1', resolve))
    closing.push(() => lure.close())
    const address = lure.address()
    const lureUrl = `http://localhost:${typeof address === 'object' ? address?.port : 0}/`
    const open = begin([lureUrl], { timing: { lifetimeMs: 200 } })
    open.log.emit(happening('r0', 0))
    await until('the redirect to be given up', async () =>
      (await open.webhooks.figures()).dead === 1 ? true : undefined,
    )
    expect((await open.deliveries.list({ limit: 1 }))[0].log[0].error).toMatch(/^answered 307/)
    await open.end()
    const strict = begin([target.url, lureUrl], { allowPrivate: false, timing: { lifetimeMs: 200 } })
    strict.log.emit(happening('r1', 0))
    await until('both to be given up', async () => ((await strict.webhooks.figures()).dead === 3 ? true : undefined))
    const refused = await strict.deliveries.list({ recordingId: 'r1', limit: 2 })
    for (const { log } of refused) expect(log[0].error).toMatch(/not an address of the public Internet/)
    expect(target.requests).toEqual([])
  })

  it('take no more of an answer than a KiB, and no longer than the deadline', async () => {
    let tries = 0
    const chatty = createServer((_, response) => {
      response.writeHead(tries++ === 0 ? 500 : 200)
      if (tries === 1)
        response.write('x'.repeat(1_000_000)) // and never ends
      else response.write('a little, and never ends')
    })
    await new Promise<void>((resolve) => chatty.listen(0, '127.0.0.1', resolve))
    closing.push(
      () => chatty.closeAllConnections(),
      () => chatty.close(),
    )
    const address = chatty.address()
    const { log, webhooks, deliveries } = begin([`http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`])
    log.emit(happening('r0', 0))
    await until('it to be delivered', async () => ((await webhooks.figures()).delivered === 1 ? true : undefined))
    const [delivery] = await deliveries.list({ limit: 1 })
    expect(delivery.log[0].error?.length).toBeLessThan(1100)
    expect(delivery.log[0].error).toMatch(/^answered 500: xxx/)
  })
})
