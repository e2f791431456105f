/** References that are kept: a minute of a video's, five of a sound's sender reports. */
const MAX_POINTS = 64
/** Nearer ones say nothing new. */
const MIN_SPACING_MS = 400
/** Drift is only believed over so long. */
const DRIFT_SPAN_MS = 15_000
/** No quartz is further off. */
const MAX_DRIFT = 500e-6

/**
 * The sender's wall clock by its RTP time: a straight line below what its reports said.
 *
 * Browsers have the exact time of a picture in a report; of sound, they have the moment at which the last packet left, which is
 * later by whatever held them up: tens of milliseconds, where their machine is busy. So the least is nearest to the truth.
 */
export class SenderTimeline {
  /** RTP time in ms, and wall clock less that. */
  readonly #mediaMs: number[] = []
  readonly #offsetMs: number[] = []
  /** A point of the line. */
  #pointMediaMs = 0
  #pointOffsetMs = 0
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
    return mediaMs + this.#pointOffsetMs + this.#slope * (mediaMs - this.#pointMediaMs)
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
    const last = count - 1
    this.#slope = 0
    if (this.#mediaMs[last] - this.#mediaMs[0] >= DRIFT_SPAN_MS) {
      const third = Math.max(1, Math.floor(count / 3))
      const [early, late] = [this.#least(0, third), this.#least(count - third, count)]
      const slope = (this.#offsetMs[late] - this.#offsetMs[early]) / (this.#mediaMs[late] - this.#mediaMs[early])
      this.#slope = Math.max(-MAX_DRIFT, Math.min(MAX_DRIFT, slope))
    }
    this.#pointMediaMs = this.#mediaMs[last]
    this.#pointOffsetMs = Number.POSITIVE_INFINITY
    for (let i = 0; i < count; i++) {
      const offsetMs = this.#offsetMs[i] + this.#slope * (this.#mediaMs[last] - this.#mediaMs[i])
      if (offsetMs < this.#pointOffsetMs) this.#pointOffsetMs = offsetMs
    }
  }

  /** Which of the points from `from` to `to` (exclusive) lies lowest. */
  #least(from: number, to: number): number {
    let least = from
    for (let i = from + 1; i < to; i++) if (this.#offsetMs[i] < this.#offsetMs[least]) least = i
    return least
  }
}
