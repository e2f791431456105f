import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createMuxer, extensionOf, openContainer, repairContainer } from '../../src/container/formats.ts'
import type { Format } from '../../src/container/reader.ts'
import { Frame } from '../../src/media/frame.ts'
import type { VideoTrack } from '../../src/media/track.ts'
import { MemoryFile, MemorySink } from '../container/matroska/memory-file.ts'
import { ChromiumPlayer } from '../peers/chromium.ts'
import { complaints, madeMedia, packetsOf, pictureWidths } from '../peers/ffmpeg.ts'

const SIZES = ['320x180', '640x360', '160x90', '320x180'] as const
const WIDTHS = [320, 640, 160, 320]
/** Of each size; 12 pictures a second. */
const FRAMES = 12
const ENCODERS = {
  h264: '-c:v libx264 -preset ultrafast -bf 0',
  hevc: '-c:v libx265 -preset ultrafast -x265-params log-level=none:bframes=0',
  vp8: '-c:v libvpx -deadline realtime -cpu-used 8',
  vp9: '-c:v libvpx-vp9 -deadline realtime -cpu-used 8',
  av1: '-c:v libsvtav1 -preset 12',
}
type Codec = keyof typeof ENCODERS

let directory = ''
let player: ChromiumPlayer
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tapedeck-resized-'))
  player = await ChromiumPlayer.launch()
})
afterAll(async () => {
  await player.close()
  rmSync(directory, { recursive: true })
})

/** Video whose size changes three times, on WebRTC's clock: each size is an epoch of the one track. */
async function resized(codec: Codec): Promise<Frame[]> {
  const frames: Frame[] = []
  for (const [epoch, size] of SIZES.entries()) {
    const args = `-f lavfi -i testsrc2=size=${size}:rate=12 -frames:v ${FRAMES} -pix_fmt yuv420p -g 6 ${ENCODERS[codec]}`
    const source = new MemoryFile(readFileSync(await madeMedia(`resized-${codec}-${size}.mkv`, args)))
    const reader = await openContainer(source)
    const [first] = reader.tracks
    if (first.kind !== 'video') throw new Error('no video')
    const track: VideoTrack = { ...first, id: 1, epoch, timescale: 90_000, label: 'camera' }
    let count = 0
    for await (const { key, offset, size: bytes } of reader.samples()) {
      const at = (epoch * FRAMES + count++) * 7500
      frames.push(new Frame(track, at, at, key, await source.read(offset, bytes)))
    }
    expect(count).toBe(FRAMES)
  }
  return frames
}

/** Into one file, as it is left, finished and repaired; fails where another file would be needed. */
async function inOneFile(format: Format, frames: readonly Frame[]): Promise<Record<string, Uint8Array>> {
  const out = new MemorySink()
  const muxer = createMuxer(format, out, { inBandSets: true })
  let track = frames[0].track
  muxer.start([track])
  for (const frame of frames) {
    if (frame.track !== track) {
      track = frame.track
      expect(muxer.accepts(track)).toBe(true)
      muxer.add(track)
    }
    muxer.write(frame)
  }
  muxer.flush()
  const growing = out.bytes()
  await muxer.finish()
  const torn = new MemoryFile(Buffer.concat([growing, Buffer.from('0000', 'hex')]))
  await repairContainer(torn)
  return { growing, finished: out.bytes(), repaired: torn.bytes }
}

/** The data of all samples by our own reader. */
async function samplesOf(bytes: Uint8Array): Promise<Buffer[]> {
  const file = new MemoryFile(bytes)
  const found: Buffer[] = []
  for await (const { offset, size } of (await openContainer(file)).samples()) {
    found.push(Buffer.from(await file.read(offset, size)))
  }
  return found
}

describe.each([
  ['h264', 'mkv'],
  ['h264', 'mp4'],
  ['vp8', 'webm'],
  ['vp9', 'webm'],
  ['vp9', 'mp4'],
  ['av1', 'webm'],
  ['av1', 'mp4'],
  ['hevc', 'mkv'],
] as const)('%s that changes size three times, in one %s', (codec, format) => {
  it('decodes without a word, plays and seeks in Chromium, growing, finished and repaired', async () => {
    const frames = await resized(codec)
    const states = await inOneFile(format, frames)
    const expected = WIDTHS.flatMap((width) => Array<number>(FRAMES).fill(width))
    for (const [state, bytes] of Object.entries(states)) {
      const samples = await samplesOf(bytes)
      expect(samples.map((data, i) => Buffer.compare(data.subarray(-frames[i].data.length), frames[i].data))).toEqual(
        frames.map(() => 0),
      )
      expect(samples.filter((data, i) => !frames[i].key && data.length !== frames[i].data.length)).toEqual([])
      if (state === 'repaired') continue
      const path = join(directory, `${codec}-${state}${extensionOf(format)}`)
      writeFileSync(path, bytes)
      expect([state, await complaints(path)]).toEqual([state, ''])
      expect(await pictureWidths(path)).toEqual(expected)
      const packets = await packetsOf(path)
      expect(packets.map(({ pts }, i) => Math.abs(pts - i / 12) <= 0.0005)).toEqual(frames.map(() => true))
      if (codec === 'hevc' || (state === 'growing' && format !== 'mp4')) continue
      const { played, sought, error } = await player.sizes(path, [2.5, 1.5, 0.25, 3.25])
      // before the first picture Chromium says the size of an MP4's last sample entry
      expect([state, error, played.slice(-WIDTHS.length), sought]).toEqual([
        state,
        undefined,
        WIDTHS,
        [160, 640, 320, 320],
      ])
    }
    expect(await samplesOf(states.repaired)).toEqual(await samplesOf(states.finished))
  })
})
