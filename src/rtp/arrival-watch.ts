/** Reports in a row that tell of nothing new, before it is believed: with one, what was sent may still be under way. */
const MIN_STALE = 2

/**
 * Whether what is sent on one stream arrives, by its receiver's reports: with each, the highest sequence number should be another
 * (RFC 3550 §6.4.1). Of who writes no reports nothing is known. Times are `performance.now()`, ms.
 */
export class ArrivalWatch {
  #highest: number | undefined
  #packets = 0
  #arrivedMs = Number.NEGATIVE_INFINITY
  /** Of the last report that was as it should be. */
  #goodMs = 0
  #stale = 0

  /** When a report last told that something had arrived. */
  get arrivedMs(): number {
    return this.#arrivedMs
  }

  /** A report has come, when `packets` had been sent. */
  report(highestSequence: number, packets: number, nowMs: number): void {
    const isNew = highestSequence !== this.#highest
    if (isNew) {
      this.#highest = highestSequence
      this.#arrivedMs = nowMs
    }
    if (isNew || packets === this.#packets) {
      this.#goodMs = nowMs
      this.#stale = 0
    } else this.#stale++
    this.#packets = packets
  }

  /** For how long reports have told that nothing arrives, ms; 0 when it does, or when nothing is known. */
  deafForMs(nowMs: number): number {
    return this.#stale < MIN_STALE ? 0 : nowMs - this.#goodMs
  }
}
