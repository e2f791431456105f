/**
 * How long the oldest byte that a socket has not taken has been waiting. Costs nothing while the socket takes everything
 * at once.
 */
export class SendBacklog {
  #sentBytes = 0
  /** Of each send that was not taken at once: the total sent by then, and when. */
  #ends: number[] = []
  #timesMs: number[] = []
  #head = 0

  /** After each send: `bytes` of it, `waitingBytes` in the socket now. Returns the age of the oldest of them, ms. */
  sent(bytes: number, waitingBytes: number, nowMs: number): number {
    this.#sentBytes += bytes
    if (waitingBytes === 0) {
      this.clear()
      return 0
    }
    this.#ends.push(this.#sentBytes)
    this.#timesMs.push(nowMs)
    return this.ageMs(waitingBytes, nowMs)
  }

  /** The same without a send. */
  ageMs(waitingBytes: number, nowMs: number): number {
    const taken = this.#sentBytes - waitingBytes
    while (this.#head < this.#ends.length && this.#ends[this.#head] <= taken) this.#head++
    if (this.#head === this.#ends.length) {
      this.clear()
      return 0
    }
    return nowMs - this.#timesMs[this.#head]
  }

  clear(): void {
    if (this.#ends.length === 0) return
    this.#ends = []
    this.#timesMs = []
    this.#head = 0
  }
}
