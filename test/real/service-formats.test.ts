import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Recording, TapedeckClient } from '../../src/client/index.ts'
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

let server: ApiServer
let client: TapedeckClient
let rooms = 0
beforeAll(async () => {
  server = await ApiServer.start()
  client = new TapedeckClient({ baseUrl: server.http, fetch: checkedFetch })
})
afterAll(() => server?.stop())

/** A room that is recorded as `format` before anybody publishes there, and ends when the publisher does. */
async function asked(format: RecordingFormat | undefined) {
  const room = `room-${rooms++}`
  const options = { participants: ['alice'], reconnect_window_seconds: 0 }
  const { recording_id: id } = await client.startRecording(room, {
    ...options,
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
