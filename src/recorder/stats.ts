import { toMs } from '../media/clock.ts'
import type { Pipeline } from './pipeline.ts'
import { US_PER_S } from './track-clock.ts'

/** A snapshot of what one recording has taken and written. Counters only grow. */
export interface RecordingStats {
  /** Frames of all tracks that went into files. */
  readonly packets: number
  readonly videoFrames: number
  readonly audioFrames: number
  readonly keyframes: number
  /** Media bytes that went into files. */
  readonly bytes: number
  /** Over the last second or more before the previous snapshot. */
  readonly bitrateBps: number
  /** Media time, pauses closed up. */
  readonly durationMs: number
  /** Between the last two keyframes of the first video track. */
  readonly keyframeIntervalMs: number | undefined
  /** Dropped because the disk did not keep up, in whole GOPs. */
  readonly droppedFrames: number
  readonly droppedBytes: number
  readonly gaps: number
  readonly jumps: number
  /** Times in which files could not be written, the present one included. */
  readonly outages: number
  readonly queuedFrames: number
  readonly queuedBytes: number
  /** Given to the storage, but not by it to the system. */
  readonly backlogBytes: number
  readonly parts: number
}

/** The present figures of `pipeline`. `bitrate`: told the media bytes so far, gives the rate of late, bits per second. */
export function statsOf(pipeline: Pipeline, bitrate: (bytes: number) => number): RecordingStats {
  const { parts, timeline, outages } = pipeline
  const sums = { videoFrames: 0, audioFrames: 0, bytes: 0, keyframes: 0 }
  let keyframeIntervalMs: number | undefined
  for (const lane of parts.lanes.all) {
    sums[lane.track.kind === 'video' ? 'videoFrames' : 'audioFrames'] += lane.frames
    sums.bytes += lane.bytes
    sums.keyframes += lane.keyframes
    keyframeIntervalMs ??= lane.keyframeIntervalMs
  }
  return {
    ...sums,
    packets: sums.videoFrames + sums.audioFrames,
    keyframeIntervalMs,
    durationMs: toMs(parts.lanes.frontUs, US_PER_S),
    bitrateBps: bitrate(sums.bytes),
    droppedFrames: pipeline.droppedFrames,
    droppedBytes: pipeline.droppedBytes,
    gaps: parts.lanes.gaps.count,
    jumps: timeline.jumps.count,
    outages: outages.tally.count + (outages.isRunning ? 1 : 0),
    queuedFrames: pipeline.queuedFrames,
    queuedBytes: pipeline.queuedBytes,
    backlogBytes: parts.backlogBytes,
    parts: parts.parts.length,
  }
}
