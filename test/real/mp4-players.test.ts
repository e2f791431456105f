import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { repairMp4 } from '../../src/container/mp4/repair.ts'
import { Frame } from '../../src/media/frame.ts'
import { MemoryStorage } from '../../src/storage/memory.ts'
import { inTimescale, type Media, mediaOf, record } from '../container/mp4/remux.ts'
import { ChromiumPlayer } from '../peers/chromium.ts'
import { complaints, madeMedia, packetsOf, probe } from '../peers/ffmpeg.ts'

const SECONDS = 6
const H264 = `-f lavfi -i testsrc2=size=320x180:rate=30 -f lavfi -i sine=frequency=440:sample_rate=48000 -t ${SECONDS} -pix_fmt yuv420p -g 30 -ac 2 -c:v libx264 -bf 2 -c:a aac`
const LARGER = `-f lavfi -i testsrc2=size=640x360:rate=30 -t 2 -pix_fmt yuv420p -g 30 -c:v libx264 -bf 2`
const VP9 = `-f lavfi -i testsrc2=size=320x180:rate=30 -f lavfi -i sine=frequency=440:sample_rate=48000 -t ${SECONDS} -pix_fmt yuv420p -g 30 -ac 2 -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a libopus`
const AV1 = `-f lavfi -i testsrc2=size=320x180:rate=30 -f lavfi -i sine=frequency=440:sample_rate=48000 -t ${SECONDS} -pix_fmt yuv420p -g 30 -ac 2 -c:v libsvtav1 -preset 12 -c:a libopus`

let directory = ''
let player: ChromiumPlayer
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tapedeck-mp4-players-'))
  player = await ChromiumPlayer.launch()
})
afterAll(async () => {
  await player.close()
  rmSync(directory, { recursive: true })
})

async function sourceMedia(name: string, args: string): Promise<Media> {
  const storage = new MemoryStorage()
  storage.put('source', readFileSync(await madeMedia(name, args)))
  return mediaOf(await storage.open('source'))
}

/** The file in every state that a player may meet it in. */
async function statesOf(media: Media, name: string): Promise<Record<string, string>> {
  const storage = new MemoryStorage()
  const out = await storage.create('file')
  const muxer = record(media, out)
  const growing = storage.bytesOf('file')
  await muxer.finish()
  await out.close()
  const finished = storage.bytesOf('file')
  const unpatched = finished.slice()
  unpatched.set(growing.subarray(0, 64))
  storage.put('torn', growing.subarray(0, growing.length - 1000))
  await repairMp4(await storage.open('torn'))
  const states: Record<string, Uint8Array> = {
    growing,
    'with its index appended but not in use': unpatched,
    'with its index torn': unpatched.subarray(0, growing.length + 300),
    finished,
    repaired: storage.bytesOf('torn'),
  }
  return Object.fromEntries(
    Object.entries(states).map(([state, bytes]) => {
      const path = join(directory, `${name}-${state.replaceAll(' ', '-')}.mp4`)
      writeFileSync(path, bytes)
      return [state, path]
    }),
  )
}

describe.each([
  ['h264 and aac', 'mp4-players-h264.mp4', H264],
  ['vp9 and opus', 'mp4-players-vp9.mp4', VP9],
  ['av1 and opus', 'mp4-players-av1.mp4', AV1],
])('%s', (name, file, args) => {
  test('Chromium plays and seeks, ffmpeg decodes without a word, whatever state the file is in', async () => {
    const media = await sourceMedia(file, args)
    const states = await statesOf(inTimescale(media, 1000, 120), name.replaceAll(' ', '-'))
    for (const [state, path] of Object.entries(states)) {
      const playback = await player.play(path, 4)
      expect({ state, ...playback }).toMatchObject({ state, error: undefined, width: 320, height: 180 })
      expect(playback.framesAfterSeek, state).toBeGreaterThan(5)
      expect(playback.durationSeconds, state).toBeGreaterThan(SECONDS - 0.6)
      expect(playback.durationSeconds, state).toBeLessThan(SECONDS + 0.3)
      if (state !== 'with its index torn' && !state.includes('appended')) expect(await complaints(path), state).toBe('')
    }
  })
})

/** `media`, and from `atMs` on further video: another size, in the next epoch of the same track. */
async function resized(): Promise<Media> {
  const media = inTimescale(await sourceMedia('mp4-players-h264.mp4', H264), 1000)
  const larger = inTimescale(await sourceMedia('mp4-players-larger.mp4', LARGER), 1000)
  const video = media.tracks.find(({ kind }) => kind === 'video')
  if (video === undefined) throw new Error('no video')
  const next = { ...larger.tracks[0], id: video.id, epoch: 1 }
  const cut = media.frames.filter(({ track, dts }) => track !== video || dts < 3000)
  const more = larger.frames.map((frame) => new Frame(next, frame.dts + 3500, frame.pts + 3500, frame.key, frame.data))
  const frames = [...cut, ...more].toSorted((a, b) => a.dts - b.dts)
  return { tracks: media.tracks, frames }
}

test('a change of size in mid-file: two sample entries, every frame decoded, growing and finished', async () => {
  const media = await resized()
  const storage = new MemoryStorage()
  const out = await storage.create('file')
  const late = media.frames.find(({ track }) => track.epoch === 1)?.track
  if (late === undefined) throw new Error('no second epoch')
  const muxer = record({ ...media, frames: media.frames.filter(({ dts }) => dts < 3000) }, out)
  expect(muxer.accepts(late)).toBe(true)
  muxer.add(late)
  for (const frame of media.frames) if (frame.dts >= 3000) muxer.write(frame)
  muxer.flush()
  out.flush()
  const growing = join(directory, 'resized-growing.mp4')
  writeFileSync(growing, storage.bytesOf('file'))
  await muxer.finish()
  await out.close()
  const finished = join(directory, 'resized.mp4')
  writeFileSync(finished, storage.bytesOf('file'))
  const expected = media.frames.filter(({ track }) => track.kind === 'video').map(({ dts }) => dts)
  for (const path of [growing, finished]) {
    expect(await complaints(path), path).toBe('')
    const video = (await packetsOf(path)).filter(({ type }) => type === 'video')
    expect(video.map(({ dts }) => Math.round(dts * 1000))).toEqual(expected)
    expect((await player.play(path, 4)).error, path).toBeUndefined()
  }
})

test('a track that comes late is in the file from its first frame on', async () => {
  const media = inTimescale(await sourceMedia('mp4-players-h264.mp4', H264), 1000)
  const [video, audio] = media.tracks
  const storage = new MemoryStorage()
  const out = await storage.create('file')
  const early = media.frames.filter(({ track, dts }) => track === video && dts < 2000)
  const muxer = record({ tracks: [video], frames: early }, out)
  expect(muxer.accepts(audio)).toBe(true)
  muxer.add(audio)
  const rest = media.frames.filter(({ dts }) => dts >= 2000)
  for (const frame of rest) muxer.write(frame)
  muxer.flush()
  out.flush()
  const growing = join(directory, 'late-growing.mp4')
  writeFileSync(growing, storage.bytesOf('file'))
  await muxer.finish()
  await out.close()
  const finished = join(directory, 'late.mp4')
  writeFileSync(finished, storage.bytesOf('file'))
  const expected = rest.filter(({ track }) => track === audio).map(({ dts }) => dts)
  for (const path of [growing, finished]) {
    expect(await complaints(path), path).toBe('')
    const sound = (await packetsOf(path)).filter(({ type }) => type === 'audio')
    expect(sound.map(({ dts }) => Math.round(dts * 1000))).toEqual(expected)
    expect((await probe(path)).streams).toMatchObject([{ codec_name: 'h264' }, { codec_name: 'aac' }])
    const playback = await player.play(path, 4)
    expect(playback.error, path).toBeUndefined()
  }
})
