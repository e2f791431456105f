import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Recording, TapedeckClient } from '../../src/client/index.ts'
import { EventClient } from '../api/event-client.ts'
import { checkedFetch } from '../peers/checked-fetch.ts'
import { decodingFaults } from '../peers/decoding.ts'
import { madeMedia, packetsOf } from '../peers/ffmpeg.ts'
import { PacedPublisher } from '../peers/paced-publisher.ts'
import { type RedisPeer, startRedis } from '../peers/redis.ts'
import { scratch, TapedeckProcess } from '../peers/tapedeck.ts'
import { until } from '../peers/until.ts'

const PREFIX = 'webrtc:recording:'
const DAY_MS = 86_400_000
/** A call that needs no state is answered within this, ms: a Redis that stands still takes two seconds to be found out. */
const SOON_MS = 1500
const ENDED = ['recording_stopped', 'recording_processing', 'recording_completed']

const place = scratch('redis-away')
let redis: RedisPeer
let server: TapedeckProcess
let client: TapedeckClient
let events: EventClient
let publisher: PacedPublisher
let keys: Redis

beforeAll(async () => {
  const source = await madeMedia(
    'api-minute.flv',
    `-f lavfi -i testsrc2=size=320x180:rate=25 -f lavfi -i aevalsrc=sin(2*PI*t*(300+t*20)):s=48000 -t 60
     -c:v libx264 -preset veryfast -g 25 -bf 0 -b:v 400k -c:a aac -b:a 96k`,
  )
  redis = await startRedis()
  const flags = ['--no-record-all', '--record-min-free-mb', '0', '--no-thumbnails', '--max-recordings', '4']
  server = await TapedeckProcess.start(place.path, ...flags, '--redis', redis.url)
  client = new TapedeckClient({ baseUrl: server.http, fetch: checkedFetch })
  events = await EventClient.greeted(`${server.http.replace('http', 'ws')}/api/events?since=0`)
  publisher = await PacedPublisher.start(server.rtmpPort, 'demo', 'alice', source)
  keys = new Redis(redis.url, { maxRetriesPerRequest: null })
  keys.on('error', () => undefined)
})
afterAll(async () => {
  publisher?.stop()
  events?.socket.terminate()
  keys?.disconnect()
  await server?.end('SIGKILL')
  await redis?.stop()
  place.drop()
})

/** Resolves when the server says of itself that it is ready, or that the state is away; that it is alive always. */
function becomes(state: 'ok' | 'away'): Promise<unknown> {
  return until(`readyz to say ${state}`, async () => {
    expect((await fetch(`${server.http}/healthz`)).status).toBe(200)
    const answer = await fetch(`${server.http}/readyz`)
    const said: { ready: boolean; state: string; phase: string } = await answer.json()
    expect(answer.status).toBe(said.ready ? 200 : 503)
    return said.state === state && said.ready === (state === 'ok') ? said : undefined
  })
}

const started = async (): Promise<string> =>
  (await client.startRecording('demo', { user_id: 'ann', metadata: { title: 'Größe ☃' } })).recording_id

/** Media that it has, seconds, once it has more than `seconds`. */
const mediaOf = (id: string, seconds: number) =>
  until(`media of ${id}`, async () => {
    const now = await client.getRecordingStatus('demo', id)
    return now.duration_seconds > seconds ? now : undefined
  })

async function soon<T>(call: Promise<T>): Promise<T> {
  const begun = performance.now()
  const answer = await call
  expect(performance.now() - begun).toBeLessThan(SOON_MS)
  return answer
}

const told = (id: string) =>
  events.events.filter(({ type, data }) => data.recording_id === id && type !== 'recording_progress')

/** The whole of what others may read of a recording that has come to its end. */
async function checkKeys(id: string, status: string): Promise<Recording> {
  const recording = await client.getRecordingStatus('demo', id)
  expect(recording.status).toBe(status)
  expect(JSON.parse((await keys.get(`${PREFIX}state:${id}`)) ?? '')).toEqual(recording)
  expect(await keys.sismember(`${PREFIX}room:demo`, id)).toBe(1)
  expect(await keys.sismember(`${PREFIX}user:ann`, id)).toBe(1)
  const ttlMs = await keys.pttl(`${PREFIX}state:${id}`)
  expect(ttlMs).toBeGreaterThan(7 * DAY_MS - 120_000)
  expect(ttlMs).toBeLessThanOrEqual(7 * DAY_MS)
  return recording
}

it.each([
  ['is killed', () => redis.kill9(), () => redis.restart()],
  ['stands still', async () => redis.pause(), async () => redis.resume()],
])(
  'a server whose Redis %s goes on with everything, says so, and everything is in Redis afterwards',
  async (_, away, back) => {
    const [running, stopped, cancelled] = [await started(), await started(), await started()]
    for (const id of [running, stopped, cancelled]) await mediaOf(id, 0.5)
    expect((await keys.smembers(`${PREFIX}active`)).sort()).toEqual([running, stopped, cancelled].sort())

    await away()
    const before = await soon(client.getRecordingStatus('demo', running))
    await soon(client.pauseRecording('demo', running))
    await becomes('away')
    expect(await soon(client.resumeRecording('demo', running))).toMatchObject({ status: 'recording' })
    await mediaOf(running, before.duration_seconds + 1)
    await soon(client.stopRecording('demo', stopped))
    await soon(client.cancelRecording('demo', cancelled))
    await until('the end of what was stopped', async () => {
      const manifest = (await client.getRecordingStatus('demo', stopped).catch(() => undefined))?.local_path ?? ''
      const path = join(manifest, '..', 'recording.json')
      return existsSync(path) && JSON.parse(readFileSync(path, 'utf8')).recording.status === 'completed'
        ? true
        : undefined
    })
    const late = [await soon(started()), await soon(started()), await soon(started())]
    await expect(client.startRecording('demo')).rejects.toMatchObject({ status: 400, code: 'TD_RECORDING_LIMIT' })
    await expect(client.listRecordings()).rejects.toMatchObject({ status: 503, code: 'TD_STATE_AWAY' })
    for (const id of late.slice(1)) await soon(client.cancelRecording('demo', id))

    await back()
    await becomes('ok')
    await mediaOf(late[0], 0.5)
    for (const id of [running, late[0]]) await client.stopRecording('demo', id)
    await events.until(() => [running, late[0]].every((id) => told(id).at(-1)?.type === 'recording_completed'))
    expect(told(running).map(({ type }) => type)).toEqual([
      'recording_started',
      'recording_paused',
      'recording_resumed',
      ...ENDED,
    ])
    expect(told(cancelled).map(({ type }) => type)).toEqual(['recording_started', 'recording_cancelled'])
    for (const id of [stopped, late[0]]) {
      expect(told(id).map(({ type }) => type)).toEqual(['recording_started', ...ENDED])
    }
    const seqs = events.messages.filter(({ id }) => id !== null).map(({ seq }) => seq)
    expect(seqs, 'each once, none left out').toEqual(seqs.map((_, i) => i + 1))
    const types = events.events.map(({ type }) => type)
    expect(types.filter((type) => type === 'state_back').length).toBe(
      types.filter((type) => type === 'state_away').length,
    )
    expect(types).toContain('state_back')

    for (const id of [cancelled, ...late.slice(1)]) await checkKeys(id, 'cancelled')
    for (const id of [running, stopped, late[0]]) {
      const { local_path, file_name } = await checkKeys(id, 'completed')
      const path = local_path ?? ''
      expect(path.endsWith(file_name ?? '?')).toBe(true)
      expect(await decodingFaults(path)).toBe('')
      const video = (await packetsOf(path)).filter(({ type }) => type === 'video')
      const steps = video.slice(1).map(({ dts }, i) => dts - video[i].dts)
      expect(Math.max(...steps), 'no hole').toBeLessThan(0.125)
    }
    expect(await keys.smembers(`${PREFIX}active`)).toEqual([])
    for (const set of ['room:demo', 'user:ann']) {
      const ttlMs = await keys.pttl(PREFIX + set)
      expect(ttlMs).toBeGreaterThan(DAY_MS - 120_000)
      expect(ttlMs).toBeLessThanOrEqual(DAY_MS)
    }
    expect((await client.listRecordings({ status: ['recording', 'paused', 'pending', 'processing'] })).count).toBe(0)
  },
)
