import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Recording, type StartOptions, TapedeckClient } from '../../src/client/index.ts'
import type { RecordingFormat } from '../../src/state/recording-object.ts'
import { ApiServer } from '../peers/api-server.ts'
import { checkedFetch } from '../peers/checked-fetch.ts'
import { decodingFaults } from '../peers/decoding.ts'
import { publisher, sendTracks } from '../peers/enhanced-publisher.ts'
import { madeMedia, packetsOf, probe, publish } from '../peers/ffmpeg.ts'
import { elementary } from '../peers/samples.ts'
import { expectSame, tracksOf, tracksOfAll } from '../peers/sent-tracks.ts'
import { until } from '../peers/until.ts'

const ENDED = ['completed', 'failed']
/** All that a recording says of itself, and nothing else. */
const FIELDS = [
  ...['recording_id', 'room_id', 'user_id', 'format', 'quality', 'quality_settings', 'status', 'storage_backend'],
  ...['local_path', 's3_key', 'file_name', 'started_at', 'paused_at', 'stopped_at', 'resumed_at', 'processed_at'],
  ...['duration_seconds', 'file_size_bytes', 'metadata', 'error', 'files', 'participants', 'report', 'progress'],
]
const ISO_UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

let server: ApiServer
let client: TapedeckClient
let rooms = 0
beforeAll(async () => {
  server = await ApiServer.start()
  client = new TapedeckClient({ baseUrl: server.http, fetch: checkedFetch })
})
afterAll(() => server?.stop())

/** A room that is recorded as `format` before anybody publishes there, and ends when the publisher does. */
async function asked(format: RecordingFormat | undefined, more: StartOptions = {}) {
  const room = `room-${rooms++}`
  const options = { participants: ['alice'], reconnect_window_seconds: 0 }
  const { recording_id: id } = await client.startRecording(room, {
    ...options,
    ...more,
    ...(format === undefined ? {} : { recording_format: format }),
  })
  const ended = () =>
    until('the end', async () => {
      const recording = await client.getRecordingStatus(room, id)
      return ENDED.includes(recording.status) ? recording : undefined
    })
  return { room, ended }
}

const port = () => Number(new URL(server.rtmp).port)

const kinds = ({ files }: Recording) => files.map(({ kind, format, state }) => [kind, format, state])

/** Path of a file of the recording. */
const pathOf = async ({ recording_id }: Recording, index: number, { files }: Recording) =>
  server.server.control.filePath(recording_id, files[index]?.file_id ?? '')

it.each([
  ['webm', 'webm'],
  [undefined, 'webm'],
  ['mkv', 'mkv'],
  ['mp4', 'mp4'],
  ['flv', 'flv'],
] as const)('VP9 and Opus by enhanced RTMP, asked for as %s: every packet in %s, and no job', async (format, made) => {
  const { room, ended } = await asked(format)
  const [video, audio] = await Promise.all([elementary('vp9'), elementary('opus')])
  const wire = await publisher(port(), room, 'alice')
  await sendTracks(
    wire,
    [
      { kind: 'video', fourCc: 'vp09', stream: video },
      { kind: 'audio', fourCc: 'Opus', stream: audio },
    ],
    1000,
  )
  await wire.end()
  const recording = await ended()
  expect(recording).toMatchObject({ status: 'completed', error: null, format: made })
  expect(Object.keys(recording).sort()).toEqual(FIELDS.toSorted())
  for (const time of [recording.started_at, recording.stopped_at, recording.processed_at]) expect(time).toMatch(ISO_UTC)
  expect(kinds(recording)).toEqual([['source', made, 'finalised']])
  expect(recording.files[0]?.tracks.map(({ codec }) => codec)).toEqual(['vp9', 'opus'])
  expect(recording.file_name).toMatch(new RegExp(`\\.${made}$`))
  if (made === 'flv') return // ffmpeg 5 reads no enhanced FLV; what is in it is proved where FLV is
  const path = recording.local_path ?? ''
  expectSame(tracksOf(await packetsOf(path)), await tracksOfAll([video.path, audio.path]), ['pts'])
  expect(await decodingFaults(path)).toBe('')
  const download = await fetch(
    `${server.http}/api/recordings/${recording.recording_id}/files/${recording.files[0]?.file_id}`,
  )
  expect(download.status).toBe(200)
  expect(download.headers.get('content-type')).toBe(made === 'mkv' ? 'video/matroska' : `video/${made}`)
  await download.body?.cancel()
})

it.each([
  ['webm', '-c:v libx264 -preset ultrafast -g 25 -c:a aac', ['h264', 'aac'], ['vp9', 'opus']],
  ['flv', '-c:v libx264 -preset ultrafast -g 25 -c:a pcm_s16le -ar 44100', ['h264', 'pcm_s16le'], ['h264', 'aac']],
] as const)('what %s cannot hold is recorded as it is, and converted by a job', async (format, codecs, sent, made) => {
  const source = await madeMedia(
    `formats-${format}.flv`,
    `-f lavfi -i testsrc2=size=320x180:rate=25 -f lavfi -i sine=frequency=440 -t 2 -pix_fmt yuv420p ${codecs}`,
  )
  const { room, ended } = await asked(format)
  expect((await publish(source, `${server.rtmp}/${room}/alice`).ended).said).toBe('')
  const recording = await ended()
  expect(recording).toMatchObject({ status: 'completed', error: null, format })
  expect(kinds(recording)).toEqual([
    ['source', 'mkv', 'finalised'],
    ['remux', format, 'finalised'],
  ])
  expect(recording.local_path).toBe(await pathOf(recording, 1, recording))
  const kept = await pathOf(recording, 0, recording)
  expectSame(tracksOf(await packetsOf(kept)), tracksOf(await packetsOf(source)), ['pts'])
  const names = async (path: string) => (await probe(path)).streams.map(({ codec_name }) => codec_name)
  expect(await names(kept)).toEqual(sent)
  expect(await names(recording.local_path ?? '')).toEqual(made)
  expect(await decodingFaults(recording.local_path ?? '')).toBe('')
  const frames = async (path: string) => (await packetsOf(path)).filter(({ type }) => type === 'video').length
  expect(await frames(recording.local_path ?? '')).toBe(await frames(kept))
})

it('in parts of a second: each plays, and together they are what was sent', async () => {
  const source = await madeMedia(
    'formats-parts.flv',
    '-f lavfi -i testsrc2=size=320x180:rate=25 -f lavfi -i sine=frequency=440 -t 4 -c:v libx264 -preset ultrafast -g 25 -bf 0 -c:a aac',
  )
  const { room, ended } = await asked('mp4', { part_duration_seconds: 1 })
  await publish(source, `${server.rtmp}/${room}/alice`).ended
  const recording = await ended()
  expect(recording.files.map(({ part, participant_id }) => [part, participant_id])).toEqual(
    [1, 2, 3, 4].map((part) => [part, 'alice']),
  )
  const kept: string[] = []
  let endsAtMs = recording.files[0]?.offset_ms ?? Number.NaN
  for (const [i, { offset_ms, duration_ms }] of recording.files.entries()) {
    expect(Math.abs(offset_ms - endsAtMs), 'one after the other on the clock of the recording').toBeLessThan(50)
    endsAtMs = offset_ms + duration_ms
    const path = await pathOf(recording, i, recording)
    expect(await decodingFaults(path)).toBe('')
    kept.push(...(await packetsOf(path)).filter(({ type }) => type === 'video').map(({ hash }) => hash))
  }
  expect(kept).toEqual((await packetsOf(source)).filter(({ type }) => type === 'video').map(({ hash }) => hash))
})

it('everything that is published, at 75 % of its bitrate: the source stays until the rendition is verified', async () => {
  const source = await madeMedia(
    'formats-3mbit.flv',
    `-f lavfi -i testsrc2=size=640x360:rate=25,noise=alls=12:allf=t -f lavfi -i sine=frequency=440 -t 4 -pix_fmt yuv420p
     -c:v libx264 -preset ultrafast -g 25 -b:v 3M -minrate 3M -maxrate 3M -bufsize 1M -c:a aac -b:a 192k -ac 2`,
  )
  const own = await ApiServer.start({ recordAll: true, recordQuality: 'standard' })
  const api = new TapedeckClient({ baseUrl: own.http, fetch: checkedFetch })
  await publish(source, `${own.rtmp}/live/test`).ended
  const recording = await until('the rendition', async () => {
    const { recordings } = await api.listRecordings({ status: ['completed'] })
    return recordings[0]
  })
  expect(recording).toMatchObject({ quality: 'source*75%', error: null, user_id: null })
  expect(kinds(recording)).toEqual([
    ['source', 'mp4', 'finalised'],
    ['rendition', 'mp4', 'finalised'],
  ])
  const rate = async (path: string) => {
    const video = (await packetsOf(path)).filter(({ type }) => type === 'video')
    return video.reduce((sum, { size }) => sum + size, 0)
  }
  const share = (await rate(recording.local_path ?? '')) / (await rate(source))
  expect(share).toBeGreaterThan(0.675)
  expect(share).toBeLessThan(0.825)
  expect(await decodingFaults(recording.local_path ?? '')).toBe('')
  await own.stop()
})
