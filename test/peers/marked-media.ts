import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BEEP_MS, drawTime, TONE_HZ } from './browser/time-code.ts'
import { ffmpeg } from './ffmpeg.ts'

const WIDTH = 320
const HEIGHT = 180
const RATE_FPS = 25
const RATE_HZ = 48_000

/** What the media is like. */
export interface MarkedMedia {
  readonly seconds: number
  readonly periodMs: number
  /** How much later than their flashes beeps begin, ms. */
  readonly soundLateMs: number
  /** Codecs, and what else ffmpeg is told of its output. */
  readonly args: string
}

/** A file as a `PublisherPage` would make it, with times from 0 on; made once per machine, like `madeMedia`. */
export async function markedMedia(
  name: string,
  { seconds, periodMs, soundLateMs, args }: MarkedMedia,
): Promise<string> {
  const directory = join(tmpdir(), `tapedeck-test-media-${process.getuid?.() ?? 0}`)
  const path = join(directory, name)
  if (existsSync(path)) return path
  mkdirSync(directory, { recursive: true })
  const draft = join(directory, `draft-${process.pid}`)
  writeFileSync(`${draft}.yuv`, pictures(seconds, periodMs))
  writeFileSync(`${draft}.f32`, sound(seconds, periodMs, soundLateMs))
  const video = `-f rawvideo -pix_fmt gray -video_size ${WIDTH}x${HEIGHT} -framerate ${RATE_FPS} -i ${draft}.yuv`
  const audio = `-f f32le -ar ${RATE_HZ} -ac 1 -i ${draft}.f32`
  await ffmpeg(...`${video} ${audio} -pix_fmt yuv420p ${args}`.split(' '), `${draft}-${name}`)
  renameSync(`${draft}-${name}`, path)
  rmSync(`${draft}.yuv`)
  rmSync(`${draft}.f32`)
  return path
}

function pictures(seconds: number, periodMs: number): Uint8Array {
  const size = WIDTH * HEIGHT
  const all = new Uint8Array(size * seconds * RATE_FPS).fill(60)
  for (let i = 0; i < seconds * RATE_FPS; i++) {
    drawTime(all.subarray(i * size, (i + 1) * size), WIDTH, HEIGHT, (i * 1000) / RATE_FPS, periodMs)
  }
  return all
}

function sound(seconds: number, periodMs: number, lateMs: number): Float32Array {
  return Float32Array.from({ length: seconds * RATE_HZ }, (_, i) => {
    const atMs = (i * 1000) / RATE_HZ - lateMs
    const sinceMs = ((atMs % periodMs) + periodMs) % periodMs
    return sinceMs < BEEP_MS ? 0.5 * Math.sin((2 * Math.PI * TONE_HZ * sinceMs) / 1000) : 0
  })
}
