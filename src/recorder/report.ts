import { toMs } from '../media/clock.ts'
import { TapedeckError } from '../media/errors.ts'
import type { Track } from '../media/track.ts'
import type { Gap } from './lane.ts'
import type { Part } from './part.ts'
import type { RecordingState } from './state-machine.ts'
import type { TallyReport } from './tally.ts'
import type { Jump } from './timeline.ts'
import { US_PER_S } from './track-clock.ts'

/** Why something ended before its time. */
export interface FaultReport {
  /** `TD_…`, or `INTERNAL` for what is a bug. */
  readonly code: string
  readonly message: string
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
  readonly path: string
  readonly format: string
  readonly part: number
  /** Why it began. */
  readonly reason: string
  readonly state: string
  /** Where its time 0 lies in the recording. */
  readonly offsetMs: number
  readonly durationMs: number
  readonly sizeBytes: number
  readonly frames: number
  readonly mediaBytes: number
  readonly fault: FaultReport | undefined
}

/** One track in a report. */
export interface TrackReport {
  readonly id: number
  readonly kind: 'video' | 'audio'
  readonly codec: string
  readonly width?: number
  readonly height?: number
  readonly sampleRateHz?: number
  readonly channels?: number
  readonly label?: string
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
  readonly error: FaultReport | undefined
}

/** `error` as reports say it. */
export function faultReport(error: unknown): FaultReport {
  const message = error instanceof Error ? error.message : String(error)
  return { code: error instanceof TapedeckError ? error.code : 'INTERNAL', message }
}

/** What a report says of one file. */
export function partReport(part: Part): PartReport {
  const { identity, state, zeroUs, endUs, frames, mediaBytes } = part
  return {
    path: part.path,
    format: identity.format,
    part: identity.index,
    reason: identity.reason,
    state,
    offsetMs: toMs(zeroUs ?? 0, US_PER_S),
    durationMs: toMs(Math.max(0, endUs - (zeroUs ?? 0)), US_PER_S),
    sizeBytes: part.sizeBytes,
    frames,
    mediaBytes,
    fault: part.fault === undefined ? undefined : faultReport(part.fault),
  }
}

/** What a report says of one track. */
export function trackReport(
  track: Track,
  counts: { readonly frames: number; readonly bytes: number; readonly keyframes: number },
  durationMs: number,
): TrackReport {
  const { id, kind, codec, label } = track
  return {
    id,
    kind,
    codec,
    ...(track.kind === 'video'
      ? { width: track.width, height: track.height }
      : { sampleRateHz: track.sampleRateHz, channels: track.channels }),
    ...(label === undefined ? {} : { label }),
    frames: counts.frames,
    bytes: counts.bytes,
    keyframes: counts.keyframes,
    bitrateBps: bitrateOf(counts.bytes, durationMs),
  }
}

/** Bits per second of media; 0 for no time. */
export function bitrateOf(bytes: number, durationMs: number): number {
  return durationMs <= 0 ? 0 : Math.round((bytes * 8000) / durationMs)
}
