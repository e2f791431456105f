import { describe, expect, it } from 'vitest'
import { RtmpAdmission } from '../../src/ingest/rtmp/admission.ts'
import { BadNameError } from '../../src/live/address.ts'
import { type Authorizer, UnauthorizedError } from '../../src/live/authorizer.ts'
import { Hub, NameBusyError } from '../../src/live/hub.ts'
import type { Subscriber } from '../../src/live/subscriber.ts'
import { LimitError } from '../../src/media/errors.ts'
import type { StreamRequest } from '../../src/rtmp/handlers.ts'
import { AVCC, avc, IDR, lent } from './messages.ts'

const quiet = { debug() {}, info() {}, warn() {}, error() {} }

function setup(options: { takeover?: boolean; authorize?: Authorizer } = {}) {
  const hub = new Hub({ takeover: options.takeover ?? false, maxStreams: 10 }, quiet)
  const warnings: string[] = []
  const logger = { ...quiet, warn: (_fields: object, message: string) => void warnings.push(message) }
  const admission = new RtmpAdmission({ hub, authorize: options.authorize ?? (async () => {}), logger })
  return { hub, admission, warnings }
}

function request(app: string, name: string, query = ''): StreamRequest & { disconnects: number } {
  const asked = { app, name, query: new URLSearchParams(query), disconnects: 0 }
  const disconnect = () => void asked.disconnects++
  return Object.assign(asked, { peer: { id: 1, address: '127.0.0.1:5000', secure: false, agent: 'test', disconnect } })
}

const follower = (kind: 'recording' | 'player'): Subscriber => ({ kind, track() {}, frame() {}, flush() {}, end() {} })

describe('RtmpAdmission', () => {
  it('makes the app the room and the stream name the participant, and hands the token on', async () => {
    const asked: unknown[] = []
    const { hub, admission } = setup({ authorize: async (...args) => void asked.push(args.slice(0, 3)) })
    const publisher = await admission.publish(request('standup', 'alice', 'token=s3cret'))
    expect(hub.find({ room: 'standup', participant: 'alice' })).toBe(publisher.stream)
    expect(asked).toEqual([['publish', { room: 'standup', participant: 'alice' }, 's3cret']])
  })

  it.each([
    ['', 'alice', 'is empty'],
    ['live', '', 'is empty'],
    ['live', 'a'.repeat(256), 'has 256 bytes'],
    ['live', 'ü'.repeat(128), 'has 256 bytes'],
    ['live', 'a\nb', 'control characters'],
    ['li\0ve', 'a', 'control characters'],
    ['live', 'a\u009bm', 'control characters'],
    ['live', 'a\u2028b', 'control characters'],
  ])('refuses room %j, participant %j', async (app, name, why) => {
    const { hub, admission } = setup()
    const refusal = await admission.publish(request(app, name)).catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(BadNameError)
    expect(String(refusal)).toContain(why)
    expect(String(refusal)).not.toMatch(/\p{Cc}/u)
    expect(hub.streams).toEqual([])
  })

  it('takes names that look like paths as mere names', async () => {
    const { hub, admission } = setup()
    await admission.publish(request('../../etc', '..'))
    expect(hub.find({ room: '../../etc', participant: '..' })).toBeDefined()
  })

  it('lets nobody in whom the authorizer refuses, and a second publisher only with takeover', async () => {
    const address = { room: 'live', participant: 'test' }
    const closed = setup({ authorize: async (action) => Promise.reject(new UnauthorizedError(action, address, 'no')) })
    await expect(closed.admission.publish(request('live', 'test'))).rejects.toThrow(UnauthorizedError)
    expect(closed.hub.streams).toEqual([])

    const { hub, admission } = setup()
    const first = await admission.publish(request('live', 'test'))
    await expect(admission.publish(request('live', 'test'))).rejects.toThrow(NameBusyError)
    expect([first.stream.ended, hub.streams.length]).toEqual([undefined, 1])

    const open = setup({ takeover: true })
    const old = request('live', 'test')
    const replaced = await open.admission.publish(old)
    const next = await open.admission.publish(request('live', 'test'))
    expect([replaced.stream.ended, old.disconnects, next.stream.ended]).toEqual(['replaced', 1, undefined])
    replaced.end('lost')
    expect(open.hub.find(address)).toBe(next.stream)
  })
})

describe('RtmpPublisher', () => {
  it('passes over messages that cannot be read, and gives up after a hundred in a row', async () => {
    const { admission, warnings } = setup()
    const asked = request('live', 'test')
    const publisher = await admission.publish(asked)
    const send = (body: Uint8Array) => {
      const { payload, block } = lent(body)
      publisher.media(9, 0, payload, block)
    }
    for (let i = 0; i < 99; i++) send(Uint8Array.of(0x17))
    send(avc(AVCC, { key: true, type: 0 }))
    send(avc(IDR, { key: true }))
    expect([publisher.losses.malformed, publisher.stream.stats.snapshot().keyframes]).toEqual([99, 1])
    for (let i = 0; i < 99; i++) send(Uint8Array.of(0x17))
    expect(() => send(Uint8Array.of(0x17))).toThrow(LimitError)
    expect([publisher.stream.ended, asked.disconnects, warnings.length]).toEqual(['kicked', 1, 1])
  })

  it('keeps what the encoder says of itself, within bounds', async () => {
    const { admission } = setup()
    const publisher = await admission.publish(request('live', 'test'))
    const many = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`k${i}`, i]))
    publisher.data(0, ['onMetaData', { encoder: 'x'.repeat(9999), nested: { a: 1 }, at: new Date(0), ...many }])
    const { metadata } = publisher.stream
    expect(Object.keys(metadata).length).toBe(64)
    expect([metadata.encoder, metadata.nested, metadata.at, metadata.k0]).toEqual([
      'x'.repeat(256),
      undefined,
      undefined,
      0,
    ])
    publisher.data(0, ['onCuePoint', { encoder: 'other' }])
    publisher.data(0, ['onMetaData', null])
    expect(publisher.stream.metadata).toBe(metadata)
  })

  it('is live while somebody plays; held while a recording is behind and nobody plays', async () => {
    const { admission } = setup()
    const publisher = await admission.publish(request('live', 'test'))
    const recording = publisher.stream.subscribe(follower('recording'), { fromKeyframe: true })
    expect([publisher.live, publisher.held]).toEqual([false, false])
    recording.congested = true
    expect([publisher.live, publisher.held]).toEqual([false, true])
    const player = publisher.stream.subscribe(follower('player'), { fromKeyframe: true })
    expect([publisher.live, publisher.held]).toEqual([true, false])
    player.close()
    publisher.end('finished')
    expect([publisher.held, publisher.stream.ended]).toEqual([false, 'finished'])
  })
})
