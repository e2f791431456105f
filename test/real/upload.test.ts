import { createHash } from 'node:crypto'
import { appendFileSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { TapedeckClient } from '../../src/client/index.ts'
import { openContainer } from '../../src/container/formats.ts'
import { RecordingEngine } from '../../src/index.ts'
import { MemoryFile } from '../container/matroska/memory-file.ts'
import { pieces, recordedBytes } from '../ingest/upload-rig.ts'
import { decodingFaults } from '../peers/decoding.ts'
import { Disk, describeOnDisks } from '../peers/disks.ts'
import { madeMedia } from '../peers/ffmpeg.ts'
import { scratch, TapedeckProcess } from '../peers/tapedeck.ts'
import { until } from '../peers/until.ts'

const directory = scratch('upload')
const disks: Disk[] = []
afterAll(async () => {
  await TapedeckProcess.endAll()
  for (const disk of disks) await disk.drop()
  directory.drop()
})

/**
 * What is in the samples of one kind, in the order of the file. Of pictures only their last bytes count: those of Chromium's
 * Matroska come as a byte stream with parameter sets, and are kept otherwise.
 */
async function contents(bytes: Uint8Array, kind: 'video' | 'audio'): Promise<string[]> {
  const source = {
    sizeBytes: bytes.length,
    read: async (at: number, length: number) => bytes.subarray(at, at + length),
  }
  const sums: string[] = []
  for await (const { track, offset, size } of (await openContainer(source)).samples()) {
    if (track.kind !== kind) continue
    const from = kind === 'audio' ? offset : Math.max(offset, offset + size - 64)
    sums.push(
      createHash('sha1')
        .update(bytes.subarray(from, offset + size))
        .digest('hex'),
    )
  }
  return sums
}

/** Of all pictures that have one. */
async function alphaChannels(bytes: Buffer): Promise<string[]> {
  const channels: string[] = []
  for await (const { alpha } of (await openContainer(new MemoryFile(bytes))).samples()) {
    if (alpha !== undefined) channels.push(bytes.toString('hex', alpha.offset, alpha.offset + alpha.size))
  }
  return channels
}

/** Made by ffmpeg, 8 s each: a keyframe every 640 ms, as browsers are asked for one every second. */
const PICTURE = '-f lavfi -i testsrc2=s=320x240:r=25:d=8 -g 16'
const VP8 = '-c:v libvpx -deadline realtime -cpu-used 8 -b:v 300k'
const made = {
  'cam.webm': `-f lavfi -i anoisesrc=d=8:a=0.1 ${PICTURE} ${VP8} -c:a libopus -f webm -live 1`,
  'scr.webm': `-f lavfi -i mandelbrot=s=320x240:r=10 -t 6 -g 7 ${VP8} -f webm -live 1`,
  'avc.mp4':
    `-f lavfi -i anoisesrc=d=8:a=0.1 ${PICTURE} -c:v libx264 -preset ultrafast -bf 0 -c:a aac ` +
    '-movflags frag_keyframe+empty_moov+default_base_moof -frag_duration 300000 -f mp4',
  'sound.webm': '-f lavfi -i anoisesrc=d=8:a=0.1 -c:a libopus -f webm -live 1',
}
const PIECES = 40
/** Who uploads what: a session each. */
const uploads = [
  ['vp8', 'camera', 'cam.webm'],
  ['h264', 'camera', 'avc.mp4'],
  ['sound', 'microphone', 'sound.webm'],
  ['two', 'camera', 'cam.webm'],
  ['two', 'screen', 'scr.webm'],
  ['chromium', 'camera', 'h264.mkv'],
] as const

it('survives kill -9 in its middle, twice: what was acknowledged is in the files, each frame once', async () => {
  const own = async (name: keyof typeof made) => readFileSync(await madeMedia(`upload-${name}`, made[name]))
  const media = {
    'cam.webm': await own('cam.webm'),
    'scr.webm': await own('scr.webm'),
    'avc.mp4': await own('avc.mp4'),
    'sound.webm': await own('sound.webm'),
    'h264.mkv': recordedBytes('h264.mkv'),
  }
  const server = await TapedeckProcess.start(join(directory.path, 'kill'), '--record-all', '--record-min-free-mb', '0')
  const client = new TapedeckClient({ baseUrl: server.http })
  const sessions = uploads.map(([who, kind, name]) => ({ who, kind, parts: pieces(media[name], PIECES) }))
  const send = async (seq: number) => {
    for (const { who, kind, parts } of sessions) {
      const chunk = { session: kind, seq, kind, final: seq === PIECES - 1 ? 'true' : 'false' } as const
      await client.uploadChunk('demo', who, chunk, Uint8Array.from(parts[seq]))
    }
  }
  const beganAtMs = Date.now()
  for (let seq = 0; seq < 30; seq++) {
    await send(seq)
    await new Promise((resolve) => setTimeout(resolve, 110)) // somewhat faster than it was recorded
  }
  await server.end('SIGKILL')
  await server.start()
  for (let seq = 27; seq < 33; seq++) await send(seq) // the last ones again, as if their answers had been lost
  await server.end('SIGKILL') // once more, while it still catches up
  await server.start()
  const backAtMs = Date.now()
  for (let seq = 33; seq < PIECES; seq++) await send(seq)
  for (const { who, kind } of sessions) {
    const ended = async () => (await client.getUpload('demo', who, kind)).state === 'ended' || undefined
    await until(`the end of ${kind} of ${who}`, ended)
  }
  const { recordings } = await client.listRecordings()
  await server.end()
  for (const who of ['vp8', 'h264', 'sound']) {
    const ofHim = recordings.find(({ participants }) => participants.some((each) => each.participant_id === who))
    const [before, after] = ofHim?.files ?? []
    // as the media has no hole; how large it looks depends on how much slower than in real time it came
    expect(after.offset_ms, who).toBeGreaterThan(before.offset_ms + before.duration_ms - 500)
    expect(after.offset_ms, who).toBeLessThan(backAtMs - beganAtMs)
  }
  const all = readdirSync(server.recordings).filter((file) => /\.(mp4|webm|weba|mkv)$/.test(file))
  for (const who of new Set(sessions.map((session) => session.who))) {
    const files = all.filter((file) => file.includes(`_${who}_`))
    expect(files.length, who).toBeGreaterThan(1)
    const mine = sessions.filter((session) => session.who === who)
    for (const kind of ['video', 'audio'] as const) {
      const kept: string[] = []
      for (const file of files) kept.push(...(await contents(readFileSync(join(server.recordings, file)), kind)))
      const expected: string[] = []
      for (const { parts } of mine) expected.push(...(await contents(Buffer.concat(parts), kind)))
      if (mine.length === 1) expect(kept, who).toEqual(expected)
      else expect(kept.sort(), who).toEqual(expected.sort())
    }
    for (const file of files) expect(await decodingFaults(join(server.recordings, file))).toBe('')
  }
})

describeOnDisks('on a full disk', () => {
  it('a chunk is refused with 507 and nothing of it stays, until there is room again: then all of it is recorded', async () => {
    const disk = await Disk.tmpfs(directory.path, 8)
    disks.push(disk)
    const data = join(disk.path, 'data')
    const flags = ['--data-dir', data, '--record-all', '--record-min-free-mb', '0']
    const server = await TapedeckProcess.start(join(directory.path, 'full'), ...flags)
    const client = new TapedeckClient({ baseUrl: server.http })
    const bytes = recordedBytes('vp8.webm')
    const parts = pieces(bytes, 4)
    const send = (seq: number) =>
      client.uploadChunk(
        'demo',
        'alice',
        { session: 'a', seq, final: seq === 3 ? 'true' : 'false' },
        Uint8Array.from(parts[seq]),
      )
    await send(0)
    const ballast = join(disk.path, 'ballast')
    const fill = () => {
      for (let size = 1_000_000; size >= 1; size = Math.floor(size / 2)) {
        try {
          for (;;) appendFileSync(ballast, Buffer.alloc(size))
        } catch {
          // no room for so much
        }
      }
    }
    fill()
    for (let i = 0; i < 2; i++) await expect(send(1)).rejects.toMatchObject({ status: 507, code: 'TD_DISK_FULL' })
    expect(await client.getUpload('demo', 'alice', 'a')).toMatchObject({ state: 'open', next_seq: 1, early: [] })
    const uploads = join(data, 'uploads')
    const chunks = readdirSync(uploads, { recursive: true })
      .map(String)
      .filter((name) => /\/\d+-/.test(name))
    expect(chunks.length).toBeLessThanOrEqual(1)
    rmSync(ballast)
    for (let seq = 1; seq < 4; seq++) await send(seq)
    await until('its end', async () => (await client.getUpload('demo', 'alice', 'a')).state === 'ended' || undefined)
    await server.end()
    const [file] = server.files()
    const kept = await contents(readFileSync(join(server.recordings, file)), 'video')
    expect(kept).toEqual(await contents(bytes, 'video'))
  })
})

it('comes into a recording of a program by addChunk', async () => {
  const engine = await RecordingEngine.open({
    recordDir: join(directory.path, 'engine'),
    dataDir: join(directory.path, 'engine-data'),
    recordMinFreeMb: 0,
    thumbnails: false,
  })
  const { recording_id: id } = await engine.startRecording('demo', { participants: ['alice', 'canvas'] })
  for (const part of pieces(recordedBytes('h264.mkv'), 7)) await engine.addChunk(id, 'alice', part)
  for (const part of pieces(recordedBytes('alpha.webm'), 7)) await engine.addChunk(id, 'canvas', part)
  await Promise.all([engine.endChunks(id, 'alice'), engine.endChunks(id, 'canvas')])
  await engine.stopRecording(id)
  const recording = await engine.finished(id)
  expect(recording).toMatchObject({ status: 'completed' })
  for (const file of recording.files) expect(file.duration_ms).toBeGreaterThan(1500)
  await engine.close()
  const paths = readdirSync(join(directory.path, 'engine'), { recursive: true })
    .map((name) => join(directory.path, 'engine', String(name)))
    .filter((path) => /\.(mp4|mkv|webm)$/.test(path))
    .sort()
  expect(paths.map((path) => /_(alice|canvas)_.*\.(\w+)$/.exec(path)?.slice(1))).toEqual([
    ['alice', 'mp4'],
    ['canvas', 'webm'],
  ])
  for (const path of paths) expect(await decodingFaults(path)).toBe('')
  const sent = await alphaChannels(recordedBytes('alpha.webm'))
  expect(sent.length).toBeGreaterThan(30)
  expect(await alphaChannels(readFileSync(paths[1]))).toEqual(sent)
})
