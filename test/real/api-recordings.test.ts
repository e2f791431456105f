import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ApiError, type Recording, TapedeckClient } from '../../src/client/index.ts'
import type { TapedeckEvent } from '../../src/events/event.ts'
import { checkedFetch } from '../peers/checked-fetch.ts'
import { complaints, madeMedia, type ProbedPacket, packetsOf, publish } from '../peers/ffmpeg.ts'
import { type RedisPeer, startRedis } from '../peers/redis.ts'
import { scratch, TapedeckProcess } from '../peers/tapedeck.ts'
import { until } from '../peers/until.ts'

const PAUSE_MS = 3000
const LIMIT = 7
/** One minute in which no two packets are the same. */
const media = () =>
  madeMedia(
    'api-minute.flv',
    `-f lavfi -i testsrc2=size=320x180:rate=25 -f lavfi -i aevalsrc=sin(2*PI*t*(300+t*20)):s=48000 -t 60
     -c:v libx264 -preset veryfast -g 25 -bf 0 -b:v 400k -c:a aac -b:a 96k`,
  )

/** What was told over the WebSocket, in order. */
class Told {
  readonly events: TapedeckEvent[] = []
  readonly #stop = new AbortController()

  constructor(client: TapedeckClient) {
    void this.#listen(client)
  }

  async #listen(client: TapedeckClient): Promise<void> {
    for await (const event of client.events({ since: 0, signal: this.#stop.signal })) {
      if (event.type !== 'replay_gap') this.events.push(event)
    }
  }

  /** Types of what was told of a recording, without progress. */
  of(id: string): string[] {
    return this.events
      .filter(({ type, data }) => data.recording_id === id && type !== 'recording_progress')
      .map(({ type }) => type)
  }

  find(id: string, type: string): Promise<TapedeckEvent> {
    return until(`${type} of ${id}`, () =>
      this.events.find((event) => event.type === type && event.data.recording_id === id),
    )
  }

  end(): void {
    this.#stop.abort()
  }
}

describe.each(['sqlite', 'redis'] as const)('recordings over HTTP, state in %s', (store) => {
  const place = scratch(`api-${store}`)
  const shared: { redis?: RedisPeer; server?: TapedeckProcess; told?: Told; publisher?: ReturnType<typeof publish> } =
    {}
  const rig = () => {
    const { server, told } = shared
    if (server === undefined || told === undefined) throw new Error('not started')
    const client = new TapedeckClient({ baseUrl: server.http, fetch: checkedFetch })
    return { server, told, client }
  }
  /** Publishes into `room` until it is seen there. */
  const enter = async (room: string, name = 'alice') => {
    const { server, client } = rig()
    const publisher = publish(await media(), `${server.rtmp}/${encodeURIComponent(room)}/${name}`, { speed: 1 })
    await until('the publisher', async () =>
      (await client.listRooms()).rooms.find(
        ({ room_id, participants }) => room_id === room && participants.some(({ tracks }) => tracks.length === 2),
      ),
    )
    return publisher
  }
  const mediaOf = async (room: string, id: string, seconds: number) =>
    until(`${seconds} s of media`, async () => {
      const now = await rig().client.getRecordingStatus(room, id)
      return now.duration_seconds >= seconds ? now : undefined
    })
  const directories = () => readdirSync(rig().server.recordings).filter((name) => !name.startsWith('.'))

  beforeAll(async () => {
    const flags = ['--no-record-all', '--record-min-free-mb', '0', '--max-recordings', String(LIMIT), '--no-thumbnails']
    if (store === 'redis') {
      shared.redis = await startRedis()
      flags.push('--redis', shared.redis.url)
    }
    shared.server = await TapedeckProcess.start(place.path, ...flags)
    shared.told = new Told(new TapedeckClient({ baseUrl: shared.server.http }))
  })
  afterAll(async () => {
    shared.told?.end()
    await shared.server?.end('SIGKILL')
    await shared.redis?.stop()
    place.drop()
  })

  it('start, status, pause for 3 s, resume, stop: one file without a hole or a jump', async () => {
    const { client, told } = rig()
    const publisher = await enter('demo')
    const started = await client.startRecording('demo', {
      recording_format: 'mp4',
      metadata: { title: 'Größe', nested: { a: [1, null] } },
    })
    expect(started).toMatchObject({ room_id: 'demo', user_id: null, quality: 'source', storage_backend: 'local' })
    expect(['pending', 'recording']).toContain(started.status)
    const id = started.recording_id
    await mediaOf('demo', id, 2)
    const paused = await client.pauseRecording('demo', id)
    expect(paused).toMatchObject({ recording_id: id, status: 'paused', paused_at: expect.any(String) })
    await delay(PAUSE_MS)
    expect(await client.getRecordingStatus('demo', id)).toMatchObject({ status: 'paused' })
    const resumed = await client.resumeRecording('demo', id)
    expect(resumed).toMatchObject({ status: 'recording', resumed_at: expect.any(String) })
    await mediaOf('demo', id, paused.duration_seconds + 3)
    const { disk, capacity } = await client.getServer()
    const [sender] = (await client.listParticipants('demo')).participants
    expect(capacity).toMatchObject({ active_recordings: 1, max_recordings: LIMIT, streams: 1 })
    expect(disk.write_rate_bps / (sender?.bitrate_bps ?? 1), 'what is written beside what comes').toBeCloseTo(1, 0)
    const stopped = await client.stopRecording('demo', id)
    expect(['processing', 'completed']).toContain(stopped.status)
    const { data } = await told.find(id, 'recording_stopped')
    expect(data.duration_seconds).toBeCloseTo(stopped.duration_seconds, 1)
    await told.find(id, 'recording_completed')
    const done = await client.getRecording(id)
    publisher.end()
    await publisher.ended
    expect(done).toMatchObject({
      status: 'completed',
      format: 'mp4',
      metadata: { title: 'Größe', nested: { a: [1, null] } },
      error: null,
      started_at: expect.any(String),
      stopped_at: expect.any(String),
      processed_at: expect.any(String),
      participants: [{ participant_id: 'alice' }],
      report: expect.any(Object),
    })
    expect(told.of(id)).toEqual([
      'recording_started',
      'recording_paused',
      'recording_resumed',
      'recording_stopped',
      'recording_processing',
      'recording_completed',
    ])
    await checkFile(done, await media())
    const manifest: { recording: Recording } = JSON.parse(
      readFileSync(join(done.local_path ?? '', '..', 'recording.json'), 'utf8'),
    )
    expect(manifest.recording).toMatchObject({ recording_id: id, status: 'completed', files: done.files })
  })

  it('cancel leaves nothing on disk', async () => {
    const { client, told } = rig()
    const publisher = await enter('gone')
    const before = directories()
    const { recording_id: id } = await client.startRecording('gone')
    await mediaOf('gone', id, 1)
    expect(directories()).toHaveLength(before.length + 1)
    expect(await client.cancelRecording('gone', id)).toMatchObject({ status: 'cancelled', files: [], local_path: null })
    expect(directories()).toEqual(before)
    await told.find(id, 'recording_cancelled')
    expect(told.of(id)).toEqual(['recording_started', 'recording_cancelled'])
    publisher.end()
    await publisher.ended
  })

  it('moves that a status does not allow are 400', async () => {
    const { client } = rig()
    const { recording_id: id } = await client.startRecording('later', { participants: ['x'] })
    await expect(client.resumeRecording('later', id)).rejects.toMatchObject({ status: 400, code: 'TD_ILLEGAL_MOVE' })
    await client.cancelRecording('later', id)
    for (const act of ['stopRecording', 'pauseRecording', 'resumeRecording', 'cancelRecording'] as const) {
      await expect(client[act]('later', id)).rejects.toMatchObject({ status: 400, code: 'TD_ILLEGAL_MOVE' })
    }
    const missing = '00000000-0000-0000-0000-000000000000'
    await expect(client.startRecording('empty')).rejects.toMatchObject({ status: 404, code: 'TD_ROOM_UNKNOWN' })
    await expect(client.getRecordingStatus('demo', id)).rejects.toMatchObject({ status: 404 })
    await expect(client.getRecording(missing)).rejects.toMatchObject({ status: 404, code: 'TD_RECORDING_MISSING' })
    await expect(client.startRecording('later', { quality: 'best' })).rejects.toMatchObject({ code: 'TD_QUALITY' })
  })

  it('200 starts at once: exactly as many as may be', async () => {
    const { client, server } = rig()
    const limited = new TapedeckClient({ baseUrl: `${server.http}/api/webrtc`, fetch: checkedFetch })
    const tries = await Promise.allSettled(
      Array.from({ length: 200 }, (_, n) =>
        (n % 2 === 0 ? client : limited).startRecording(`room ${n % 20}/ü`, { participants: ['x'] }),
      ),
    )
    const made = tries.filter((each) => each.status === 'fulfilled').map(({ value }) => value)
    const refused = tries.filter((each) => each.status === 'rejected').map(({ reason }) => reason)
    expect(made).toHaveLength(LIMIT)
    for (const error of refused) {
      expect(error).toBeInstanceOf(ApiError)
      expect(error).toMatchObject({ status: 400, code: 'TD_RECORDING_LIMIT' })
    }
    for (const { room_id, recording_id } of made) await client.cancelRecording(room_id, recording_id)
    const again = await client.startRecording('room', { participants: ['x'] })
    await client.cancelRecording('room', again.recording_id)
  })

  it('lists: of a room, of all, by status and time, page by page', async () => {
    const { client } = rig()
    const ofRoom = await client.listRoomRecordings('demo')
    expect(ofRoom).toMatchObject({ count: 1, next_cursor: null, recordings: [{ status: 'completed' }] })
    const all = await client.listRecordings({ limit: 100 })
    expect(all.count).toBe(all.recordings.length)
    const paged: string[] = []
    for await (const { recording_id } of client.eachRecording({ limit: 2 })) paged.push(recording_id)
    expect(paged).toEqual(all.recordings.map(({ recording_id }) => recording_id))
    const cancelled = await client.listRecordings({ status: ['cancelled'], limit: 100 })
    expect(cancelled.count).toBe(all.count - 1)
    const [newest] = all.recordings
    const { created_at } = await client.getRecording(newest?.recording_id ?? '')
    expect((await client.listRecordings({ since: created_at })).count).toBe(1)
    expect((await client.listRecordings({ until: created_at })).count).toBe(all.count - 1)
    await expect(client.listRecordings({ cursor: 'x' })).rejects.toMatchObject({ status: 400, code: 'TD_BAD_CURSOR' })
  })

  it('hold, markers, report, files, delete', async () => {
    const { client, told } = rig()
    const [{ recording_id: id, local_path }] = (await client.listRoomRecordings('demo')).recordings
    const marker = await client.addMarker(id, { label: 'Anfang', at_ms: 500 })
    expect((await client.listMarkers(id)).markers).toEqual([marker])
    await told.find(id, 'marker_added')
    expect(await client.getReport(id)).toMatchObject({ recording_id: id, report: expect.any(Object) })
    expect((await client.listThumbnails(id)).thumbnails).toEqual([])
    expect(await client.holdRecording(id)).toEqual({ recording_id: id, hold: true })
    await expect(client.deleteRecording(id)).rejects.toMatchObject({ status: 409, code: 'TD_HELD' })
    expect(await client.releaseRecording(id)).toEqual({ recording_id: id, hold: false })
    await client.deleteRecording(id)
    await told.find(id, 'recording_deleted')
    expect(existsSync(local_path ?? '')).toBe(false)
    expect(directories()).toEqual([])
    await expect(client.getRecording(id)).rejects.toMatchObject({ status: 404, code: 'TD_RECORDING_MISSING' })
  })

  it('rooms, participants, their end', async () => {
    const { client, told } = rig()
    const publisher = await enter('who', 'bob')
    const room = await client.getRoom('who')
    expect(room).toMatchObject({
      room_id: 'who',
      recordings: [],
      participants: [
        {
          participant_id: 'bob',
          source: 'rtmp',
          tracks: [
            { kind: 'video', codec: 'h264', width: 320, height: 180 },
            { kind: 'audio', codec: 'aac', sample_rate_hz: 48_000 },
          ],
        },
      ],
    })
    expect((await client.listParticipants('who')).participants[0]?.received_bytes).toBeGreaterThan(0)
    await expect(client.disconnectParticipant('who', 'carol')).rejects.toMatchObject({ code: 'TD_PARTICIPANT_MISSING' })
    await client.disconnectParticipant('who', 'bob')
    await publisher.ended
    await until('participant_left', () =>
      told.events.find(({ type, room_id }) => type === 'participant_left' && room_id === 'who'),
    )
    await expect(client.getRoom('who')).rejects.toMatchObject({ status: 404, code: 'TD_ROOM_UNKNOWN' })
    expect(await client.getServer()).toMatchObject({ state: { kind: store, is_reachable: true } })
  })
})

/** Every packet of the file is one that was sent; none is missing but those of the pause, and time goes on across it. */
async function checkFile(recording: Recording, sentPath: string): Promise<void> {
  const path = recording.local_path ?? ''
  expect(await complaints(path)).toBe('')
  const [sent, kept] = [await packetsOf(sentPath), await packetsOf(path)]
  expect(recording.files).toMatchObject([{ kind: 'source', state: 'finalised', participant_id: 'alice' }])
  const shifts = [pauseIn(sent, kept, 'video'), pauseIn(sent, kept, 'audio')]
  const [video = 0, audio = 0] = shifts
  expect(video).toBeGreaterThan(PAUSE_MS / 1000 - 1.2) // a keyframe a second
  expect(video).toBeLessThan(PAUSE_MS / 1000 + 1.5)
  expect(Math.abs(video - audio)).toBeLessThan(0.045)
}

/** How long the one pause in `kept` is, s. */
function pauseIn(sent: readonly ProbedPacket[], kept: readonly ProbedPacket[], type: 'video' | 'audio'): number {
  const source = sent.filter((packet) => packet.type === type)
  const place = new Map(source.map(({ hash }, index) => [hash, index]))
  const file = kept.filter((packet) => packet.type === type)
  const places = file.map(({ hash }) => place.get(hash) ?? -1)
  expect(places).not.toContain(-1)
  const cuts = places.flatMap((at, index) => (index > 0 && at !== (places[index - 1] ?? 0) + 1 ? [index] : []))
  expect(cuts, `${type} is one piece before the pause and one after it`).toHaveLength(1)
  const [cut = 0] = cuts
  const shift = (index: number) => (source[places[index] ?? 0]?.dts ?? 0) - (file[index]?.dts ?? 0)
  const steps = file.slice(1).map(({ dts }, index) => dts - (file[index]?.dts ?? 0))
  expect(Math.max(...steps), `${type} goes on without a hole`).toBeLessThan(0.085)
  expect(Math.min(...steps)).toBeGreaterThan(0)
  if (type === 'video') expect(file[cut]?.key).toBe(true)
  return shift(file.length - 1) - shift(0)
}
