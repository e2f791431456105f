import { utimes } from 'node:fs/promises'

/** An answer is good for so long, ms: what a disk that begins to block costs the event loop is at most one write. */
const FRESH_MS = 100

/**
 * Whether the disk of a database takes changes now. SQLite writes on the event loop, and a disk that blocks would stop all
 * media with it: so the same disk is first asked for a small change in the thread pool.
 */
export class DiskAnswer {
  readonly #path: string
  #answeredAtMs = Number.NEGATIVE_INFINITY
  #asking: Promise<void> | undefined

  constructor(path: string) {
    this.#path = path
  }

  /** Undefined when it has just answered; else resolves when it does. Never rejects: what is wrong, SQLite says better. */
  wait(): Promise<void> | undefined {
    if (this.#path === ':memory:' || performance.now() - this.#answeredAtMs < FRESH_MS) return undefined
    this.#asking ??= this.#ask()
    return this.#asking
  }

  async #ask(): Promise<void> {
    const now = new Date()
    await utimes(this.#path, now, now).catch(() => undefined)
    this.#answeredAtMs = performance.now()
    this.#asking = undefined
  }
}
