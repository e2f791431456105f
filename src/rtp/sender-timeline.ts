/** References that are kept: a minute of a video's, five of a sound's sender reports. */
const MAX_POINTS = 64
/** Nearer ones say nothing new. */
const MIN_SPACING_MS = 400
/** Drift is only believed over so long. */
const DRIFT_SPAN_MS = 15_000
/** No quartz is further off. */
const MAX_DRIFT = 500e-6
/** What lies further from the line has to be confirmed. */
const OUTLIER_MS = 100
/** So many reports below the line are no error of one; of the first two it is the first that was held up. */
const LOW_RUN = 2
/** So many above it, that lie as near to each other, were not held up: the RTP clock lags, or the wall clock was set. */
const HIGH_RUN = 4
const HIGH_SPREAD_MS = 20

/**
 * The sender's wall clock by its RTP time: a straight line below what its reports said.
 *
 * Browsers have the exact time of a picture in a report; of sound, they have the moment at which the last packet left, which is
 * later by whatever held them up: tens of milliseconds, where their machine is busy. So the least is nearest to the truth. But one
 * that is far below all others is not believed before the next one says the same; and where several in a row say that the line
 * is too low, it begins anew with them.
 */
export class SenderTimeline {
  /** RTP time in ms, and wall clock less that. */
  readonly #mediaMs: number[] = []
  readonly #offsetMs: number[] = []
  /** A point of the line. */
  #pointMediaMs = 0
  #pointOffsetMs = 0
  #slope = 0
  /** In a row on one side of the line, further off than an outlier: below it they have not been taken in yet. */
  readonly #strange: { readonly ntpMs: number; readonly mediaMs: number }[] = []
  #seenMediaMs = Number.NaN

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
    if (Math.abs(mediaMs - this.#seenMediaMs) < MIN_SPACING_MS) return
    this.#seenMediaMs = mediaMs
    const errorMs = this.isEmpty ? 0 : ntpMs - this.at(mediaMs)
    if (Math.abs(errorMs) <= OUTLIER_MS) {
      this.#strange.length = 0
      this.#push(ntpMs, mediaMs)
    } else if (this.#isStrange(ntpMs, mediaMs, errorMs < 0)) {
      const anew = this.#strange.slice()
      this.clear()
      for (const point of anew) this.#push(point.ntpMs, point.mediaMs)
    } else if (errorMs > 0) this.#push(ntpMs, mediaMs)
  }

  clear(): void {
    this.#mediaMs.length = this.#offsetMs.length = this.#strange.length = 0
    this.#slope = 0
    this.#seenMediaMs = Number.NaN
  }

  /** Whether so many in a row are on this side that it is the line that is wrong. */
  #isStrange(ntpMs: number, mediaMs: number, isLow: boolean): boolean {
    const strange = this.#strange
    const [first] = strange
    const offsetMs = ntpMs - mediaMs
    const isRow =
      first !== undefined &&
      isLow === first.ntpMs < this.at(first.mediaMs) &&
      (isLow || strange.every((point) => Math.abs(point.ntpMs - point.mediaMs - offsetMs) <= HIGH_SPREAD_MS))
    if (!isRow) strange.length = 0
    strange.push({ ntpMs, mediaMs })
    return strange.length >= (isLow ? Math.min(LOW_RUN, this.#mediaMs.length) : HIGH_RUN)
  }

  #push(ntpMs: number, mediaMs: number): void {
    this.#mediaMs.push(mediaMs)
    this.#offsetMs.push(ntpMs - mediaMs)
    if (this.#mediaMs.length > MAX_POINTS) {
      this.#mediaMs.shift()
      this.#offsetMs.shift()
    }
    this.#fit()
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
