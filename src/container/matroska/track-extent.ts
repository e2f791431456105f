/** A distance between frames above which it is a gap and no frame's duration, ms. */
const MAX_STEP_MS = 1000

/** How far the frames of one track reach. The last one counts as long as frames are on average, gaps left aside. */
export class TrackExtent {
  readonly timescale: number
  readonly #maxStep: number
  #frames = 0
  #lastTicks = 0
  #maxPts = Number.NEGATIVE_INFINITY
  /** Steps that are no gaps; steps back, where times come in decoding order, count as what they are. */
  #steps = 0
  #stepTicks = 0

  constructor(timescale: number) {
    this.timescale = timescale
    this.#maxStep = (MAX_STEP_MS * timescale) / 1000
  }

  /** Frames so far. */
  get count(): number {
    return this.#frames
  }

  /** Takes in a frame: `ticks` is its decoding time, or its presentation time where that is all there is. */
  add(ticks: number, pts: number): void {
    const step = ticks - this.#lastTicks
    if (this.#frames++ > 0 && step <= this.#maxStep && step >= -this.#maxStep) {
      this.#steps++
      this.#stepTicks += step
    }
    this.#lastTicks = ticks
    if (pts > this.#maxPts) this.#maxPts = pts
  }

  /** The end of the last frame shown, ms, not rounded; at least 1. 0 while there is no frame. */
  get endMs(): number {
    if (this.#frames === 0) return 0
    const frameTicks = this.#steps === 0 ? 0 : Math.max(0, this.#stepTicks / this.#steps)
    return Math.max(1, ((this.#maxPts + frameTicks) * 1000) / this.timescale)
  }
}
