/** Numbers that are remembered. */
const MAX_REMEMBERED = 512

/** The last numbers that were given up for lost, to tell late packets from duplicates. */
export class GivenUp {
  /** When each was given up, ms. */
  readonly #atMs = new Map<number, number>()

  /** `count` from `first` on, extended sequence numbers. */
  add(first: number, count: number, nowMs: number): void {
    for (let i = Math.max(0, count - MAX_REMEMBERED); i < count; i++) this.#atMs.set(first + i, nowMs)
    for (const sequence of this.#atMs.keys()) {
      if (this.#atMs.size <= MAX_REMEMBERED) break
      this.#atMs.delete(sequence)
    }
  }

  /** It came after all: when it was given up; undefined when it was not. */
  take(sequence: number): number | undefined {
    const atMs = this.#atMs.get(sequence)
    if (atMs !== undefined) this.#atMs.delete(sequence)
    return atMs
  }

  clear(): void {
    this.#atMs.clear()
  }
}
