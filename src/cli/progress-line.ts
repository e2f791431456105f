/** How often a progress line is drawn at most, ms. */
const INTERVAL_MS = 100

/** One line on standard error that is drawn over itself; nothing where that is no terminal. */
export class ProgressLine {
  #drawnAtMs = Number.NEGATIVE_INFINITY
  #length = 0

  /** `force` draws even right after the last time. */
  draw(text: string, force = false): void {
    if (!process.stderr.isTTY) return
    const nowMs = performance.now()
    if (!force && nowMs - this.#drawnAtMs < INTERVAL_MS) return
    this.#drawnAtMs = nowMs
    const shown = text.slice(0, Math.max(20, (process.stderr.columns || 80) - 1))
    process.stderr.write(`\r${shown.padEnd(this.#length)}`)
    this.#length = shown.length
  }

  /** Makes room for other output. */
  clear(): void {
    if (this.#length === 0) return
    process.stderr.write(`\r${' '.repeat(this.#length)}\r`)
    this.#length = 0
    this.#drawnAtMs = Number.NEGATIVE_INFINITY
  }
}
