/// <reference lib="dom" />

const FIRST_MS = 500
const LAST_MS = 10_000

/** Pauses between tries: each twice the one before, with some chance in it, so that not everybody comes back at once. */
export class BackOff {
  #nextMs = FIRST_MS
  #wake: (() => void) | undefined

  /** It went well. */
  reset(): void {
    this.#nextMs = FIRST_MS
  }

  /** Ends the pause there is: the network is back, the page is looked at again. */
  hurry(): void {
    this.#wake?.()
  }

  async pause(leastMs = 0): Promise<void> {
    const ms = Math.max(leastMs, this.#nextMs * (0.75 + Math.random() / 2))
    this.#nextMs = Math.min(LAST_MS, this.#nextMs * 2)
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#wake = undefined
  }
}
