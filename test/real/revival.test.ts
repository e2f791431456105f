import { join } from 'node:path'
import { setTimeout as later } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RecordingObject } from '../../src/state/recording-object.ts'
import { madeMedia } from '../peers/ffmpeg.ts'
import { PacedPublisher } from '../peers/paced-publisher.ts'
import { scratch, TapedeckProcess } from '../peers/tapedeck.ts'
import { until } from '../peers/until.ts'

/** Offsets of files may differ from the truth by so much, ms. */
const TOLERANCE_MS = 20
const place = scratch('revival')
let source = ''

beforeAll(async () => {
  source = await madeMedia(
    'revival.flv',
    '-f lavfi -i testsrc2=size=320x180:rate=30 -f lavfi -i sine=frequency=440:sample_rate=44100 -t 10 -c:v libx264 -preset veryfast -tune zerolatency -b:v 500k -g 15 -pix_fmt yuv420p -c:a aac -ac 2 -f flv',
  )
})
afterAll(async () => {
  await TapedeckProcess.endAll()
  place.drop()
})

async function api<T>(server: TapedeckProcess, path: string, method = 'GET'): Promise<T> {
  const response = await fetch(`${server.http}/api${path}`, { method })
  const body: T = await response.json()
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(body)}`)
  return body
}

async function all(server: TapedeckProcess): Promise<RecordingObject[]> {
  return (await api<{ recordings: RecordingObject[] }>(server, '/recordings?all=true')).recordings
}

/** Resolves once all that there is looks so. */
function every(server: TapedeckProcess, what: string, looksSo: (recording: RecordingObject) => boolean) {
  return until(what, async () => {
    const recordings = await all(server)
    return recordings.length > 0 && recordings.every(looksSo) ? recordings : undefined
  })
}

const publish = (server: TapedeckProcess) => PacedPublisher.start(server.rtmpPort, 'stage', 'alice', source)
const sources = ({ files }: RecordingObject) =>
  files.filter(({ kind, state }) => kind === 'source' && state !== 'removed')

/** When time 0 of a stream was by the frames themselves: the one that was sent with the least delay tells. */
function zeroOf({ sent }: PacedPublisher): number {
  return Math.min(...sent.filter(({ timestampMs }) => timestampMs < 3000).map((tag) => tag.atMs - tag.timestampMs))
}

/** Where time 0 of each file lies, against that of the first publisher of all. */
function expectOffsets(recording: RecordingObject, publishers: readonly PacedPublisher[]): void {
  const firstMs = publishers.map(zeroOf)
  const offsets = sources(recording).map(({ offset_ms }) => offset_ms)
  expect(offsets).toHaveLength(publishers.length)
  const wrong = offsets.map((offset, i) => offset - (offsets[0] ?? 0) - ((firstMs[i] ?? 0) - (firstMs[0] ?? 0)))
  console.log(recording.recording_id.slice(0, 8), offsets, wrong.map((ms) => ms.toFixed(1)).join(' '))
  for (const ms of wrong) expect(Math.abs(ms)).toBeLessThanOrEqual(TOLERANCE_MS)
}

describe.concurrent('a server that is killed while a publisher is recorded', () => {
  it.each(['mp4', 'mkv'])(
    'goes on with the same recordings in %s, over and over',
    { timeout: 120_000 },
    async (format) => {
      const server = await TapedeckProcess.start(
        join(place.path, format),
        ...['--record-format', format, '--no-thumbnails', '--revival-window', '8s', '--reconnect-window', '0s'],
      )
      const publishers = [await publish(server)]
      await every(server, 'the automatic recording', ({ status }) => status === 'recording')
      const asked = await api<RecordingObject>(
        server,
        `/rooms/stage/recording/start?recording_format=${format}`,
        'POST',
      )
      await later(5500)
      const before = (await all(server)).map(({ recording_id }) => recording_id).sort()
      expect(before).toHaveLength(2)
      for (const absenceMs of [1500, 0]) {
        await server.end('SIGKILL')
        publishers.at(-1)?.stop()
        await server.start()
        if (absenceMs > 0) {
          await server.end('SIGKILL') // again, perhaps while the files are being mended
          await server.start()
          await later(absenceMs)
        }
        publishers.push(await publish(server))
        await every(server, 'a further file in each', (recording) => {
          return recording.status === 'recording' && sources(recording).length === publishers.length
        })
        await later(5500)
      }
      await api(server, `/rooms/stage/recording/${asked.recording_id}/stop`, 'POST')
      publishers.at(-1)?.stop()
      const recordings = await every(server, 'all to be completed', ({ status }) => status === 'completed')
      expect(recordings.map(({ recording_id }) => recording_id).sort()).toEqual(before)
      for (const recording of recordings) {
        expect(recording.error).toBeNull()
        expect(sources(recording).map(({ part, state }) => [part, state])).toEqual([
          [1, 'repaired'],
          [2, 'repaired'],
          [3, 'finalised'],
        ])
        expect(recording.participants).toMatchObject([{ participant_id: 'alice', reconnects: 2, is_connected: false }])
        expect(recording.report?.interruptions).toHaveLength(2)
        const isAsked = recording.recording_id === asked.recording_id
        if (!isAsked) expectOffsets(recording, publishers)
        else expect(sources(recording)[1]?.offset_ms).toBeGreaterThan(2500)
      }
      await server.end()
    },
  )

  it('ends them when nobody comes back within the window, or it is stopped', { timeout: 120_000 }, async () => {
    const server = await TapedeckProcess.start(
      join(place.path, 'nobody'),
      ...['--no-thumbnails', '--revival-window', '3s', '--reconnect-window', '0s'],
    )
    const publisher = await publish(server)
    await every(server, 'the automatic recording', ({ status }) => status === 'recording')
    await api(server, '/rooms/stage/recording/start', 'POST')
    await later(1500)
    await server.end('SIGKILL')
    const diedAtMs = Date.now()
    publisher.stop()
    await server.start()
    const live = await all(server)
    expect(live.map(({ status }) => status)).toEqual(['recording', 'recording'])
    const ended = await every(server, 'both to be completed', ({ status }) => status === 'completed')
    expect(ended.map(({ recording_id }) => recording_id)).toEqual(live.map(({ recording_id }) => recording_id))
    for (const { error, files, stopped_at, duration_seconds } of ended) {
      expect(error).toMatchObject({ code: 'TD_INTERRUPTED' })
      expect(files).toMatchObject([{ state: 'repaired' }])
      expect(Math.abs(Date.parse(stopped_at ?? '') - diedAtMs)).toBeLessThan(1500)
      expect(duration_seconds).toBeGreaterThan(0.7)
    }
    await server.end()
  })
})
