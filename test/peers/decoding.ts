import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { ffmpeg } from './ffmpeg.ts'

const exec = promisify(execFile)
/** How far ffmpeg looks for the first frame of each track, which may begin late: the duration in µs, and bytes. */
const PROBING = ['-analyzeduration', '600M', '-probesize', '500M']
/** Decodes all, each frame at its own time. */
export const DECODED: readonly string[] = '-fps_mode passthrough -enc_time_base 1:1000 -f null -'.split(' ')
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024

/**
 * Decodes every frame of `path` and returns what ffmpeg complained about, empty when nothing. Frames go out at their own
 * times, with `args` for reading: on a grid of the frame rate, ffmpeg would complain about its own rounding of milliseconds.
 */
export function decodingFaults(path: string, args: readonly string[] = []): Promise<string> {
  return ffmpeg(...PROBING, ...args, '-i', path, ...DECODED)
}

/** The MD5 of every picture of `path` as it is decoded, in the order in which they are shown; `args` for reading. */
export async function pictureHashes(path: string, args: readonly string[] = []): Promise<string[]> {
  const output = ['-map', '0:v', '-fps_mode', 'passthrough', '-f', 'framemd5', '-']
  const { stdout } = await exec('ffmpeg', ['-nostdin', '-v', 'error', ...args, '-i', path, ...output])
  return stdout
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.slice(line.lastIndexOf(',') + 1).trim())
}

/** What is heard in `path`, as samples in ffmpeg's raw `format`. */
export async function samplesOf(path: string, format: 's16be' | 'alaw' | 'mulaw'): Promise<Buffer> {
  const args = ['-nostdin', '-v', 'error', '-i', path, '-map', '0:a', '-f', format, '-']
  const { stdout } = await exec('ffmpeg', args, { encoding: 'buffer', maxBuffer: MAX_OUTPUT_BYTES })
  return stdout
}
