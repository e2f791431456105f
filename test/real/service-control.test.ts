import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as later } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ServerOptions, serverSettings, TapedeckServer } from '../../src/index.ts'
import type { RecordingFile } from '../../src/state/recording-object.ts'
import { decodingFaults } from '../peers/decoding.ts'
import { madeMedia, packetsOf, probe, publish } from '../peers/ffmpeg.ts'
import { scratch } from '../peers/tapedeck.ts'
import { until } from '../peers/until.ts'

const place = scratch('service-control')
const servers: TapedeckServer[] = []
let source: string
/** Hashes of all packets of the source, in order, by kind. */
let sent: { video: string[]; audio: string[] }

beforeAll(async () => {
  source = await madeMedia(
    'service-60s.flv',
    '-f lavfi -i testsrc2=size=320x180:rate=25 -f lavfi -i sine=frequency=440:sample_rate=48000 -t 60 -pix_fmt yuv420p ' +
      '-c:v libx264 -preset ultrafast -g 25 -c:a aac -ac 1',
  )
  sent = byKind(await packetsOf(source))
})
afterAll(async () => {
  for (const server of servers) await server.stop()
  place.drop()
})

function byKind(packets: readonly { readonly type: 'video' | 'audio'; readonly hash: string }[]) {
  const of = (kind: 'video' | 'audio') => packets.filter(({ type }) => type === kind).map(({ hash }) => hash)
  return { video: of('video'), audio: of('audio') }
}

async function started(name: string, options: ServerOptions = {}) {
  const directory = join(place.path, name)
  const settings = serverSettings({
    rtmp: '127.0.0.1:0',
    http: 'off',
    recordAll: false,
    thumbnails: false,
    recordDir: join(directory, 'recordings'),
    dataDir: join(directory, 'data'),
    ...options,
  })
  const server = new TapedeckServer(settings)
  servers.push(server)
  const { rtmp } = await server.start()
  if (rtmp === undefined) throw new Error('not listening')
  const files = () => {
    const path = join(directory, 'recordings')
    return existsSync(path) ? readdirSync(path, { recursive: true, encoding: 'utf8' }) : []
  }
  return { server, control: server.control, files, url: (who: string) => `rtmp://127.0.0.1:${rtmp.port}/demo/${who}` }
}

/** Publishes in real time, and waits until the server has a second of it. */
async function live(server: TapedeckServer, url: string, who: string) {
  const peer = publish(source, url, { speed: 1 })
  await until(`${who} to be live`, () => {
    const stream = server.hub.find({ room: 'demo', participant: who })
    return (stream?.stats.snapshot().keyframes ?? 0) >= 2 ? stream : undefined
  })
  return peer
}

/** How far the recording has come is told to users; waits for that, or for the wall clock where nothing moves. */
const seconds = (count: number) => later(count * 1000)

/** All that was sent before and after one pause of three seconds, closed up. */
async function checkPause(file: RecordingFile, path: string): Promise<void> {
  expect(await decodingFaults(path)).toBe('')
  const packets = await packetsOf(path)
  for (const kind of ['video', 'audio'] as const) {
    const what = `${file.file_name}, ${kind}`
    const mine = packets.filter(({ type }) => type === kind)
    const places = mine.map(({ hash }) => sent[kind].indexOf(hash))
    expect(places.every((at) => at >= 0)).toBe(true)
    const skips = places.slice(1).filter((at, i) => at !== places[i] + 1)
    expect(skips, `${what}: one cut, the pause`).toHaveLength(1)
    const spacing = kind === 'video' ? 0.04 : 1024 / 48_000 // at the cut picture and sound begin together
    const steps = mine.slice(1).map(({ dts }, i) => dts - mine[i].dts)
    expect(Math.max(...steps), `${what}: no hole`).toBeLessThan(spacing + 0.08)
    expect(Math.min(...steps), `${what}: no step back`).toBeGreaterThan(0)
  }
  expect(file.anchors).toHaveLength(2)
  const [begin, again] = file.anchors
  const pausedMs = again.recording_ms - begin.recording_ms - (again.file_ms - begin.file_ms)
  expect(pausedMs).toBeGreaterThan(2000)
  expect(pausedMs).toBeLessThan(4500)
  expect(file.duration_ms / 1000).toBeCloseTo(Number((await probe(path)).format.duration), 1)
}

describe('a room under control, published to by ffmpeg', () => {
  it('paused for three seconds, two participants, in MP4, FLV and Matroska: no hole, no jump', async () => {
    const { server, control, url } = await started('pause')
    const peers = [await live(server, url('alice'), 'alice'), await live(server, url('bob'), 'bob')]
    const begun = await Promise.all(
      (['mp4', 'flv', 'mkv'] as const).map((format) => control.start({ roomId: 'demo', userId: null, format })),
    )
    const ids = begun.map(({ recording }) => recording.recording_id)
    await seconds(2)
    for (const id of ids) await control.pause(id)
    await seconds(3)
    for (const id of ids) await control.resume(id)
    await seconds(2)
    for (const id of ids) await control.stop(id)
    const done = await Promise.all(ids.map(async (id) => (await control.finished(id)).recording))
    for (const peer of peers) peer.end()
    expect(done.map(({ format }) => format)).toEqual(['mp4', 'flv', 'mkv'])
    for (const { status, error, files, recording_id, duration_seconds } of done) {
      expect({ status, error }).toEqual({ status: 'completed', error: null })
      expect(files.map(({ participant_id }) => participant_id)).toEqual(['alice', 'bob'])
      for (const file of files) await checkPause(file, await control.filePath(recording_id, file.file_id))
      expect(duration_seconds).toBeCloseTo(Math.max(...files.map(({ duration_ms }) => duration_ms)) / 1000, 1)
    }
  })

  it('two participants and one who comes later: each in a file, on one clock', async () => {
    const { server, control, url } = await started('several')
    const peers = [await live(server, url('alice'), 'alice'), await live(server, url('bob'), 'bob')]
    const { recording } = await control.start({ roomId: 'demo', userId: null })
    await seconds(2)
    const joinedAfterMs = Date.now() - Date.parse((await control.get(recording.recording_id)).created_at)
    peers.push(await live(server, url('carol'), 'carol'))
    await seconds(2)
    await control.stop(recording.recording_id)
    const { files, status, participants } = (await control.finished(recording.recording_id)).recording
    for (const peer of peers) peer.end()
    expect(status).toBe('completed')
    expect(participants.map(({ participant_id }) => participant_id)).toEqual(['alice', 'bob', 'carol'])
    const [alice, bob, carol] = files
    for (const file of [alice, bob]) expect(Math.abs(file.offset_ms)).toBeLessThan(1500)
    expect(Math.abs(carol.offset_ms - joinedAfterMs)).toBeLessThan(1500)
    const ends = files.map(({ offset_ms, duration_ms }) => offset_ms + duration_ms)
    expect(Math.max(...ends) - Math.min(...ends)).toBeLessThan(500)
    for (const file of files) {
      expect(await decodingFaults(await control.filePath(recording.recording_id, file.file_id))).toBe('')
    }
  })

  it('one who is cut off and returns goes on in the same file', async () => {
    const { server, control, url } = await started('reconnect')
    const first = await live(server, url('alice'), 'alice')
    const { recording } = await control.start({ roomId: 'demo', userId: null, reconnectWindowMs: 20_000 })
    await seconds(2)
    first.end('SIGKILL')
    await first.ended
    await until('alice to be away', async () => {
      const { participants } = (await control.get(recording.recording_id)).recording
      return participants[0]?.is_connected === false ? true : undefined
    })
    await seconds(1)
    const second = await live(server, url('alice'), 'alice')
    await control.stop(recording.recording_id)
    const done = (await control.finished(recording.recording_id)).recording
    second.end()
    expect(done).toMatchObject({ status: 'completed', participants: [{ reconnects: 1 }] })
    expect(done.files).toHaveLength(1)
    expect(await decodingFaults(done.local_path ?? '')).toBe('')
  })

  it('cancelled: nothing is left on disk, and the stream goes on', async () => {
    const { server, control, url, files } = await started('cancel', { recordReport: true })
    const peer = await live(server, url('alice'), 'alice')
    const { recording } = await control.start({ roomId: 'demo', userId: null })
    await until('a file', () => files().find((path) => path.endsWith('.mp4')))
    await control.cancel(recording.recording_id)
    expect(files()).toEqual([])
    expect(server.hub.streams).toHaveLength(1)
    peer.end()
  })

  it('in another quality: completed with a rendition that was verified, and pictures afterwards', async () => {
    const { server, control, url, files } = await started('quality', { thumbnails: true, keepSource: false })
    const peer = await live(server, url('alice'), 'alice')
    const { recording } = await control.start({ roomId: 'demo', userId: 'ann', format: 'mkv', quality: '100k' })
    await seconds(3)
    await control.stop(recording.recording_id)
    const done = (await control.finished(recording.recording_id)).recording
    peer.end()
    expect(done).toMatchObject({ status: 'completed', error: null, format: 'mkv' })
    expect(done.files.map(({ kind, state }) => [kind, state])).toEqual([
      ['source', 'removed'],
      ['rendition', 'finalised'],
    ])
    expect(await decodingFaults(done.local_path ?? '')).toBe('')
    await until('thumbnails', async () => {
      const { jobs } = await control.get(recording.recording_id)
      return jobs.every(({ state }) => state === 'done') ? jobs : undefined
    })
    expect(files().filter((path) => path.endsWith('.jpg')).length).toBeGreaterThanOrEqual(5)
    expect(files().filter((path) => path.endsWith('.mkv'))).toHaveLength(1)
    await control.remove(recording.recording_id)
    expect(files()).toEqual([])
  })

  it('is finished when the server stops, and known to the next one', async () => {
    const { server, control, url } = await started('restart')
    const peer = await live(server, url('alice'), 'alice')
    const { recording } = await control.start({ roomId: 'demo', userId: null })
    await seconds(1)
    await server.stop()
    await peer.ended
    const next = await started('restart')
    const { recording: found } = await next.control.get(recording.recording_id)
    expect(found).toMatchObject({ status: 'completed', error: null, report: { stop_reason: 'shutdown' } })
    expect(await decodingFaults(found.local_path ?? '')).toBe('')
  })
})
