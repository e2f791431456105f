import { VarintLog, type VarintReader } from './varint-log.ts'

/** So many things in a row with one value. */
export interface Run {
  readonly value: number
  readonly count: number
}

/** Unsigned integers in the order they came, equal ones in a row taken together: as the sample tables of a movie have them. */
export class RunLog {
  readonly #log = new VarintLog()
  #closed = 0
  #value = 0
  #count = 0

  /** Bytes held, unused room included. */
  get heldBytes(): number {
    return this.#log.heldBytes
  }
  /** How many runs there are. */
  get length(): number {
    return this.#count === 0 ? 0 : this.#closed + 1
  }

  /** `value` is an integer from 0 to 2^52. */
  push(value: number): void {
    if (value === this.#value) {
      this.#count++
      return
    }
    if (this.#count > 0) this.#close()
    this.#value = value
    this.#count = 1
  }

  /** Goes through all runs. With `last`, as if that had been pushed at the end. */
  runs(last?: number): RunCursor {
    return new RunCursor(this.#log.reader(), this.#closed, this.#openRuns(last))
  }

  /** How many runs there would be if `last` had been pushed at the end. */
  lengthWith(last: number): number {
    return this.#closed + this.#openRuns(last).length
  }

  /** A lone value takes as many bytes as twice of it, a run those of its length in addition. */
  #close(): void {
    this.#closed++
    this.#log.push(this.#value * 2 + (this.#count > 1 ? 1 : 0))
    if (this.#count > 1) this.#log.push(this.#count)
  }

  #openRuns(last: number | undefined): Run[] {
    const open = { value: this.#value, count: this.#count }
    if (last === undefined) return open.count === 0 ? [] : [open]
    if (open.count === 0) return [{ value: last, count: 1 }]
    return open.value === last ? [{ value: last, count: open.count + 1 }] : [open, { value: last, count: 1 }]
  }
}

/** Goes through runs: after each `next` that is true, the fields are those of the run it came to. */
export class RunCursor {
  readonly #log: VarintReader
  readonly #open: readonly Run[]
  readonly #closed: number
  #at = 0
  value = 0
  count = 0

  constructor(log: VarintReader, closed: number, open: readonly Run[]) {
    this.#log = log
    this.#closed = closed
    this.#open = open
  }

  next(): boolean {
    const at = this.#at++
    if (at < this.#closed) {
      const head = this.#log.next()
      const isLong = head % 2
      this.value = (head - isLong) / 2
      this.count = isLong === 1 ? this.#log.next() : 1
      return true
    }
    const run = this.#open[at - this.#closed]
    if (run === undefined) return false
    this.value = run.value
    this.count = run.count
    return true
  }
}
