/** Media this much further on than the wall clock comes from a file, not from a camera, milliseconds. */
const AHEAD_MS = 1000
/** A live publisher is not held longer than this in a row, milliseconds: its encoder starts to drop at about that time. */
const MAX_HOLD_MS = 10_000
/** A larger step between two messages is a jump of the publisher's clock and not media, milliseconds. */
const MAX_STEP_MS = 5000

/**
 * Decides when a publisher is held back for a recording that is behind.
 *
 * One that sends faster than real time (a file being pushed) waits as long as it takes: nothing is lost by that. One that
 * sends in real time waits only while nobody watches, and at most 10 s in a row; after that the recording's queue decides.
 */
export class PublisherHold {
  #startedAtMs = 0
  #lastMs: number | undefined
  #mediaMs = 0
  #heldSinceMs: number | undefined

  /** A message of `timestampMs` (unsigned 32-bit, as on the wire) came in. */
  advance(timestampMs: number): void {
    const last = this.#lastMs
    if (last === undefined) {
      this.#startedAtMs = performance.now()
      this.#lastMs = timestampMs
      return
    }
    const stepMs = timestampMs - last
    if (stepMs > 0) {
      if (stepMs <= MAX_STEP_MS) this.#mediaMs += stepMs
      this.#lastMs = timestampMs
    } else if (stepMs < -MAX_STEP_MS) this.#lastMs = timestampMs
  }

  /**
   * Whether to hold now. `behind`: some recording is; `watched`: somebody plays the stream live;
   * `nowMs`: `performance.now()`.
   */
  held(behind: boolean, watched: boolean, nowMs: number): boolean {
    if (!behind) {
      this.#heldSinceMs = undefined
      return false
    }
    if (this.#lastMs !== undefined && this.#mediaMs > nowMs - this.#startedAtMs + AHEAD_MS) return true
    if (watched) return false
    this.#heldSinceMs ??= nowMs
    return nowMs - this.#heldSinceMs < MAX_HOLD_MS
  }
}
