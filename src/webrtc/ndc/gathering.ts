/** Something that has packets to hand on. */
export interface Gatherer {
  /** All that came at once was handed over. */
  gathered(): void
}

/** With fewer of them, packets are handed over as they come: what their wake-ups cost is nothing yet. */
const BUSY_PACKETS_PER_S = 1000
/** Over which it is counted how many there are, ms. */
const WINDOW_MS = 1000

/**
 * When a turn of the event loop has handed over what had come, says so once to everybody who got something.
 *
 * A wake-up costs as much as several packets. With an interval, a thread that has much to do sleeps between turns until that
 * long has gone by since the last one, and then finds the packets of all peers waiting. One that cannot keep up never sleeps.
 */
export class Gathering {
  readonly #intervalMs: number
  readonly #waiting = new Set<Gatherer>()
  readonly #turn = () => this.#ended()
  /** To sleep on; nobody wakes it. */
  readonly #cell = new Int32Array(new SharedArrayBuffer(4))
  #last: Gatherer | undefined
  #isBusy = false
  #packets = 0
  #countedMs = performance.now()
  #wokenMs = 0

  /** @param intervalMs the thread does nothing else meanwhile; 0: it never sleeps */
  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs
  }

  /** A packet of `gatherer` was handed over in this turn. */
  add(gatherer: Gatherer): void {
    this.#packets++
    if (gatherer === this.#last) return
    this.#last = gatherer
    if (this.#waiting.size === 0) setImmediate(this.#turn)
    this.#waiting.add(gatherer)
  }

  #ended(): void {
    for (const gatherer of this.#waiting) gatherer.gathered()
    this.#waiting.clear()
    this.#last = undefined
    if (this.#intervalMs > 0) this.#sleep(performance.now())
  }

  #sleep(nowMs: number): void {
    const elapsedMs = nowMs - this.#countedMs
    if (elapsedMs >= WINDOW_MS) {
      this.#isBusy = this.#packets * 1000 > BUSY_PACKETS_PER_S * elapsedMs
      this.#packets = 0
      this.#countedMs = nowMs
    }
    if (!this.#isBusy) return
    const pauseMs = this.#wokenMs + this.#intervalMs - nowMs
    if (pauseMs > 0) Atomics.wait(this.#cell, 0, 0, pauseMs)
    this.#wokenMs = Math.max(nowMs, nowMs + pauseMs)
  }
}
