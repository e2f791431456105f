const FIRST_BYTES = 8 * 1024
/** A frame of 8K at 60 frames per second and the highest bitrate any level allows is not half of it. */
const MAX_BYTES = 16 * 1024 * 1024
const SMALL_BYTES = 256 * 1024 // is kept whatever comes
const UNITS_TO_SHRINK = 256

/** The bytes of one unit after the other: grows by doubling, and gives back what units no longer need. */
export class UnitBuffer {
  bytes = new Uint8Array(FIRST_BYTES)
  length = 0
  #largest = 0
  #units = 0

  /** Adds `source` from `from` up to `end`. False, and nothing is added, where a unit would be larger than any. */
  append(source: Uint8Array, from: number, end: number): boolean {
    if (!this.reserve(end - from)) return false
    this.bytes.set(source.subarray(from, end), this.length)
    this.length += end - from
    return true
  }

  /** Makes room for so many bytes behind the last. False as with `append`. */
  reserve(count: number): boolean {
    const needed = this.length + count
    if (needed <= this.bytes.length) return true
    if (needed > MAX_BYTES) return false
    const bigger = new Uint8Array(Math.min(MAX_BYTES, Math.max(needed, 2 * this.bytes.length)))
    bigger.set(this.bytes.subarray(0, this.length))
    this.bytes = bigger
    return true
  }

  /** Takes out the bytes from `from` up to `end`. */
  remove(from: number, end: number): void {
    this.bytes.copyWithin(from, end, this.length)
    this.length -= end - from
  }

  view(): Uint8Array {
    return this.bytes.subarray(0, this.length)
  }

  /** Another unit begins. */
  clear(): void {
    if (this.length > this.#largest) this.#largest = this.length
    this.length = 0
    if (++this.#units < UNITS_TO_SHRINK) return
    const half = this.bytes.length >> 1
    if (half >= SMALL_BYTES && this.#largest < half >> 1) this.bytes = new Uint8Array(half)
    this.#units = this.#largest = 0
  }
}
