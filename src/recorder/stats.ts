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
