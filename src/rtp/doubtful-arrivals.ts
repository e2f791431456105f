/** A packet that came so soon after it was asked for that both may be: it had been overtaken, or it was sent again. */
export interface Doubt {
  /** How much later than one that was sent after it, ms. */
  readonly lateMs: number
  /** The round trip, if it was sent again; undefined where it was asked for more than once. */
  readonly roundTripMs: number | undefined
}

/** How long an answer may still follow, in round trips, and at least, ms. */
const ROUND_TRIPS = 2
const MIN_WAIT_MS = 200
const MAX_DOUBTS = 256

/**
 * Packets of which only what follows tells whether they were overtaken or sent again on the same stream: what was overtaken comes a
 * second time, as the answer to the request.
 */
export class DoubtfulArrivals {
  readonly #doubts = new Map<number, Doubt & { readonly untilMs: number }>()

  /** False where there are too many already. */
  add(sequence: number, doubt: Doubt, nowMs: number, roundTripMs: number): boolean {
    if (this.#doubts.size >= MAX_DOUBTS) return false
    this.#doubts.set(sequence, { ...doubt, untilMs: nowMs + Math.max(MIN_WAIT_MS, ROUND_TRIPS * roundTripMs) })
    return true
  }

  /** It came a second time: no doubt any more. Undefined where there was none. */
  take(sequence: number): Doubt | undefined {
    const doubt = this.#doubts.get(sequence)
    if (doubt !== undefined) this.#doubts.delete(sequence)
    return doubt
  }

  /** One that nothing has followed in time: it was sent again. */
  due(nowMs: number): Doubt | undefined {
    for (const [sequence, doubt] of this.#doubts) {
      if (doubt.untilMs > nowMs) return undefined
      this.#doubts.delete(sequence)
      return doubt
    }
    return undefined
  }
}
