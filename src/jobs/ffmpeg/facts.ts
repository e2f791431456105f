import { basename, dirname, join } from 'node:path'
import { MalformedError } from '../../media/errors.ts'
import { runChild } from './child.ts'
import { ENCODERS, type Encoder } from './encoders.ts'
import { FfmpegMissingError, FfmpegOutdatedError } from './errors.ts'

/** The oldest that is known to understand what we ask of it. */
const MIN_MAJOR = 4
/** From this on the way frames are timed is asked for with `-fps_mode` instead of `-vsync`. */
const FPS_MODE_VERSION = 5.1
/** A probe that takes longer has failed, ms. */
const PROBE_MS = 20_000
/** Encoders that are tried at a time. */
const PROBES = 2

/** What an ffmpeg is and can do. */
export interface FfmpegFacts {
  /** As started. */
  readonly ffmpeg: string
  readonly ffprobe: string
  /** As it says itself: `5.1.9-0+deb12u1`, `n7.0`, `N-112233-g…`. */
  readonly version: string
  /** Of those that we know how to use, the ones that encoded a few frames when tried. */
  readonly encoders: readonly string[]
  /** `-fps_mode`, or `-vsync` in older ones. */
  readonly timingOption: '-fps_mode' | '-vsync'
}

/**
 * Looks at the ffmpeg of that name or path, and tries its encoders; takes a second or two.
 * @throws FfmpegMissingError when it, or its ffprobe, cannot be started
 * @throws FfmpegOutdatedError
 */
export async function probeFfmpeg(
  path: string,
  signal: AbortSignal = AbortSignal.timeout(60_000),
): Promise<FfmpegFacts> {
  const ffprobe = probeBeside(path)
  const version = await versionOf(path, signal)
  await versionOf(ffprobe, signal)
  const number = Number(/^n?(\d+\.\d+)/.exec(version)?.[1] ?? 'NaN')
  if (number < MIN_MAJOR) throw new FfmpegOutdatedError(path, version, `${MIN_MAJOR}.0`)
  const listed = new Set(await encodersOf(path, signal))
  return {
    ...{ ffmpeg: path, ffprobe, version },
    encoders: await working(
      path,
      ENCODERS.filter(({ name }) => listed.has(name)),
      signal,
    ),
    timingOption: number < FPS_MODE_VERSION ? '-vsync' : '-fps_mode',
  }
}

function probeBeside(path: string): string {
  return path.includes('/') ? join(dirname(path), basename(path).replace('ffmpeg', 'ffprobe')) : 'ffprobe'
}

async function versionOf(command: string, signal: AbortSignal): Promise<string> {
  let version: string | undefined
  try {
    await runChild(command, ['-hide_banner', '-version'], {
      signal,
      onLine: (line) => {
        version ??= /^ff(?:mpeg|probe) version (\S{1,100})/.exec(line)?.[1]
        return true
      },
    })
  } catch (error) {
    signal.throwIfAborted()
    throw new FfmpegMissingError(command, { cause: error })
  }
  if (version === undefined)
    throw new FfmpegMissingError(command, { cause: new MalformedError(command, 'names no version') })
  return version
}

async function encodersOf(path: string, signal: AbortSignal): Promise<string[]> {
  const names: string[] = []
  await runChild(path, ['-hide_banner', '-encoders'], {
    signal,
    onLine: (line) => {
      const name = /^ [VA][A-Z.]{5} (\S+)/.exec(line)?.[1]
      if (name !== undefined) names.push(name)
      return true
    },
  })
  return names
}

async function working(path: string, candidates: readonly Encoder[], signal: AbortSignal): Promise<string[]> {
  const names = new Set<string>()
  const waiting = [...candidates]
  const worker = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      if (await encodes(path, next, signal)) names.add(next.name)
    }
  }
  await Promise.all(Array.from({ length: PROBES }, worker))
  signal.throwIfAborted()
  return candidates.map(({ name }) => name).filter((name) => names.has(name))
}

/** Whether it really does: many a list names chips that this machine does not have. */
async function encodes(path: string, encoder: Encoder, signal: AbortSignal): Promise<boolean> {
  const isAudio = encoder.codec === 'aac' || encoder.codec === 'opus'
  const input = isAudio ? 'sine=sample_rate=48000:d=0.2' : 'testsrc=size=320x240:rate=25:duration=0.2,format=yuv420p'
  const filter = encoder.upload === undefined ? [] : ['-vf', encoder.upload]
  const args = [
    ...['-hide_banner', '-nostdin', '-v', 'error', ...encoder.device, '-f', 'lavfi', '-i', input, ...filter],
    ...[isAudio ? '-c:a' : '-c:v', encoder.name, ...encoder.args, '-f', 'null', '-'],
  ]
  try {
    await runChild(path, args, { signal, stallMs: PROBE_MS })
    return true
  } catch {
    return false
  }
}
