import type { Format } from '../container/reader.ts'
import { NoMediaError } from '../live/source-errors.ts'
import { toMs } from '../media/clock.ts'
import { TapedeckError } from '../media/errors.ts'
import type { ChecklistLine, SourceReport } from '../media/source-report.ts'
import type { Track } from '../media/track.ts'
import type { Alignment, Anchor } from './alignment.ts'
import type { AskedFormat } from './format-choice.ts'
import type { Gap } from './lane.ts'
import type { Part, PartState } from './part.ts'
import type { Absence } from './presence.ts'
import type { PartReason } from './segmenter.ts'
import type { RecordingState } from './state-machine.ts'
import type { TallyReport } from './tally.ts'
import type { Jump } from './timeline.ts'
import { US_PER_S } from './track-clock.ts'

/** Why something ended before its time. */
export interface FaultReport {
  /** `TD_…`, or `INTERNAL` for what is a bug. */
  readonly code: string
  readonly message: string
  /** For what ended without media: the first line of the checklist that was not met. */
  readonly unmet?: ChecklistLine
}

/** A time in which nothing could be written, by the wall clock. */
export interface Outage extends FaultReport {
  /** ISO 8601, UTC. */
  readonly from: string
  readonly to: string | undefined
  readonly lostFrames: number
  readonly lostBytes: number
}

/** One file in a report. */
export interface PartReport {
  /** Unique for ever. */
  readonly id: string
  readonly path: string
  readonly format: Format
  /** What was asked for where `format` is another. */
  readonly askedFormat: AskedFormat
  readonly part: number
  /** Why it began. */
  readonly reason: PartReason
  readonly state: PartState
  /** Where its time 0 lies on the recording's clock; below 0 for media of before that began. */
  readonly offsetMs: number
  /** How its time lies on that clock from its beginning on. Ascending; the first at file time 0. */
  readonly anchors: readonly Anchor[]
  readonly durationMs: number
  readonly sizeBytes: number
  readonly frames: number
  readonly mediaBytes: number
  readonly tracks: readonly TrackFacts[]
  readonly fault: FaultReport | undefined
}

/** What a track is. */
export interface TrackFacts {
  readonly id: number
  readonly kind: 'video' | 'audio'
  readonly codec: string
  readonly width?: number
  readonly height?: number
  readonly sampleRateHz?: number
  readonly channels?: number
  readonly label?: string
}

/** One track in a report. */
export interface TrackReport extends TrackFacts {
  readonly frames: number
  readonly bytes: number
  readonly keyframes: number
  readonly bitrateBps: number
}

/** Everything there is to say about a recording. Written as JSON beside its first file on request. */
export interface RecordingReport {
  readonly version: 1
  readonly id: string
  readonly room: string
  readonly participant: string
  readonly state: RecordingState
  /** ISO 8601, UTC. */
  readonly startedAt: string
  readonly endedAt: string | undefined
  /** Why the stream ended, or `stopped`. */
  readonly endReason: string | undefined
  /** When the first media was taken; ISO 8601, UTC. */
  readonly joinedAt: string | undefined
  /** When the participant went away, if it did. */
  readonly leftAt: string | undefined
  /** How long it would be waited for. */
  readonly reconnectWindowMs: number
  readonly reconnects: number
  readonly absences: TallyReport<Absence>
  readonly askedFormat: AskedFormat
  /** Media time, pauses closed up. */
  readonly durationMs: number
  readonly frames: number
  readonly bytes: number
  readonly bitrateBps: number
  readonly tracks: readonly TrackReport[]
  readonly parts: readonly PartReport[]
  readonly gaps: TallyReport<Gap>
  readonly jumps: TallyReport<Jump>
  readonly outages: TallyReport<Outage>
  /** Frames dropped because the disk did not keep up, in whole GOPs. */
  readonly droppedFrames: number
  readonly droppedBytes: number
  /** Frames before the first keyframe or in front of one that was lost. */
  readonly skippedFrames: number
  /** Frames whose time was moved by a tick or more, because it did not grow. */
  readonly nudgedFrames: number
  /** What the source says of itself: the present one, or the last. Undefined where it cannot (RTMP). */
  readonly source: SourceReport | undefined
  /** The sources before a reconnect, each with the last ten of its losses. */
  readonly earlierSources: TallyReport<SourceReport>
  readonly error: FaultReport | undefined
}

/** `error` as reports say it. */
export function faultReport(error: unknown): FaultReport {
  const message = error instanceof Error ? error.message : String(error)
  const unmet = error instanceof NoMediaError && error.unmet !== undefined ? { unmet: error.unmet } : {}
  return { code: error instanceof TapedeckError ? error.code : 'INTERNAL', message, ...unmet }
}

/** What a report says of one file of a recording that has come to `frontUs`. */
export function partReport(part: Part, alignment: Alignment, frontUs: number): PartReport {
  const { identity, state, zeroUs = 0, frames, mediaBytes } = part
  const endUs = Math.max(zeroUs, state === 'open' ? frontUs : part.endUs)
  const anchors = alignment.anchors(zeroUs, endUs)
  return {
    id: identity.id,
    path: part.path,
    format: identity.format,
    askedFormat: identity.askedFormat,
    part: identity.index,
    reason: identity.reason,
    state,
    offsetMs: anchors[0].recordingMs,
    anchors,
    durationMs: toMs(endUs - zeroUs, US_PER_S),
    sizeBytes: part.sizeBytes,
    frames,
    mediaBytes,
    tracks: part.tracks.map(trackFacts),
    fault: part.fault === undefined ? undefined : faultReport(part.fault),
  }
}

/** What a report says of one track. */
export function trackReport(
  track: Track,
  counts: { readonly frames: number; readonly bytes: number; readonly keyframes: number },
  durationMs: number,
): TrackReport {
  return {
    ...trackFacts(track),
    frames: counts.frames,
    bytes: counts.bytes,
    keyframes: counts.keyframes,
    bitrateBps: bitrateOf(counts.bytes, durationMs),
  }
}

function trackFacts(track: Track): TrackFacts {
  const { id, kind, codec, label } = track
  const facts =
    track.kind === 'video'
      ? { width: track.width, height: track.height }
      : { sampleRateHz: track.sampleRateHz, channels: track.channels }
  return { id, kind, codec, ...facts, ...(label === undefined ? {} : { label }) }
}

/** Bits per second of media; 0 for no time. */
export function bitrateOf(bytes: number, durationMs: number): number {
  return durationMs <= 0 ? 0 : Math.round((bytes * 8000) / durationMs)
}
