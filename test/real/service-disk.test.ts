import { existsSync, readdirSync, readFileSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ApiError, type Recording, TapedeckClient } from '../../src/client/index.ts'
import type { ServerOptions } from '../../src/config.ts'
import { EventClient } from '../api/event-client.ts'
import { ApiServer } from '../peers/api-server.ts'
import { checkedFetch } from '../peers/checked-fetch.ts'
import { decodingFaults } from '../peers/decoding.ts'
import { Disk, describeOnDisks } from '../peers/disks.ts'
import { madeMedia, probe } from '../peers/ffmpeg.ts'
import { PacedPublisher } from '../peers/paced-publisher.ts'
import { scratch } from '../peers/tapedeck.ts'
import { until } from '../peers/until.ts'

const MB = 1_000_000
const ENDED = ['completed', 'failed']

let source: string
let closing: (() => unknown)[] = []
beforeAll(async () => {
  source = await madeMedia(
    'service-2mbit.flv',
    `-f lavfi -i testsrc2=size=640x360:rate=25 -f lavfi -i sine=frequency=440:sample_rate=48000 -t 10 -pix_fmt yuv420p
     -c:v libx264 -preset ultrafast -g 25 -bf 0 -b:v 2M -minrate 2M -maxrate 2M -bufsize 500k -x264-params nal-hrd=cbr
     -c:a aac -ac 1`,
  )
})
beforeEach(() => {
  closing = []
})
afterEach(async () => {
  for (const close of closing.reverse()) await close()
})

/** A disk of its own that everything of a server lies on. */
async function disk(sizeMb: number): Promise<string> {
  const place = scratch('service-disk')
  const made = await Disk.tmpfs(place.path, sizeMb)
  closing.push(async () => {
    await made.drop()
    place.drop()
  })
  return made.path
}

/** A server with somebody in the room "demo", who sends 2 Mbit/s. */
async function room(options: ServerOptions) {
  const server = await ApiServer.start(options)
  closing.push(() => server.stop())
  const publisher = await PacedPublisher.start(Number(new URL(server.rtmp).port), 'demo', 'alice', source)
  closing.push(() => publisher.stop())
  const client = new TapedeckClient({ baseUrl: server.http, fetch: checkedFetch })
  await until('a second of it', async () => (publisher.lastVideoMs > 1500 ? true : undefined))
  return { server, client, publisher }
}

/** As soon as it has so much media, seconds, or has come to its end. */
function grown(client: TapedeckClient, id: string, seconds: number): Promise<Recording> {
  return until(`${seconds} s of ${id}`, async () => {
    const recording = await client.getRecordingStatus('demo', id)
    return recording.duration_seconds >= seconds || ENDED.includes(recording.status) ? recording : undefined
  })
}

function ended(client: TapedeckClient, id: string): Promise<Recording> {
  return until(`the end of ${id}`, async () => {
    const recording = await client.getRecordingStatus('demo', id)
    return ENDED.includes(recording.status) ? recording : undefined
  })
}

/** What becomes of one more start: its code, or `taken`, and then it is cancelled. */
async function another(client: TapedeckClient): Promise<string> {
  try {
    const { recording_id } = await client.startRecording('demo')
    await client.cancelRecording('demo', recording_id)
    return 'taken'
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    expect(error).toMatchObject({ status: 507, fault: 'host' })
    return error.code
  }
}

describe('limits of a request', () => {
  it('stop it cleanly, each by itself: what is on disk is as long, as large, and plays', async () => {
    const { client } = await room({ maxRecordingSizeMb: 900 })
    const [long, large] = [
      await client.startRecording('demo', { max_duration_seconds: 2 }),
      await client.startRecording('demo', { max_size_bytes: 600_000, recording_format: 'mkv' }),
    ]
    const byDuration = await ended(client, long.recording_id)
    expect(byDuration).toMatchObject({ status: 'completed', error: null, report: { stop_reason: 'max-duration' } })
    const { format } = await probe(byDuration.local_path ?? '')
    expect(Number(format.duration)).toBeGreaterThan(1.9)
    expect(Number(format.duration)).toBeLessThan(2.4)
    const bySize = await ended(client, large.recording_id)
    expect(bySize).toMatchObject({ status: 'completed', error: null, report: { stop_reason: 'max-size' } })
    expect(bySize.file_size_bytes).toBe(statSync(bySize.local_path ?? '').size)
    expect(bySize.file_size_bytes).toBeGreaterThan(550_000) // with room for the index, which turns out smaller
    expect(bySize.file_size_bytes).toBeLessThan(1_000_000)
    for (const { local_path } of [byDuration, bySize]) expect(await decodingFaults(local_path ?? '')).toBe('')
  })
})

describeOnDisks('a disk that fills', () => {
  it('takes no further recording, 507, before the one that runs is at risk; and takes one when there is room', async () => {
    const path = await disk(60)
    const { client, server } = await room({
      recordDir: join(path, 'recordings'),
      recordMinFreeMb: 10,
      recordReserve: '40s',
    })
    const events = await EventClient.greeted(`${server.http.replace('http', 'ws')}/api/events?since=0`)
    closing.push(() => events.socket.terminate())
    const { recording_id: id } = await client.startRecording('demo')
    await grown(client, id, 2)
    expect(await another(client)).toBe('taken')
    const ballast = join(path, 'ballast')
    const { bavail, bsize } = statfsSync(path)
    writeFileSync(ballast, Buffer.alloc(bavail * bsize - 24 * MB)) // 14 MB to be used; two take 10 MB each
    await until('the refusal', async () => ((await another(client)) === 'TD_DISK_FORECAST' ? true : undefined))
    await events.until(() => events.events.some(({ type }) => type === 'disk_low'))
    const { duration_seconds, status } = await client.getRecordingStatus('demo', id)
    expect(status).toBe('recording')
    await grown(client, id, duration_seconds + 1)
    rmSync(ballast)
    await until('room', async () => ((await another(client)) === 'taken' ? true : undefined))
    await events.until(() => events.events.some(({ type }) => type === 'disk_ok'))
    await client.stopRecording('demo', id)
    const done = await ended(client, id)
    expect(done).toMatchObject({ status: 'completed', error: null })
    expect(done.files).toHaveLength(1)
    expect(await decodingFaults(done.local_path ?? '')).toBe('')
  })
})

describeOnDisks('a disk that blocks', () => {
  it('holds up nobody who asks: what runs is paused and stopped, and what cannot be begun is refused', async () => {
    const place = scratch('service-blocked')
    const made = await Disk.ext4(place.path, 50)
    closing.push(async () => {
      await made.drop()
      place.drop()
    })
    const { client } = await room({ recordDir: join(made.path, 'recordings'), recordReserve: '0s' })
    const { recording_id: id } = await client.startRecording('demo')
    await grown(client, id, 1)
    await made.freeze()
    const begun = performance.now()
    const [paused, refused] = await Promise.allSettled([
      client.pauseRecording('demo', id),
      client.startRecording('demo'),
    ])
    expect(paused).toMatchObject({ value: { status: 'paused' } })
    expect(refused).toMatchObject({ reason: { status: 500, code: 'TD_STORAGE' } })
    expect(await client.stopRecording('demo', id)).toMatchObject({ status: 'processing' })
    expect(performance.now() - begun).toBeLessThan(15_000)
    await made.thaw()
    const done = await ended(client, id)
    expect(done).toMatchObject({ status: 'completed', error: null })
    expect(await decodingFaults(done.local_path ?? '')).toBe('')
    await until('the rest of what did not begin to go', async () => {
      const left = readdirSync(join(made.path, 'recordings')).filter((name) => !name.startsWith('.'))
      return left.length === 1 ? true : undefined
    })
    expect((await client.listRecordings()).count).toBe(1)
  })
})

describeOnDisks('retention', () => {
  it('by age, by total size, by free space: the oldest goes with all its files, what is on hold stays', async () => {
    const path = await disk(60)
    const recordDir = join(path, 'recordings')
    const first = await room({ recordDir, recordReserve: '0s' })
    const ids: string[] = []
    for (let i = 0; i < 4; i++) ids.push((await first.client.startRecording('demo')).recording_id)
    await grown(first.client, ids[0], 2)
    const recordings: Recording[] = []
    for (const id of ids) {
      await first.client.stopRecording('demo', id)
      recordings.push(await ended(first.client, id))
    }
    const [held, old, ...young] = recordings
    await first.client.holdRecording(held.recording_id)
    await first.server.server.stop()
    backdate(held, 3)
    backdate(old, 2)
    const left = () => recordings.filter(({ local_path }) => existsSync(join(local_path ?? '', '..')))

    expect(await reasons({ recordDir, retainFor: '1h' }, 1)).toEqual([[old.recording_id, 'age']])
    expect(left()).toEqual([held, ...young])
    const total = recordings.reduce((sum, { file_size_bytes }) => sum + file_size_bytes, 0) - old.file_size_bytes
    expect(total).toBeGreaterThan(MB)
    const tooMany = total - young[0].file_size_bytes > MB ? young : young.slice(0, 1)
    const bySize = await reasons({ recordDir, retainTotalMb: 1 }, tooMany.length)
    expect(bySize).toEqual(tooMany.map(({ recording_id }) => [recording_id, 'total-size']))
    const rest = young.slice(tooMany.length)
    expect(left()).toEqual([held, ...rest])
    const byRoom = await reasons({ recordDir, retainFreeMb: 1000 }, rest.length)
    expect(byRoom).toEqual(rest.map(({ recording_id }) => [recording_id, 'free-space']))
    expect(left()).toEqual([held])
    expect(await decodingFaults(held.local_path ?? '')).toBe('')
  })
})

/** As if it had come to its end so many hours ago. */
function backdate(recording: Recording, hours: number): void {
  const path = join(recording.local_path ?? '', '..', 'recording.json')
  const entry = JSON.parse(readFileSync(path, 'utf8'))
  const at = new Date(Date.now() - hours * 3_600_000).toISOString()
  Object.assign(entry.recording, { started_at: at, stopped_at: at, processed_at: at })
  writeFileSync(path, JSON.stringify({ ...entry, created_at: at }))
}

/** What a server with these settings deletes, and why; it knows of nothing but the manifests. */
async function reasons(options: ServerOptions, count: number): Promise<unknown[]> {
  const server = await ApiServer.start(options)
  const events = await EventClient.greeted(`${server.http.replace('http', 'ws')}/api/events?since=0`)
  const deleted = () => events.events.filter(({ type }) => type === 'recording_deleted')
  await events.until(() => deleted().length >= count)
  events.socket.terminate()
  await server.stop()
  return deleted().map(({ data }) => [data.recording_id, data.reason])
}
