/** Something that has packets to hand on. */
export interface Gatherer {
  /** All that came at once was handed over. */
  gathered(): void
}

/** When a turn of the event loop has handed over what had come, says so once to everybody who got something. */
export class Gathering {
  readonly #waiting = new Set<Gatherer>()
  readonly #turn = () => this.#ended()

  /** A packet of `gatherer` was handed over in this turn. */
  add(gatherer: Gatherer): void {
    if (this.#waiting.size === 0) setImmediate(this.#turn)
    this.#waiting.add(gatherer)
  }

  #ended(): void {
    for (const gatherer of this.#waiting) gatherer.gathered()
    this.#waiting.clear()
  }
}
