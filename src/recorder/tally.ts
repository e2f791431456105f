/** How many single events a report lists; all are counted. */
const MAX_LISTED = 100

/** Events of one kind in a report: all are counted, the first hundred listed. */
export interface TallyReport<T> {
  readonly count: number
  readonly listed: readonly T[]
}

/** Counts events and remembers the first of them, in bounded memory. */
export class Tally<T> {
  readonly #listed: T[] = []
  count = 0

  /** The first hundred. */
  get listed(): readonly T[] {
    return this.#listed
  }

  add(event: T): void {
    this.count++
    if (this.#listed.length < MAX_LISTED) this.#listed.push(event)
  }

  report(): TallyReport<T> {
    return { count: this.count, listed: this.#listed }
  }
}
