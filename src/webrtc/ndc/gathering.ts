/** Something that has packets to hand on. */
export interface Gatherer {
  /** All that came at once was handed over. */
  gathered(): void
}

/**
 * When a turn of the event loop has handed over what had come, says so once to everybody who got something, and then lets
 * the thread sleep a little. Being woken costs more than a packet does: what arrives meanwhile is handed over together.
 *
 * Only for a process that has nothing else to do: whatever else waits, waits as long.
 */
export class Gathering {
  readonly #napMs: number
  readonly #waiting = new Set<Gatherer>()
  readonly #turn = () => this.#ended()

  /** @param napMs how long to sleep while packets flow; 0 for never */
  constructor(napMs: number) {
    this.#napMs = napMs
  }

  /** A packet of `gatherer` was handed over in this turn. */
  add(gatherer: Gatherer): void {
    if (this.#waiting.size === 0) setImmediate(this.#turn)
    this.#waiting.add(gatherer)
  }

  #ended(): void {
    for (const gatherer of this.#waiting) gatherer.gathered()
    this.#waiting.clear()
    if (this.#napMs > 0) Atomics.wait(NEVER, 0, 0, this.#napMs)
  }
}

/** Nobody wakes who waits for this. */
const NEVER = new Int32Array(new SharedArrayBuffer(4))
