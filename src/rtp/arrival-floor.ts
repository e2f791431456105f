const WINDOW_MS = 5000
/** The least of so many windows counts: what grew later than that is believed. */
const WINDOWS = 6

/**
 * How late frames are at the least: the minimum of arrival less own time, over the last half minute. What the network holds up
 * is added to it, never taken off, so the least is nearest to the truth; and that it goes on only so long lets drift through.
 */
export class ArrivalFloor {
  readonly #minima: number[] = []
  #windowEndMs = Number.NEGATIVE_INFINITY
  #valueMs = Number.NaN

  /** NaN before the first. */
  get valueMs(): number {
    return this.#valueMs
  }

  add(lateMs: number, nowMs: number): void {
    if (nowMs >= this.#windowEndMs) this.#open(lateMs, nowMs)
    const last = this.#minima.length - 1
    if (lateMs < this.#minima[last]) this.#minima[last] = lateMs
    if (lateMs < this.#valueMs) this.#valueMs = lateMs
  }

  /** What it is measured against moved by so much. */
  shift(byMs: number): void {
    for (let i = 0; i < this.#minima.length; i++) this.#minima[i] += byMs
    this.#valueMs += byMs
  }

  clear(): void {
    this.#minima.length = 0
    this.#windowEndMs = Number.NEGATIVE_INFINITY
    this.#valueMs = Number.NaN
  }

  #open(lateMs: number, nowMs: number): void {
    this.#windowEndMs = nowMs + WINDOW_MS
    this.#minima.push(lateMs)
    if (this.#minima.length > WINDOWS) this.#minima.shift()
    this.#valueMs = Math.min(...this.#minima)
  }
}
