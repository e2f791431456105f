import { NumberColumn, type NumberReader } from './number-column.ts'

/** Integers of 32 bits in the order they came, equal ones in a row taken together: as the tables of a movie have them. */
export class RunLog {
  /** Of each run that has ended: how long it is, and its value. */
  readonly #ended = new NumberColumn()
  #count = 0
  /** Of the last run; 0 when there is none. */
  value = 0

  /** Bytes held, unused room included. */
  get heldBytes(): number {
    return this.#ended.heldBytes
  }
  /** How many runs there are. */
  get length(): number {
    return this.#ended.length / 2 + (this.#count === 0 ? 0 : 1)
  }

  push(value: number): void {
    if (value === this.value) {
      this.#count++
      return
    }
    if (this.#count > 0) {
      this.#ended.push(this.#count)
      this.#ended.push(this.value)
    }
    this.value = value
    this.#count = 1
  }

  /** How many runs there would be if `last` had been pushed at the end. */
  lengthWith(last: number): number {
    return this.length + (this.#count > 0 && this.value === last ? 0 : 1)
  }

  /** With `last`, as if that had been pushed at the end. */
  reader(last?: number): RunReader {
    const open = this.#count === 0 ? [] : [this.#count, this.value]
    if (last !== undefined) {
      if (this.#count > 0 && this.value === last) open[0]++
      else open.push(1, last)
    }
    return new RunReader(this.#ended.reader(), this.#ended.length, open)
  }
}

/** Goes through the runs of a log once. */
export class RunReader {
  readonly #ended: NumberReader
  #endedLeft: number
  readonly #open: number[]

  /** `endedLength` numbers are in `ended`, and behind them come those of `open`. */
  constructor(ended: NumberReader, endedLength: number, open: number[]) {
    this.#ended = ended
    this.#endedLeft = endedLength
    this.#open = open
  }

  /** Length and value of each of the next runs, as many as `to` has room for, which must be there. */
  fill(to: Uint32Array): void {
    const count = Math.min(this.#endedLeft, to.length)
    this.#ended.fill(to.subarray(0, count))
    this.#endedLeft -= count
    if (count < to.length) to.set(this.#open.splice(0, to.length - count), count)
  }
}
