import type { Sample } from '../container/reader.ts'
import { toMs } from '../media/clock.ts'
import type { Track } from '../media/track.ts'

/** A pause between two samples longer than this, and than three usual steps, is a gap, ms. */
const GAP_MS = 1000
const MAX_LISTED_GAPS = 100

/** A stretch without media inside a track. */
export interface Gap {
  readonly atMs: number
  readonly lengthMs: number
}

/** Where decoding can begin. */
export interface KeyframeReport {
  readonly count: number
  readonly intervalMs: number | null
  readonly longestMs: number | null
}

/** What the samples of one track show. */
export interface TrackSurveyReport {
  readonly configurations: number
  readonly samples: number
  readonly bytes: number
  readonly bitrateBps: number
  /** Of the first sample shown. */
  readonly startMs: number
  readonly durationMs: number
  /** Video alone. The interval is the mean between keyframes; null before there are two. */
  readonly keyframes?: KeyframeReport
  readonly gapCount: number
  /** The first hundred. */
  readonly gaps: readonly Gap[]
}

/** Follows the samples of one track in file order, in bounded memory. */
export class TrackSurvey {
  /** In the configuration that it begins with. */
  readonly track: Track
  samples = 0
  bytes = 0
  /** Shown first and shown last, ticks. */
  first = Number.POSITIVE_INFINITY
  last = Number.NEGATIVE_INFINITY
  #epochs = 1
  #epoch: number
  /** The latest time so far in file order: readers that know no dts give pts, which step back. */
  #front = Number.NEGATIVE_INFINITY
  #step = 0
  #keyframes = 0
  #firstKey = 0
  #lastKey = 0
  #longestKeyInterval = 0
  #gapCount = 0
  readonly #gaps: Gap[] = []

  constructor(track: Track) {
    this.track = track
    this.#epoch = track.epoch
  }

  /** Where the last sample shown ends, if it is as long as the mean one, ticks. */
  get end(): number {
    return this.samples < 2 ? this.last : this.last + Math.round((this.last - this.first) / (this.samples - 1))
  }

  add(sample: Sample): void {
    if (sample.track.epoch !== this.#epoch) {
      this.#epochs++
      this.#epoch = sample.track.epoch
    }
    this.samples++
    this.bytes += sample.size
    this.first = Math.min(this.first, sample.pts)
    this.last = Math.max(this.last, sample.pts)
    if (sample.dts > this.#front) this.#advance(sample.dts)
    if (sample.key && this.track.kind === 'video') this.#key(sample.pts)
  }

  report(): TrackSurveyReport {
    const { timescale } = this.track
    const durationMs = this.samples === 0 ? 0 : toMs(this.end - this.first, timescale)
    return {
      configurations: this.#epochs,
      samples: this.samples,
      bytes: this.bytes,
      bitrateBps: durationMs === 0 ? 0 : Math.round((this.bytes * 8000) / durationMs),
      startMs: this.samples === 0 ? 0 : toMs(this.first, timescale),
      durationMs,
      ...(this.track.kind === 'video' ? { keyframes: this.#keyframeReport() } : {}),
      gapCount: this.#gapCount,
      gaps: this.#gaps,
    }
  }

  #advance(time: number): void {
    const { timescale } = this.track
    const step = time - this.#front
    if (Number.isFinite(step)) {
      if (this.#step > 0 && toMs(step, timescale) > GAP_MS && step > 3 * this.#step) this.#gap(step)
      else this.#step = step
    }
    this.#front = time
  }

  #gap(step: number): void {
    const { timescale } = this.track
    this.#gapCount++
    if (this.#gaps.length >= MAX_LISTED_GAPS) return
    this.#gaps.push({ atMs: toMs(this.#front + this.#step, timescale), lengthMs: toMs(step - this.#step, timescale) })
  }

  #key(time: number): void {
    if (this.#keyframes++ === 0) this.#firstKey = time
    else this.#longestKeyInterval = Math.max(this.#longestKeyInterval, time - this.#lastKey)
    this.#lastKey = time
  }

  #keyframeReport(): KeyframeReport {
    const { timescale } = this.track
    const count = this.#keyframes
    if (count < 2) return { count, intervalMs: null, longestMs: null }
    const intervalMs = Math.round(toMs(this.#lastKey - this.#firstKey, timescale) / (count - 1))
    return { count, intervalMs, longestMs: toMs(this.#longestKeyInterval, timescale) }
  }
}
