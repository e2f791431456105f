import type { StreamAddress } from '../live/stream.ts'
import type { AudioFormat } from '../state/recording-object.ts'
import type { AskedFormat, ExpectedVideo } from './format-choice.ts'
import type { Part } from './part.ts'

/** Which recording the parts belong to. */
export interface PartSequenceOptions {
  readonly recordingId: string
  readonly address: StreamAddress
  readonly title: string | undefined
  readonly path: string | undefined
  /** Absolute: instead of the recorder's. */
  readonly directory: string | undefined
  readonly format: AskedFormat
  /** Of sound alone, instead of `format`. */
  readonly audioFormat: AudioFormat
  /** Whether pictures may still come of the source that is there: see `SourceBook.video`. */
  readonly video: () => ExpectedVideo
  /** Whether the pictures of the source that is there may change size at any keyframe. */
  readonly resizes: () => boolean
  /** A new part at the first keyframe after so much media; the recorder's setting by default. */
  readonly partDurationMs: number | undefined
  /** A new part before this size; the recorder's setting by default. */
  readonly partSizeBytes: number | undefined
  /** Wall clock that names carry, ms since 1970. */
  readonly startedAtMs: number
  /** Its number. */
  readonly firstPart: number
}

/** Who feeds the parts. */
export interface PartSequenceOwner {
  /** `write` is worth trying again. Never called from within `write`. */
  onReady(): void
  onCreated(part: Part): void
  /** The files cannot be written: `release` was done, the next `write` opens a new part. */
  onFailure(error: Error): void
}
