import { toMs } from '../media/clock.ts'
import type { Frame } from '../media/frame.ts'

/** A snapshot of what came in by one stream. Counters only grow. */
export interface StreamStatsSnapshot {
  readonly videoFrames: number
  readonly audioFrames: number
  readonly bytes: number
  readonly keyframes: number
  /** Between the last two video keyframes, by dts; undefined before there are two. */
  readonly keyframeIntervalMs: number | undefined
  /** Over the last whole second or more since the previous snapshot, bits per second. */
  readonly bitrateBps: number
  /** `performance.now()` of the last frame; undefined before the first. */
  readonly lastFrameAtMs: number | undefined
}

/** Counts what flows through one stream; a handful of additions a frame. */
export class StreamStats {
  #videoFrames = 0
  #audioFrames = 0
  #bytes = 0
  #keyframes = 0
  #lastKeyMs: number | undefined
  #keyframeIntervalMs: number | undefined
  #lastFrameAtMs: number | undefined
  /** Frames were counted since the last `mark`. */
  #fresh = false
  #markBytes = 0
  #markAtMs = performance.now()
  #bitrateBps = 0

  count(frame: Frame): void {
    this.#bytes += frame.sizeBytes
    this.#fresh = true
    if (frame.track.kind === 'audio') {
      this.#audioFrames++
      return
    }
    this.#videoFrames++
    if (!frame.key) return
    this.#keyframes++
    const atMs = toMs(frame.dts, frame.track.timescale)
    if (this.#lastKeyMs !== undefined) this.#keyframeIntervalMs = atMs - this.#lastKeyMs
    this.#lastKeyMs = atMs
  }

  /** The end of a batch: what was counted came in now. */
  mark(): void {
    if (!this.#fresh) return
    this.#fresh = false
    this.#lastFrameAtMs = performance.now()
  }

  snapshot(): StreamStatsSnapshot {
    const nowMs = performance.now()
    this.mark()
    const elapsedMs = nowMs - this.#markAtMs
    if (elapsedMs >= 1000) {
      this.#bitrateBps = Math.round(((this.#bytes - this.#markBytes) * 8000) / elapsedMs)
      this.#markBytes = this.#bytes
      this.#markAtMs = nowMs
    }
    return {
      videoFrames: this.#videoFrames,
      audioFrames: this.#audioFrames,
      bytes: this.#bytes,
      keyframes: this.#keyframes,
      keyframeIntervalMs: this.#keyframeIntervalMs,
      bitrateBps: this.#bitrateBps,
      lastFrameAtMs: this.#lastFrameAtMs,
    }
  }
}
