import { faultReport, type Outage } from './report.ts'
import { Tally } from './tally.ts'

/** Shortest wait before files are tried again, ms. */
const FIRST_RETRY_MS = 1000
/** Longest wait, ms: reached when new files fail at once, time after time. */
const MAX_RETRY_MS = 10_000
/** A file that lived this long ends a row of failures, ms. */
const LIVED_MS = 10_000

/** Keeps the book of times in which a recording could not be written, and says when to try again. */
export class Outages {
  readonly tally = new Tally<Outage>()
  #running: { error: unknown; sinceMs: number; fromWallMs: number; lostFrames: number; lostBytes: number } | undefined
  #failures = 0
  #resumedAtMs = Number.NEGATIVE_INFINITY
  #lastCode: string | undefined

  /** The error that holds up the recording now. */
  get current(): unknown {
    return this.#running?.error
  }
  get isRunning(): boolean {
    return this.#running !== undefined
  }

  /** Returns whether this is news: not the same failure again, right after a try. */
  begin(error: unknown, nowMs: number): boolean {
    if (this.#running !== undefined) return false
    if (nowMs - this.#resumedAtMs > LIVED_MS) {
      this.#failures = 0
      this.#lastCode = undefined
    }
    this.#failures++
    this.#running = { error, sinceMs: nowMs, fromWallMs: Date.now(), lostFrames: 0, lostBytes: 0 }
    const { code } = faultReport(error)
    const isNews = code !== this.#lastCode
    this.#lastCode = code
    return isNews
  }

  lose(frames: number, bytes: number): void {
    if (this.#running === undefined) return
    this.#running.lostFrames += frames
    this.#running.lostBytes += bytes
  }

  isRetryDue(nowMs: number): boolean {
    if (this.#running === undefined) return false
    const waitMs = Math.min(FIRST_RETRY_MS * 2 ** Math.max(0, this.#failures - 2), MAX_RETRY_MS)
    return nowMs - this.#running.sinceMs >= waitMs
  }

  /** Files are tried again, or the recording ends. */
  end(nowMs: number): void {
    const running = this.#running
    if (running === undefined) return
    this.#running = undefined
    this.#resumedAtMs = nowMs
    this.tally.add({
      ...faultReport(running.error),
      from: new Date(running.fromWallMs).toISOString(),
      to: new Date().toISOString(),
      lostFrames: running.lostFrames,
      lostBytes: running.lostBytes,
    })
  }
}
