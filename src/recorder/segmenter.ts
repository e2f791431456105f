import { rescale } from '../media/clock.ts'
import type { Frame } from '../media/frame.ts'
import { US_PER_S } from './track-clock.ts'

/** Why a part begins. `start`: the first; `resume`: after files could not be written; `gone`: the last was taken away. */
export type PartReason = 'start' | 'size' | 'duration' | 'codec-change' | 'gone' | 'resume'

/** What may be in one part. */
export interface SegmentLimits {
  readonly maxBytes: number | undefined
  readonly maxDurationMs: number | undefined
}

/** What the segmenter needs to know of the part that is being written. */
export interface PartExtent {
  /** µs of the recording at which the part's time begins; undefined before its first frame. */
  readonly zeroUs: number | undefined
  /** What the file will be at least, once finished. */
  readonly sizeBytes: number
}

/** Rounding of timestamps must not cost a whole GOP: a keyframe this much before the limit is at the limit, µs. */
const EARLY_US = 20_000

/** Decides where one part ends and the next begins: at keyframes of the leading track, before a size, after a duration. */
export class Segmenter {
  readonly #maxBytes: number
  readonly #maxDurationUs: number
  #demand: PartReason | undefined
  #gopStartBytes = 0
  /** Something could ever end a part: lets the hot path skip the question. */
  armed: boolean

  constructor(limits: SegmentLimits) {
    this.#maxBytes = limits.maxBytes ?? Number.POSITIVE_INFINITY
    this.#maxDurationUs = (limits.maxDurationMs ?? Number.POSITIVE_INFINITY) * 1000
    this.armed = Number.isFinite(this.#maxBytes) || Number.isFinite(this.#maxDurationUs)
  }

  /** The next possible place is to be taken. */
  demand(reason: PartReason): void {
    this.#demand ??= reason
    this.armed = true
  }

  /** A part begins. */
  begin(): void {
    this.#demand = undefined
    this.#gopStartBytes = 0
    this.armed = Number.isFinite(this.#maxBytes) || Number.isFinite(this.#maxDurationUs)
  }

  /** Why a new part should begin with `frame`, at which it may; undefined to go on. Asked once per GOP, in order. */
  cut(frame: Frame, part: PartExtent): PartReason | undefined {
    if (part.zeroUs === undefined) return undefined
    if (this.#demand !== undefined) return this.#demand
    const us = rescale(frame.dts, frame.track.timescale, US_PER_S)
    if (us <= part.zeroUs) return undefined
    if (us - part.zeroUs >= this.#maxDurationUs - EARLY_US) return 'duration'
    // the GOP that begins here is taken to be as large as the one that ends here
    const gopBytes = frame.track.kind === 'video' ? part.sizeBytes - this.#gopStartBytes : frame.data.length
    this.#gopStartBytes = part.sizeBytes
    return part.sizeBytes + gopBytes > this.#maxBytes ? 'size' : undefined
  }

  /** Whether the limit was passed long ago without a keyframe to cut at. */
  isOverdue(part: PartExtent, frontUs: number): boolean {
    if (part.zeroUs === undefined) return false
    const durationUs = frontUs - part.zeroUs
    return (
      durationUs > Math.min(this.#maxDurationUs * 2, this.#maxDurationUs + 60 * US_PER_S) ||
      part.sizeBytes > this.#maxBytes * 2
    )
  }
}
