import type { AccessUnit } from './access-unit.ts'

const BITRATE_WINDOW_MS = 1000
const BITRATE_MARGIN = 1.25 // layers of one size change their order only for so much
const FLOWS_MS = 500 // a layer whose last unit is not older

/** What is known of one simulcast layer. */
export class LayerState {
  /** Width times height; 0 until it is known. */
  pixels = 0
  config: Uint8Array | undefined
  /** When its last unit came, ms. */
  seenMs = Number.NEGATIVE_INFINITY
  lastPts = Number.NEGATIVE_INFINITY
  /** When a keyframe of it was asked for last, ms. */
  askedMs = Number.NEGATIVE_INFINITY
  #bytes = 0
  #windowMs = 0
  #bitrateBps = 0

  observe(unit: AccessUnit, pts: number, nowMs: number): void {
    if (unit.config !== undefined) this.config = unit.config
    this.seenMs = nowMs
    this.lastPts = pts
    this.#bytes += unit.data.length
    const spanMs = nowMs - this.#windowMs
    if (spanMs < BITRATE_WINDOW_MS) return
    this.#bitrateBps = (this.#bytes * 8000) / spanMs
    this.#windowMs = nowMs
    this.#bytes = 0
  }

  isFlowing(nowMs: number): boolean {
    return nowMs - this.seenMs <= FLOWS_MS
  }

  isBetterThan(other: LayerState): boolean {
    if (this.pixels !== other.pixels) return this.pixels > other.pixels
    return other.#bitrateBps > 0 && this.#bitrateBps > other.#bitrateBps * BITRATE_MARGIN
  }
}
