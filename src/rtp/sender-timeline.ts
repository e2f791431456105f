/** References that are kept: a minute of a video's, five of a sound's sender reports. */
const MAX_POINTS = 64
/** Nearer ones say nothing new. */
const MIN_SPACING_MS = 400
/** Drift is only believed over so long. */
const DRIFT_SPAN_MS = 15_000
/** No quartz is further off. */
const MAX_DRIFT = 500e-6

/**
 * The sender's wall clock by its RTP time: a straight line through what its reports said, by least squares, so that the
 * millisecond by which a single one is off does not show.
 */
export class SenderTimeline {
  /** RTP time in ms, and wall clock less that. */
  readonly #mediaMs: number[] = []
  readonly #offsetMs: number[] = []
  #meanMediaMs = 0
  #meanOffsetMs = 0
  #slope = 0

  get isEmpty(): boolean {
    return this.#mediaMs.length === 0
  }

  /** How much faster the wall clock is than the RTP clock, as a ratio less one. */
  get slope(): number {
    return this.#slope
  }

  /** Wall clock at an RTP time, both ms. Meaningless while empty. */
  at(mediaMs: number): number {
    return mediaMs + this.#meanOffsetMs + this.#slope * (mediaMs - this.#meanMediaMs)
  }

  add(ntpMs: number, mediaMs: number): void {
    const last = this.#mediaMs.length - 1
    if (last >= 0 && Math.abs(mediaMs - this.#mediaMs[last]) < MIN_SPACING_MS) return
    this.#mediaMs.push(mediaMs)
    this.#offsetMs.push(ntpMs - mediaMs)
    if (this.#mediaMs.length > MAX_POINTS) {
      this.#mediaMs.shift()
      this.#offsetMs.shift()
    }
    this.#fit()
  }

  clear(): void {
    this.#mediaMs.length = this.#offsetMs.length = 0
    this.#slope = 0
  }

  #fit(): void {
    const count = this.#mediaMs.length
    // Deviations from the first: sums of numbers near 4e12 would lose what matters.
    const media = this.#mediaMs[0]
    const offset = this.#offsetMs[0]
    let x = 0
    let y = 0
    let xx = 0
    let xy = 0
    for (let i = 0; i < count; i++) {
      const dx = this.#mediaMs[i] - media
      const dy = this.#offsetMs[i] - offset
      x += dx
      y += dy
      xx += dx * dx
      xy += dx * dy
    }
    this.#meanMediaMs = media + x / count
    this.#meanOffsetMs = offset + y / count
    const spread = xx - (x * x) / count
    const isLong = Math.abs(this.#mediaMs[count - 1] - media) >= DRIFT_SPAN_MS
    const slope = isLong && spread > 0 ? (xy - (x * y) / count) / spread : 0
    this.#slope = Math.max(-MAX_DRIFT, Math.min(MAX_DRIFT, slope))
  }
}
