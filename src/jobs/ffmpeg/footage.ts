import { chmod, stat } from 'node:fs/promises'
import { runChild } from './child.ts'
import type { FfmpegFacts } from './facts.ts'
import { fitBox, type PictureSize, upright } from './picture.ts'
import type { ProbedStream } from './stream-facts.ts'

/** mjpeg's scale: 2 is best, 31 worst. */
const JPEG_QUALITY = '3'
const FILE_MODE = 0o600

/** A video stream that pictures are taken of. */
export interface Footage {
  readonly facts: FfmpegFacts
  readonly input: string
  readonly stream: ProbedStream
  readonly durationSeconds: number
  readonly signal: AbortSignal
}

/** A picture of square pixels at most `mostWide`, in the shape in which the stream is shown. */
export function pictureSize(stream: ProbedStream, mostWide: number): PictureSize {
  const { width, height, pixelAspect } = upright(stream)
  const shownWidth = Math.max(2, Math.round(width * pixelAspect))
  const factor = Math.min(1, mostWide / shownWidth)
  const shown = { width: Math.round(shownWidth * factor), height: Math.max(2, Math.round(height * factor)) }
  return fitBox({ ...shown, pixelAspect: 1, isTurned: false }, undefined)
}

/** Scales to `size`, pixels square. */
export function scaling(size: PictureSize): string {
  return `scale=${size.width}:${size.height}:flags=bicubic,setsar=1`
}

/** What is read of the stream from `atSeconds` after the start of the file. */
export function from(footage: Footage, atSeconds: number, options: readonly string[] = []): string[] {
  // FLV of ffmpeg 5.1 misses the first keyframe when it is asked to go to the start
  const seek = atSeconds < 0.001 ? [] : ['-ss', atSeconds.toFixed(3)]
  return [...seek, ...options, '-i', `file:${footage.input}`]
}

/** One JPEG of what was read; of several pictures the last stays. */
export interface Shot {
  readonly path: string
  /** Of the inputs, from 0. */
  readonly input: number
  /** A stream of it, or the first that shows pictures. */
  readonly stream: number | 'v'
  readonly filter: string
  readonly only: 'first' | 'all'
}

/** Runs ffmpeg over `inputs` for JPEGs. Says of each whether there was a picture. */
export async function takePictures(
  { facts, signal }: Pick<Footage, 'facts' | 'signal'>,
  inputs: readonly string[],
  shots: readonly Shot[],
): Promise<boolean[]> {
  const outputs = shots.flatMap((shot) => [
    ...[
      '-map',
      `${shot.input}:${shot.stream}`,
      '-vf',
      shot.filter,
      ...(shot.only === 'first' ? ['-frames:v', '1'] : []),
    ],
    ...['-c:v', 'mjpeg', '-q:v', JPEG_QUALITY, '-pix_fmt', 'yuvj420p', facts.timingOption, 'passthrough'],
    ...['-f', 'image2', '-update', '1', '-y', `file:${shot.path}`],
  ])
  await runChild(facts.ffmpeg, ['-hide_banner', '-nostdin', '-v', 'error', ...inputs, ...outputs], { signal })
  return Promise.all(shots.map(({ path }) => isTaken(path)))
}

async function isTaken(path: string): Promise<boolean> {
  const made = await stat(path).catch(() => undefined)
  if (made === undefined || made.size === 0) return false
  await chmod(path, FILE_MODE)
  return true
}
