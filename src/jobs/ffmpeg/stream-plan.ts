import { UnsupportedError } from '../../media/errors.ts'
import type { Job } from '../job.ts'
import { chooseEncoder, type Encoder, holds, isUsual, type OutputFormat } from './encoders.ts'
import type { FfmpegFacts } from './facts.ts'
import { fitBox, type PictureSize, parseBox, upright } from './picture.ts'
import type { Survey, SurveyedStream } from './survey.ts'

/** What a rendition is to be. */
export type QualityGoal = Extract<Job, { kind: 'rendition' }>['quality']

/** What becomes of one stream. */
export interface StreamPlan {
  readonly source: SurveyedStream
  /** Undefined: its packets are taken as they are. */
  readonly encoding: Encoding | undefined
}

/** How a stream is encoded anew. */
export interface Encoding {
  readonly encoder: Encoder
  /** Bits per second. */
  readonly bitrate: number
  /** Of video. */
  readonly size: PictureSize | undefined
  /** Of video, where there are more frames than there may be. */
  readonly maxFps: number | undefined
}

/** What encoders are chosen by. */
export interface EncoderChoice {
  readonly facts: FfmpegFacts
  readonly prefersHardware: boolean
}

/** A rate measured this little above a cap is at it: clocks of sources are not exact. */
const FPS_SLACK = 1.01
/** A source this little above an aim is at it: it is no use to encode it anew. */
const BITRATE_SLACK = 1.05
/** Below this there is nothing to be seen or heard, bits per second. */
const MIN_BITRATE = { video: 20_000, audio: 8000 }

/**
 * What is done with each stream of a file for a rendition. A stream that is within its aims already, in a codec that a
 * rendition of this format has, is taken as it is; everything else is encoded, never beyond what its source has.
 */
export function planRendition(
  survey: Survey,
  format: OutputFormat,
  goal: QualityGoal,
  choice: EncoderChoice,
): StreamPlan[] {
  return selected(survey, format).map((source) =>
    source.kind === 'video'
      ? { source, encoding: videoEncoding(source, format, goal, choice) }
      : { source, encoding: audioEncoding(source, format, goal, choice) },
  )
}

/** What is done for another container: packets stay as they are wherever it can hold them. */
export function planRemux(survey: Survey, format: OutputFormat, choice: EncoderChoice): StreamPlan[] {
  return selected(survey, format).map((source) => {
    if (holds(format, source.codec)) return { source, encoding: undefined }
    const encoder = encoderFor(source, format, choice)
    const size = source.kind === 'video' ? fitBox(source, undefined) : undefined
    return { source, encoding: { encoder, size, bitrate: atLeast(source, source.bitrate), maxFps: undefined } }
  })
}

/** FLV has one track of each kind. */
function selected(survey: Survey, format: OutputFormat): readonly SurveyedStream[] {
  if (format !== 'flv') return survey.streams
  return survey.streams.filter((stream) => survey.streams.find(({ kind }) => kind === stream.kind) === stream)
}

function videoEncoding(
  source: SurveyedStream,
  format: OutputFormat,
  goal: QualityGoal,
  choice: EncoderChoice,
): Encoding | undefined {
  const share = goal.source_percent === null ? 1 : goal.source_percent / 100
  const aim = Math.min(goal.video_bitrate ?? Number.POSITIVE_INFINITY, source.bitrate * share)
  const size = fitBox(source, goal.resolution === null ? undefined : parseBox(goal.resolution))
  const maxFps = goal.fps !== null && source.packetsPerSecond > goal.fps * FPS_SLACK ? goal.fps : undefined
  const stays =
    isUsual(format, 'video', source.codec) &&
    source.bitrate <= aim * BITRATE_SLACK &&
    maxFps === undefined &&
    isAtMost(upright(source), size)
  if (stays) return undefined
  return { encoder: encoderFor(source, format, choice), bitrate: atLeast(source, aim), size, maxFps }
}

function audioEncoding(
  source: SurveyedStream,
  format: OutputFormat,
  goal: QualityGoal,
  choice: EncoderChoice,
): Encoding | undefined {
  const aim = Math.min(goal.audio_bitrate ?? Number.POSITIVE_INFINITY, source.bitrate)
  if (isUsual(format, 'audio', source.codec) && source.bitrate <= aim * BITRATE_SLACK) return undefined
  return {
    encoder: encoderFor(source, format, choice),
    bitrate: atLeast(source, aim),
    size: undefined,
    maxFps: undefined,
  }
}

/** But for the pixel that an odd side has too many. */
function isAtMost(picture: PictureSize, size: PictureSize): boolean {
  return picture.width <= size.width + 1 && picture.height <= size.height + 1
}

function atLeast(source: SurveyedStream, bitrate: number): number {
  return Math.max(MIN_BITRATE[source.kind], Math.round(bitrate))
}

function encoderFor(source: SurveyedStream, format: OutputFormat, choice: EncoderChoice): Encoder {
  const { facts, prefersHardware } = choice
  const encoder = chooseEncoder(format, source.kind, { encoders: facts.encoders, prefersHardware })
  if (encoder !== undefined) return encoder
  throw new UnsupportedError(
    `ffmpeg ${facts.version} has no encoder for ${source.kind} in ${format} that works; install one with ` +
      (format === 'webm' ? 'libvpx and libopus' : 'libx264'),
  )
}
