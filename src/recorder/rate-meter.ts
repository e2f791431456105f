/** Measures a rate from a counter that only grows. */
export class RateMeter {
  #markBytes = 0
  #markAtMs: number
  #bitrateBps = 0

  constructor(nowMs: number) {
    this.#markAtMs = nowMs
  }

  /** Bits per second over the last second or more before `nowMs`, given all bytes so far. */
  read(bytes: number, nowMs: number): number {
    const elapsedMs = nowMs - this.#markAtMs
    if (elapsedMs >= 1000) {
      this.#bitrateBps = Math.round(((bytes - this.#markBytes) * 8000) / elapsedMs)
      this.#markBytes = bytes
      this.#markAtMs = nowMs
    }
    return this.#bitrateBps
  }
}
