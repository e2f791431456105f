/**
 * Lets several uploads of one participant that are read at the same time hand over their frames in the order of time: a
 * recording begins with the first that it is given, and leaves out what lies before. Who waits for more is not waited for.
 */
export class Turns {
  /** The frame that each is about to hand over, ms of the stream. */
  readonly #next = new Map<object, number>()
  #waiting: (() => void)[] = []

  /** `who` is going to be read: the others wait for its first frame. */
  join(who: object): void {
    this.#next.set(who, Number.NEGATIVE_INFINITY)
  }

  /** Resolves when nobody has anything of before `ms`, or `who` rests; undefined: at once. */
  take(who: object, ms: number): Promise<void> | undefined {
    this.#next.set(who, ms)
    this.#tell()
    return this.#isBefore(ms) ? this.#wait(who, ms) : undefined
  }

  /** `who` has nothing more to hand over, for now or for good. Idempotent. */
  rest(who: object): void {
    if (this.#next.delete(who)) this.#tell()
  }

  async #wait(who: object, ms: number): Promise<void> {
    while (this.#next.get(who) === ms && this.#isBefore(ms)) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
  }

  #isBefore(ms: number): boolean {
    for (const next of this.#next.values()) if (next < ms) return true
    return false
  }

  #tell(): void {
    if (this.#waiting.length === 0) return
    for (const wake of this.#waiting.splice(0)) wake()
  }
}
