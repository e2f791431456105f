import { LimitError } from '../../media/errors.ts'
import type { AmfValue } from './amf-value.ts'

/** Objects and arrays in one another. */
const MAX_DEPTH = 32
/** Values in one message or tag, members of objects included; what a reference leads to counts again. */
const MAX_VALUES = 10_000
/** Text in one message or tag, bytes; what a reference leads to counts again. */
const MAX_TEXT_BYTES = 4 * 1024 * 1024
/** A string with a 16-bit length, the bytes that it can have. */
export const MAX_STRING_BYTES = 0xffff
/** A long string (AMF0 §2.14), bytes. Nothing in RTMP or FLV comes near. */
export const MAX_LONG_STRING_BYTES = 1024 * 1024

/** Holds one AMF message, AMF0 and AMF3 parts together, to a size that everything downstream can bear. */
export class AmfBudget {
  #values = 0
  #textBytes = 0
  #depth = 0

  /** Values counted so far. */
  get values(): number {
    return this.#values
  }

  /** Counts values. @throws LimitError over 10 000 */
  value(count = 1): void {
    this.#values += count
    if (this.#values > MAX_VALUES) throw new LimitError('AMF values in one message', { limit: MAX_VALUES })
  }

  /** Counts text. @throws LimitError over 4 MiB */
  text(bytes: number): void {
    this.#textBytes += bytes
    if (this.#textBytes > MAX_TEXT_BYTES) throw new LimitError('AMF text in one message', { limit: MAX_TEXT_BYTES })
  }

  /** Goes into an object or array. @throws LimitError deeper than 32 */
  enter(): void {
    if (++this.#depth > MAX_DEPTH) throw new LimitError('depth of AMF objects', { limit: MAX_DEPTH })
  }

  /** Comes out of it again. */
  leave(): void {
    this.#depth--
  }
}

/** One object or array that a later reference may name. */
interface Referable {
  readonly value: AmfValue
  /** Values that it holds, itself included; undefined while it is being read. */
  values: number | undefined
}

/** Objects and arrays in the order of their beginning, for references by index (AMF0 §2.9, AMF3 §2.2). */
export class ReferenceTable {
  readonly #entries: Referable[] = []
  readonly #budget: AmfBudget

  constructor(budget: AmfBudget) {
    this.#budget = budget
  }

  /** Announces a value at its beginning; the returned function says that it is complete. */
  open(value: AmfValue): () => void {
    const before = this.#budget.values
    const entry: Referable = { value, values: undefined }
    this.#entries.push(entry)
    return () => {
      entry.values = this.#budget.values - before + 1
    }
  }

  /** The value of `index`, or undefined where there is none or it is not complete: a cycle, which nobody could print. */
  get(index: number): { readonly value: AmfValue } | undefined {
    const entry = this.#entries[index]
    if (entry?.values === undefined) return undefined
    this.#budget.value(entry.values)
    return entry
  }
}
