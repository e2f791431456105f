import type { RunReader } from './run-log.ts'
import { unzigzag, type VarintReader } from './varint-log.ts'

/** Runs looked at together. */
const RUNS_AT_ONCE = 512
const TWO_32 = 2 ** 32

/** The entries of one sample table, from what was logged to what is written. Columns and runs are entries as they are. */
export interface TableEntries {
  /** The next fields of 32 bits, in the machine's byte order: whole entries, as many as `to` has room for. */
  fill(to: Uint32Array): void
}

/** `ctts`: how many samples, and their offset, which is `shift` more than was logged. */
export class OffsetEntries implements TableEntries {
  readonly #runs: RunReader
  readonly #shift: number

  constructor(runs: RunReader, shift: number) {
    this.#runs = runs
    this.#shift = shift
  }

  fill(to: Uint32Array): void {
    this.#runs.fill(to)
    if (this.#shift === 0) return
    for (let i = 1; i < to.length; i += 2) to[i] += this.#shift
  }
}

/** `stss`: the numbers of samples that are keys, from 1. */
export class KeyEntries implements TableEntries {
  readonly #runs: RunReader
  #runsLeft: number
  #some = new Uint32Array(0)
  #at = 0
  #number = 1
  #keysLeft = 0

  /** The values of `runs` are 1 for samples that are keys, and 0 for others. */
  constructor(runs: RunReader, runCount: number) {
    this.#runs = runs
    this.#runsLeft = runCount
  }

  fill(to: Uint32Array): void {
    for (let i = 0; i < to.length; i++) {
      while (this.#keysLeft === 0 && this.#next());
      this.#keysLeft--
      to[i] = this.#number++
    }
  }

  /** Goes over to the next run. */
  #next(): boolean {
    if (this.#at === this.#some.length) {
      if (this.#runsLeft === 0) return false
      this.#some = new Uint32Array(2 * Math.min(this.#runsLeft, RUNS_AT_ONCE))
      this.#runs.fill(this.#some)
      this.#runsLeft -= this.#some.length / 2
      this.#at = 0
    }
    const count = this.#some[this.#at]
    if (this.#some[this.#at + 1] === 1) this.#keysLeft = count
    else this.#number += count
    this.#at += 2
    return true
  }
}

/** `stsc`: first_chunk, samples_per_chunk, sample_description_index. */
export class ChunkShapeEntries implements TableEntries {
  readonly #shapes: VarintReader
  #firstChunk = 1

  constructor(shapes: VarintReader) {
    this.#shapes = shapes
  }

  fill(to: Uint32Array): void {
    for (let i = 0; i < to.length; i += 3) {
      this.#firstChunk += this.#shapes.next()
      to[i] = this.#firstChunk
      to[i + 1] = this.#shapes.next()
      to[i + 2] = this.#shapes.next()
    }
  }
}

/** `stco`, and `co64` where it is wide: where each chunk lies in the file. */
export class ChunkOffsetEntries implements TableEntries {
  readonly #steps: VarintReader
  readonly #isWide: boolean
  #offset = 0

  constructor(steps: VarintReader, isWide: boolean) {
    this.#steps = steps
    this.#isWide = isWide
  }

  fill(to: Uint32Array): void {
    for (let i = 0; i < to.length; i++) {
      this.#offset += unzigzag(this.#steps.next())
      if (this.#isWide) to[i++] = Math.floor(this.#offset / TWO_32)
      to[i] = this.#offset
    }
  }
}
