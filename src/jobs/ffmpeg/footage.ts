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
  return ['-ss', atSeconds.toFixed(3), ...options, '-i', `file:${footage.input}`, '-map', `0:${footage.stream.index}`]
}

/** Runs ffmpeg for one JPEG at `path`; of several, the last stays. False when there was none. */
export async function takePicture(
  { facts, signal }: Pick<Footage, 'facts' | 'signal'>,
  path: string,
  args: readonly string[],
): Promise<boolean> {
  const jpeg = ['-c:v', 'mjpeg', '-q:v', JPEG_QUALITY, '-pix_fmt', 'yuvj420p', facts.timingOption, 'passthrough']
  const output = [...jpeg, '-f', 'image2', '-update', '1', '-y', `file:${path}`]
  await runChild(facts.ffmpeg, ['-hide_banner', '-nostdin', '-v', 'error', ...args, ...output], { signal })
  const made = await stat(path).catch(() => undefined)
  if (made === undefined || made.size === 0) return false
  await chmod(path, FILE_MODE)
  return true
}
