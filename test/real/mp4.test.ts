import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isKeyframe } from '../../src/codec/keyframe.ts'
import { repairMp4 } from '../../src/container/mp4/repair.ts'
import { Frame } from '../../src/media/frame.ts'
import type { AudioTrack, VideoTrack } from '../../src/media/track.ts'
import { DiskStorage } from '../../src/storage/disk.ts'
import { inTimescale, type Media, mediaOf, record } from '../container/mp4/remux.ts'
import { complaints, ffmpeg, madeMedia, type ProbedPacket, packetsOf, probe } from '../peers/ffmpeg.ts'

const SECONDS = 4
const PICTURE = `-f lavfi -i testsrc2=size=320x180:rate=30 -t ${SECONDS} -pix_fmt yuv420p -g 30`
const SOUND = `-f lavfi -i sine=frequency=440:sample_rate=48000 -t ${SECONDS} -ac 2`
const BOTH = `-f lavfi -i testsrc2=size=320x180:rate=30 -f lavfi -i sine=frequency=440:sample_rate=48000 -t ${SECONDS} -pix_fmt yuv420p -g 30 -ac 2`

/** What ffmpeg is told to make. */
const SOURCES = {
  'h264 with B-frames and aac': `${BOTH} -c:v libx264 -bf 3 -c:a aac`,
  'hevc with B-frames': `${PICTURE} -c:v libx265 -preset ultrafast -x265-params log-level=none:bframes=3 -tag:v hvc1`,
  av1: `${PICTURE} -c:v libsvtav1 -preset 12`,
  'vp9 and opus': `${BOTH} -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a libopus`,
  mp3: `${SOUND} -c:a libmp3lame`,
  'ac-3': `${SOUND} -c:a ac3`,
  'e-ac-3': `${SOUND} -c:a eac3`,
  flac: `${SOUND} -c:a flac -strict -2`,
} as const

const storage = new DiskStorage({ fsync: 'never' })
let directory = ''
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'tapedeck-mp4-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

async function readMedia(path: string): Promise<Media> {
  const file = await storage.open(path)
  try {
    return await mediaOf(file)
  } finally {
    await file.close()
  }
}

/** Records into three files: as it is left while growing, finished, and repaired after its end was torn off. */
async function recordings(
  media: Media,
  name: string,
): Promise<{ growing: string; finished: string; repaired: string }> {
  const [growing, finished, repaired] = ['growing', 'finished', 'repaired'].map((kind) =>
    join(directory, `${name.replaceAll(/\W+/g, '-')}-${kind}.mp4`),
  )
  const out = await storage.create(finished)
  const muxer = record(media, out)
  await out.drain()
  while (out.backlogBytes > 0) await new Promise((resolve) => setImmediate(resolve))
  copyFileSync(finished, growing)
  copyFileSync(finished, repaired)
  await muxer.finish()
  await out.close()
  const torn = await storage.open(repaired)
  await repairMp4(torn)
  await torn.close()
  return { growing, finished, repaired }
}

/** Packets by stream, times in milliseconds to a hundredth. */
function byStream(packets: readonly ProbedPacket[]) {
  return packets
    .toSorted((a, b) => a.stream - b.stream)
    .map(({ stream, pts, dts, size, key, hash }) => ({ stream, pts: centi(pts), dts: centi(dts), size, key, hash }))
}

const centi = (seconds: number) => Math.round(seconds * 100_000) / 100

describe.each(Object.entries(SOURCES))('%s', (name, args) => {
  test('every packet and every time is the same as in the source: growing, finished, repaired', async () => {
    const source = await madeMedia(`mp4-${name.replaceAll(/\W+/g, '-')}.mp4`, args)
    const media = await readMedia(source)
    const expected = byStream(await packetsOf(source))
    expect(media.frames.length).toBe(expected.length)
    const files = await recordings(media, name)
    for (const path of Object.values(files)) {
      expect(byStream(await packetsOf(path))).toEqual(expected)
      expect(await complaints(path)).toBe('')
    }
  })
})

test('what ffprobe says of a finished file', async () => {
  const source = await madeMedia('mp4-h264-with-B-frames-and-aac.mp4', SOURCES['h264 with B-frames and aac'])
  const path = join(directory, 'facts.mp4')
  const out = await storage.create(path)
  const media = await readMedia(source)
  const named = media.tracks.map((track) => ({ ...track, label: `the ${track.kind}`, language: 'deu' }))
  const frames = media.frames.map(({ track, dts, pts, key, data }) => {
    return new Frame(named.find(({ id }) => id === track.id) ?? track, dts, pts, key, data)
  })
  const muxer = record({ tracks: named, frames }, out, {
    title: 'Ein Gespräch',
    creationTimeMs: Date.UTC(2026, 10, 21),
  })
  await muxer.finish()
  await out.close()
  const { format, streams } = await probe(path)
  expect(Number(format.duration)).toBeCloseTo(SECONDS, 1)
  expect(format).toMatchObject({ tags: { title: 'Ein Gespräch', creation_time: '2026-11-21T00:00:00.000000Z' } })
  expect(streams).toMatchObject([
    { codec_name: 'h264', width: 320, height: 180, tags: { language: 'deu', handler_name: 'the video' } },
    { codec_name: 'aac', sample_rate: '48000', channels: 2, tags: { language: 'deu', handler_name: 'the audio' } },
  ])
})

test('milliseconds, as RTMP has them, with a late start and a pause', async () => {
  const source = await madeMedia('mp4-h264-with-B-frames-and-aac.mp4', SOURCES['h264 with B-frames and aac'])
  const media = inTimescale(await readMedia(source), 1000, 150)
  const gapped = media.frames.map((frame) => (frame.dts < 2000 ? frame : frame.at(frame.dts + 7000, frame.pts + 7000)))
  const files = await recordings({ ...media, frames: gapped }, 'gapped')
  const expected = media.tracks.map(({ id }) => gapped.filter(({ track }) => track.id === id))
  for (const path of Object.values(files)) {
    const packets = await packetsOf(path)
    const times = expected.map((_, stream) => packets.filter((packet) => packet.stream === stream))
    expect(times.map((list) => list.map(({ dts, pts }) => [centi(dts), centi(pts)]))).toEqual(
      expected.map((list) => list.map(({ dts, pts }) => [dts, pts])),
    )
    expect(await complaints(path)).toBe('')
  }
})

test.each([
  ['pcm-s16le', 's16le', 4],
  ['pcm-alaw', 'alaw', 2],
  ['pcm-mulaw', 'mulaw', 2],
] as const)('%s decodes to what it was', async (codec, format, bytesPerSample) => {
  const raw = readFileSync(await madeMedia(`mp4-${format}.raw`, `${SOUND} -f ${format}`))
  const track: AudioTrack = {
    ...{ id: 1, epoch: 0, timescale: 48_000, kind: 'audio', codec, config: new Uint8Array(0) },
    ...{ sampleRateHz: 48_000, channels: 2 },
  }
  const frames: Frame[] = []
  for (let at = 0; at < raw.length; at += 960 * bytesPerSample) {
    const dts = at / bytesPerSample
    frames.push(new Frame(track, dts, dts, true, raw.subarray(at, at + 960 * bytesPerSample)))
  }
  const files = await recordings({ tracks: [track], frames }, codec)
  for (const path of Object.values(files)) {
    const decoded = join(directory, `${codec}.decoded`)
    expect(await ffmpeg('-guess_layout_max', '0', '-i', path, '-f', format, '-c', 'copy', decoded)).toBe('')
    expect(readFileSync(decoded).equals(raw), path).toBe(true)
  }
})

test('vp8, whose size is in its keyframes', async () => {
  const ivf = readFileSync(
    await madeMedia('mp4-vp8.ivf', `${PICTURE} -c:v libvpx -deadline realtime -cpu-used 8 -auto-alt-ref 0 -f ivf`),
  )
  const track: VideoTrack = {
    ...{ id: 1, epoch: 0, timescale: 1000, kind: 'video', codec: 'vp8', config: new Uint8Array(0) },
    ...{ width: 0, height: 0 },
  }
  const frames: Frame[] = []
  for (let at = 32; at < ivf.length; ) {
    const data = ivf.subarray(at + 12, at + 12 + ivf.readUInt32LE(at))
    const dts = Math.round((frames.length * 1000) / 30)
    frames.push(new Frame(track, dts, dts, isKeyframe(track, data), data))
    at += 12 + data.length
  }
  const files = await recordings({ tracks: [track], frames }, 'vp8')
  for (const path of Object.values(files)) {
    const packets = await packetsOf(path)
    expect(packets.map(({ dts, size }) => [centi(dts), size])).toEqual(
      frames.map(({ dts, data }) => [dts, data.length]),
    )
    expect((await probe(path)).streams).toMatchObject([{ codec_name: 'vp8', width: 320, height: 180 }])
    expect(await complaints(path)).toBe('')
  }
})
