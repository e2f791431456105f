import type { Logger } from '../media/ports.ts'
import { StateAwayError } from './errors.ts'

/** Between two tries, ms: doubled from the first to the last. */
const FIRST_PAUSE_MS = 100
const LAST_PAUSE_MS = 5000
/** While somebody waits in `flush`, ms. */
const HURRIED_PAUSE_MS = 150

/** What `WriteBehind` drives. */
export interface Backlog {
  /** What is not stored yet. */
  readonly pending: number
  /** Stores some of it. Throws what the store threw; `StateAwayError` is tried again, and anything else is its own to settle. */
  store(): Promise<void>
}

/** Carries a backlog into a store that may be away, trying again until it has been taken. Nobody waits for it. */
export class WriteBehind {
  readonly #what: string
  readonly #backlog: Backlog
  readonly #logger: Logger
  readonly #waiting = new Set<() => void>()
  #timer: NodeJS.Timeout | undefined
  #soon: NodeJS.Immediate | undefined
  #isRunning = false
  #isClosed = false
  #pauseMs = FIRST_PAUSE_MS
  #awaySinceMs: number | undefined

  constructor(what: string, backlog: Backlog, logger: Logger) {
    this.#what = what
    this.#backlog = backlog
    this.#logger = logger
  }

  /** There is something to store: with all that comes in the same turn of the event loop. */
  wake(): void {
    if (this.#isRunning || this.#isClosed || this.#timer !== undefined) return
    this.#soon ??= setImmediate(() => this.#begin())
  }

  /** Does not wait until it is time for the next try: the store is back. */
  retry(): void {
    this.#pauseMs = FIRST_PAUSE_MS
    this.#again()
  }

  /** Resolves with true as soon as all is stored, with false at the deadline. */
  async flush({ deadlineMs }: { deadlineMs: number }): Promise<boolean> {
    if (this.#backlog.pending === 0) return true
    if (this.#isClosed) return false
    const { promise, resolve } = Promise.withResolvers<void>()
    const deadline = setTimeout(resolve, deadlineMs)
    this.#waiting.add(resolve)
    this.#again()
    await promise
    clearTimeout(deadline)
    this.#waiting.delete(resolve)
    return this.#backlog.pending === 0
  }

  /** What is pending stays so. */
  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
    this.#timer = undefined
    clearImmediate(this.#soon)
    this.#tell()
  }

  #begin(): void {
    clearImmediate(this.#soon)
    this.#soon = undefined
    if (this.#isRunning || this.#isClosed) return
    this.#isRunning = true
    void this.#run()
  }

  async #run(): Promise<void> {
    try {
      while (this.#backlog.pending > 0 && !this.#isClosed) await this.#backlog.store()
      this.#recovered()
    } catch (error) {
      this.#failed(error)
    } finally {
      this.#isRunning = false
    }
    if (this.#backlog.pending === 0) this.#tell()
    else if (this.#timer === undefined) this.#begin()
  }

  #recovered(): void {
    if (this.#awaySinceMs !== undefined && this.#backlog.pending === 0) {
      const awayMs = Date.now() - this.#awaySinceMs
      this.#logger.info({ away_ms: awayMs }, `${this.#what} are in the state again`)
      this.#awaySinceMs = undefined
    }
    this.#pauseMs = FIRST_PAUSE_MS
  }

  #failed(error: unknown): void {
    if (this.#awaySinceMs === undefined) {
      this.#awaySinceMs = Date.now()
      const isAway = error instanceof StateAwayError
      const fields = isAway ? { code: error.code } : { err: error }
      const why = error instanceof Error ? error.message : String(error)
      this.#logger.warn({ ...fields, pending: this.#backlog.pending }, `${this.#what} wait for the state: ${why}`)
    }
    if (this.#isClosed) return
    const pauseMs = this.#waiting.size > 0 ? HURRIED_PAUSE_MS : this.#pauseMs * (0.75 + Math.random() / 2)
    this.#pauseMs = Math.min(this.#pauseMs * 2, LAST_PAUSE_MS)
    this.#timer = setTimeout(() => this.#again(), pauseMs).unref()
  }

  #again(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#begin()
  }

  #tell(): void {
    for (const resolve of [...this.#waiting]) resolve()
  }
}
