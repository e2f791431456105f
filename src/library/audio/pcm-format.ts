import { z } from 'zod'

/** Signed 16-bit samples, the channels of one instant side by side. */
export interface PcmFormat {
  readonly sampleRateHz: number
  /** 1 to 8, in WAV's order: left, right, centre, LFE, … */
  readonly channels: number
}

/** What a `PcmFormat` may be. */
export const pcmFormatSchema = z.object({
  sampleRateHz: z.number().int().min(1000).max(192_000),
  channels: z.number().int().min(1).max(8),
})

/** Takes PCM and keeps it as some kind of file. Samples are copied or used up before `write` returns. */
export interface PcmSink {
  /** Accepted but not on its way to the disk yet, bytes. */
  readonly backlogBytes: number
  /** In the file so far, bytes; 0 where somebody else writes it. */
  readonly sizeBytes: number
  /** Whole instants only. */
  write(samples: Int16Array): void
  /** Resolves when the backlog is small; throws what went wrong so far. */
  drain(): Promise<void>
  /** Completes the file. */
  finish(): Promise<void>
  /** Gives up: what is in the file stays. Never throws. */
  abort(): Promise<void>
}
