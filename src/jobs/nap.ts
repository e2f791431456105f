/** A wait that somebody can end. */
export class Nap {
  #wake: (() => void) | undefined
  /** Ended before it began: the next sleep returns at once. */
  #isEnded = false

  /** One at a time. */
  async sleep(ms: number): Promise<void> {
    if (!this.#isEnded) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#wake = resolve
      const timer = setTimeout(resolve, ms)
      await promise
      clearTimeout(timer)
      this.#wake = undefined
    }
    this.#isEnded = false
  }

  end(): void {
    this.#isEnded = true
    this.#wake?.()
  }
}
