import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MatroskaMuxer, type MatroskaMuxerOptions } from '../../src/container/matroska/muxer.ts'
import { openMatroska } from '../../src/container/matroska/reader.ts'
import { repairMatroska } from '../../src/container/matroska/repair.ts'
import { Frame } from '../../src/media/frame.ts'
import { MemoryFile, MemorySink } from '../container/matroska/memory-file.ts'
import { ChromiumPlayer } from '../peers/chromium.ts'
import { complaints, madeMedia, packetsOf, probe } from '../peers/ffmpeg.ts'

const exec = promisify(execFile)
const directory = mkdtempSync(join(tmpdir(), 'tapedeck-matroska-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const PICTURE = '-f lavfi -i testsrc2=size=426x240:rate=30000/1001'
const SOUND = '-f lavfi -i sine=frequency=440:sample_rate=48000 -ac 2 -t 6'

const sources: readonly { name: string; args: string }[] = [
  { name: 'h264-aac', args: `${PICTURE} ${SOUND} -c:v libx264 -bf 3 -g 60 -c:a aac` },
  { name: 'hevc-ac3', args: `${PICTURE} ${SOUND} -c:v libx265 -x265-params log-level=none:keyint=60 -c:a ac3` },
  { name: 'av1-opus', args: `${PICTURE} ${SOUND} -c:v libsvtav1 -preset 12 -g 60 -c:a libopus` },
  { name: 'vp9-opus', args: `${PICTURE} ${SOUND} -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 60 -c:a libopus` },
  { name: 'vp8-flac', args: `${PICTURE} ${SOUND} -c:v libvpx -deadline realtime -cpu-used 8 -g 60 -c:a flac` },
  { name: 'sar-mp3', args: `${PICTURE} ${SOUND} -vf setsar=16/11 -c:v libx264 -bf 2 -g 45 -c:a libmp3lame` },
  { name: 'eac3', args: `${SOUND} -c:a eac3` },
  { name: 'pcm', args: `${SOUND} -c:a pcm_s16le` },
  { name: 'g711', args: `${SOUND} -map 0 -map 0 -ar 8000 -ac 1 -c:a:0 pcm_alaw -c:a:1 pcm_mulaw` },
  {
    name: 'two-cameras',
    args: `${PICTURE} ${PICTURE} ${SOUND} -map 0 -map 1 -map 2 -map 2 -c:v libx264 -g 60 -c:a:0 aac -c:a:1 libopus`,
  },
]

/** Reads a file with our reader and writes it anew with our muxer. */
async function remuxed(path: string, options: MatroskaMuxerOptions = {}) {
  const source = new MemoryFile(readFileSync(path))
  const reader = await openMatroska(source)
  const out = new MemorySink()
  const muxer = new MatroskaMuxer(out, { title: 'a test', ...options })
  muxer.start(reader.tracks)
  for await (const { track, dts, pts, key, offset, size } of reader.samples()) {
    muxer.write(new Frame(track, dts, pts, key, await source.read(offset, size)))
  }
  const left = out.bytes()
  await muxer.finish()
  const whole = out.bytes()
  const repaired = new MemoryFile(left)
  await repairMatroska(repaired)
  return { reader, left, whole, repaired: repaired.bytes }
}

function saved(name: string, bytes: Uint8Array): string {
  const path = join(directory, name)
  writeFileSync(path, bytes)
  return path
}

/** What ffmpeg says beyond this: a file without an end states no duration, and PCM no order of its channels. */
function remarks(said: string): string[] {
  const harmless = /Estimating duration from bitrate|Guessed Channel Layout/
  return said.split('\n').filter((line) => line !== '' && !harmless.test(line))
}

/** The hash of the picture that ffmpeg shows after jumping to `seconds`. */
async function pictureAt(path: string, seconds: number): Promise<string> {
  const args = ['-nostdin', '-v', 'error', '-ss', String(seconds), '-i', path, '-frames:v', '1', '-map', '0:v:0']
  return (await exec('ffmpeg', [...args, '-f', 'framehash', '-'])).stdout.split('\n').at(-2)?.split(',').at(-1) ?? ''
}

describe.each(sources)('$name', ({ name, args }) => {
  let path = ''
  let made: Awaited<ReturnType<typeof remuxed>>

  beforeAll(async () => {
    path = await madeMedia(`matroska-${name}.mkv`, args)
    made = await remuxed(path)
  })

  it('is read as ffprobe reads it', async () => {
    const { streams } = await probe(path)
    expect(made.reader.faults).toEqual([])
    expect(made.reader.tracks.length).toBe(streams.length)
    made.reader.tracks.forEach((track, i) => {
      const { width, height, sample_rate, channels } = streams[i]
      if (track.kind === 'video') expect([track.width, track.height]).toEqual([width, height])
      else expect([track.sampleRateHz, track.channels]).toEqual([Number(sample_rate), channels])
    })
  })

  it('holds every packet with its time, as left, finished and repaired', async () => {
    const essence = async (file: string) =>
      (await packetsOf(file)).map(({ stream, pts, size, key, hash }) => `${stream} ${pts} ${size} ${key} ${hash}`)
    const expected = await essence(path)
    expect(expected.length).toBeGreaterThan(100)
    for (const state of ['left', 'whole', 'repaired'] as const) {
      expect(await essence(saved(`${name}-${state}.mkv`, made[state]))).toEqual(expected)
    }
  })

  it('decodes without a complaint in every state', async () => {
    for (const state of ['left', 'whole', 'repaired'] as const) {
      expect(remarks(await complaints(saved(`${name}-${state}.mkv`, made[state])))).toEqual([])
    }
  })

  it('says how long it is, of what shape, and what it is called', async () => {
    const [source, whole, repaired] = await Promise.all([
      probe(path),
      probe(saved(`${name}-whole.mkv`, made.whole)),
      probe(saved(`${name}-repaired.mkv`, made.repaired)),
    ])
    for (const { format, streams } of [whole, repaired]) {
      expect(Math.abs(Number(format.duration) - Number(source.format.duration))).toBeLessThan(0.05)
      expect(format.tags).toMatchObject({ title: 'a test' })
      expect(streams.map((stream) => stream.sample_aspect_ratio)).toEqual(
        source.streams.map((stream) => stream.sample_aspect_ratio),
      )
    }
  })

  it('is sought to the same pictures as its source', async () => {
    if (made.reader.tracks[0].kind !== 'video') return
    for (const seconds of [0, 1.5, 4.2]) {
      const expected = await pictureAt(path, seconds)
      expect(expected).not.toBe('')
      for (const state of ['whole', 'repaired'] as const) {
        expect(await pictureAt(saved(`${name}-${state}.mkv`, made[state]), seconds)).toBe(expected)
      }
    }
  })
})

describe('Chromium', () => {
  let player: ChromiumPlayer
  beforeAll(async () => {
    player = await ChromiumPlayer.launch()
  })
  afterAll(() => player.close())

  it.each([
    ['vp9-opus', 'webm'],
    ['vp8-flac', 'mkv'],
    ['h264-aac', 'mkv'],
  ] as const)('plays and seeks %s in %s', async (name, extension) => {
    const args = sources.find((source) => source.name === name)?.args ?? ''
    const docType = extension === 'webm' ? 'webm' : 'matroska'
    const { whole, repaired } = await remuxed(await madeMedia(`matroska-${name}.mkv`, args), { docType })
    for (const [state, bytes] of Object.entries({ whole, repaired })) {
      const played = await player.play(saved(`chromium-${name}-${state}.${extension}`, bytes), 4)
      expect(played.error).toBeUndefined()
      expect([played.width, played.height]).toEqual([426, 240])
      expect(Math.abs(played.durationSeconds - 6)).toBeLessThan(0.1)
      expect(played.seekedToSeconds).toBeGreaterThanOrEqual(4.5)
      expect(played.framesAfterSeek).toBeGreaterThan(5)
    }
  })

  it('plays a file that was left without an end', async () => {
    const args = sources.find((source) => source.name === 'vp9-opus')?.args ?? ''
    const { left } = await remuxed(await madeMedia('matroska-vp9-opus.mkv', args), { docType: 'webm' })
    const played = await player.play(saved('chromium-left.webm', left), 2)
    expect([played.error, played.width]).toEqual([undefined, 426])
  })
})
