import { runChild } from './child.ts'
import { FfmpegFailedError, VerificationError } from './errors.ts'
import type { FfmpegFacts } from './facts.ts'
import type { StreamPlan } from './stream-plan.ts'
import { type Survey, type SurveyedStream, survey } from './survey.ts'

/** Rounding of clocks: FLV and Matroska count milliseconds, seconds. */
const CLOCK_SECONDS = 0.002
/** The start of a file may move by a delay of its encoder that its container cannot express, seconds. */
const MAX_SHIFT_SECONDS = 0.2
/** What Opus decodes ahead (RFC 7845 §4.2), seconds. */
const PRE_SKIP_SECONDS = 0.0065

/** A file that has been made, not yet at its place. */
export interface Made {
  readonly path: string
  /** What it is called in errors. */
  readonly name: string
  readonly sourcePath: string
  readonly plans: readonly StreamPlan[]
}

/** What was found of a file that passed. */
export interface Verified {
  readonly survey: Survey
  /** By how much it begins later than its source, seconds: nearly always 0. */
  readonly shiftSeconds: number
}

/**
 * Compares what was made with its source: each stream is there, in the codec it should be in, and lasts as long within one
 * frame of itself, beginning at the same time; packets that were to be copied are all there; everything decodes without a
 * complaint. Copied packets may complain if they did so in the source already.
 * @throws VerificationError
 */
export async function verify(
  facts: FfmpegFacts,
  made: Made,
  signal: AbortSignal,
  onLine: (line: string) => boolean,
): Promise<Verified> {
  const found = await survey(facts, made.path, signal)
  const shiftSeconds = shiftOf(made.plans, found.streams)
  const differences = compare(made.plans, found.streams, shiftSeconds)
  if (differences.length > 0) throw new VerificationError(made.name, differences)
  const complaint = await decode(facts, made.path, { signal, onLine })
  if (complaint !== undefined && !(await isInherited(facts, made, signal))) {
    throw new VerificationError(made.name, [`it does not decode: ${complaint}`])
  }
  return { survey: found, shiftSeconds }
}

/** Of pictures: they have no delay of their own, as encoders of sound do. */
function shiftOf(plans: readonly StreamPlan[], found: readonly SurveyedStream[]): number {
  const index = Math.max(
    0,
    plans.findIndex(({ source }) => source.kind === 'video'),
  )
  return (found[index]?.startSeconds ?? 0) - (plans[index]?.source.startSeconds ?? 0)
}

function compare(plans: readonly StreamPlan[], found: readonly SurveyedStream[], shift: number): string[] {
  if (found.length !== plans.length) return [`it has ${found.length} streams, ${plans.length} were to be made`]
  const moved = Math.abs(shift) > MAX_SHIFT_SECONDS ? [`it begins ${seconds(shift)} later than its source`] : []
  return [
    ...moved,
    ...plans.flatMap((plan, index) => {
      const stream = found[index]
      return stream === undefined ? [] : compareStream(plan, stream, shift).map((text) => `stream ${index}: ${text}`)
    }),
  ]
}

function compareStream({ source, encoding }: StreamPlan, found: SurveyedStream, shift: number): string[] {
  const codec = encoding?.encoder.codec ?? source.codec
  if (found.kind !== source.kind || found.codec !== codec) return [`it is ${found.codec}, not ${codec}`]
  const tolerance = frameOf(source, found) + CLOCK_SECONDS
  const start = found.startSeconds - source.startSeconds - shift
  const duration = lengthOf(found) - lengthOf(source)
  return [
    ...(Math.abs(start) > tolerance ? [`it begins ${seconds(start)} off`] : []),
    ...(Math.abs(duration) > tolerance
      ? [`it is ${seconds(Math.abs(duration))} ${duration > 0 ? 'longer' : 'shorter'} than its source`]
      : []),
    ...(encoding === undefined && found.packets !== source.packets
      ? [`it has ${found.packets} packets, its source ${source.packets}`]
      : []),
  ]
}

/** How long the last frame of video lasts, not every container says: it is measured to its beginning. */
function lengthOf({ kind, startSeconds, lastSeconds, endSeconds }: SurveyedStream): number {
  return (kind === 'video' ? lastSeconds : endSeconds) - startSeconds
}

/**
 * How long one frame is: of video the longer one of the two, since fewer frames may be wanted; of sound both together, since
 * an encoder's frames neither begin nor end where those of its source do.
 */
function frameOf(source: SurveyedStream, found: SurveyedStream): number {
  const [a, b] = [1 / source.packetsPerSecond, 1 / found.packetsPerSecond]
  return source.kind === 'video' ? Math.max(a, b) : a + b + PRE_SKIP_SECONDS
}

/** Decodes all of `path`; returns what was complained of first. */
async function decode(
  facts: FfmpegFacts,
  path: string,
  options: { signal: AbortSignal; onLine: (line: string) => boolean },
): Promise<string | undefined> {
  const times = [facts.timingOption, 'passthrough', '-enc_time_base', '1:1000', '-copyts']
  const quiet = ['-hide_banner', '-nostdin', '-v', 'error', '-progress', 'pipe:1', '-stats_period', '0.5']
  try {
    const said = await runChild(
      facts.ffmpeg,
      [...quiet, '-i', `file:${path}`, '-map', '0:v?', '-map', '0:a?', ...times, '-f', 'null', '-'],
      options,
    )
    return said.trim() === '' ? undefined : said.trim().split('\n')[0]?.slice(0, 300)
  } catch (error) {
    if (!(error instanceof FfmpegFailedError)) throw error
    return error.message.slice(0, 300)
  }
}

async function isInherited(facts: FfmpegFacts, made: Made, signal: AbortSignal): Promise<boolean> {
  if (made.plans.every(({ encoding }) => encoding !== undefined)) return false
  return (await decode(facts, made.sourcePath, { signal, onLine: () => true })) !== undefined
}

function seconds(value: number): string {
  return `${value.toFixed(3)} s`
}
