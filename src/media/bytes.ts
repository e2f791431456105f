import { MalformedError } from './errors.ts'

/** Reads big-endian fields (network order) from bytes that may lie: every overrun is a `MalformedError` naming the place. */
export class ByteReader {
  readonly bytes: Uint8Array
  readonly #view: DataView
  readonly #where: string
  offset = 0

  constructor(bytes: Uint8Array, where: string) {
    this.bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#where = where
  }

  get remaining(): number {
    return this.bytes.length - this.offset
  }

  fail(what: string): never {
    throw new MalformedError(this.#where, what, this.offset)
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1))
  }
  u16(): number {
    return this.#view.getUint16(this.#advance(2))
  }
  u24(): number {
    const at = this.#advance(3)
    return (this.#view.getUint16(at) << 8) | this.#view.getUint8(at + 2)
  }
  u32(): number {
    return this.#view.getUint32(this.#advance(4))
  }
  i32(): number {
    return this.#view.getInt32(this.#advance(4))
  }
  /** @throws MalformedError above 2^53 - 1: no file and no clock gets there honestly */
  u64(): number {
    const value = this.#view.getBigUint64(this.#advance(8))
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) this.fail('64-bit field out of range')
    return Number(value)
  }
  f64(): number {
    return this.#view.getFloat64(this.#advance(8))
  }
  u16le(): number {
    return this.#view.getUint16(this.#advance(2), true)
  }
  u32le(): number {
    return this.#view.getUint32(this.#advance(4), true)
  }
  /** A view, not a copy. */
  take(length: number): Uint8Array {
    const at = this.#advance(length)
    return this.bytes.subarray(at, at + length)
  }
  skip(length: number): void {
    this.#advance(length)
  }
  rest(): Uint8Array {
    return this.take(this.remaining)
  }
  ascii(length: number): string {
    return String.fromCharCode(...this.take(length))
  }

  #advance(length: number): number {
    const at = this.offset
    if (length < 0 || at + length > this.bytes.length) {
      throw new MalformedError(this.#where, `needs ${length} bytes, ${this.bytes.length - at} left`, at)
    }
    this.offset = at + length
    return at
  }
}

/** Collects big-endian fields into one growing buffer. For headers and indices, not for media. */
export class ByteWriter {
  #bytes: Uint8Array
  #view: DataView
  length = 0

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity)
    this.#view = new DataView(this.#bytes.buffer)
  }

  u8(value: number): this {
    const at = this.#grow(1)
    this.#view.setUint8(at, value)
    return this
  }
  u16(value: number): this {
    const at = this.#grow(2)
    this.#view.setUint16(at, value)
    return this
  }
  u24(value: number): this {
    const at = this.#grow(3)
    this.#view.setUint16(at, value >>> 8)
    this.#view.setUint8(at + 2, value)
    return this
  }
  u32(value: number): this {
    const at = this.#grow(4)
    this.#view.setUint32(at, value)
    return this
  }
  i16(value: number): this {
    const at = this.#grow(2)
    this.#view.setInt16(at, value)
    return this
  }
  i32(value: number): this {
    const at = this.#grow(4)
    this.#view.setInt32(at, value)
    return this
  }
  u64(value: number): this {
    const at = this.#grow(8)
    this.#view.setBigUint64(at, BigInt(value))
    return this
  }
  i64(value: number): this {
    const at = this.#grow(8)
    this.#view.setBigInt64(at, BigInt(value))
    return this
  }
  f64(value: number): this {
    const at = this.#grow(8)
    this.#view.setFloat64(at, value)
    return this
  }
  u16le(value: number): this {
    const at = this.#grow(2)
    this.#view.setUint16(at, value, true)
    return this
  }
  u32le(value: number): this {
    const at = this.#grow(4)
    this.#view.setUint32(at, value, true)
    return this
  }
  put(bytes: Uint8Array): this {
    const at = this.#grow(bytes.length)
    this.#bytes.set(bytes, at)
    return this
  }
  ascii(text: string): this {
    for (let i = 0; i < text.length; i++) this.u8(text.charCodeAt(i))
    return this
  }
  utf8(text: string): this {
    return this.put(new TextEncoder().encode(text))
  }
  zero(length: number): this {
    const at = this.#grow(length)
    this.#bytes.fill(0, at, at + length)
    return this
  }
  /** Sets a 32-bit field written earlier: for sizes known only afterwards. */
  patchU32(at: number, value: number): void {
    this.#view.setUint32(at, value)
  }
  /** What was written; a view that the next write may leave behind. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.length)
  }
  /** What was written, as a copy of its own. */
  done(): Uint8Array {
    return this.#bytes.slice(0, this.length)
  }
  clear(): void {
    this.length = 0
  }

  #grow(length: number): number {
    const at = this.length
    const end = at + length
    if (end > this.#bytes.length) {
      const bigger = new Uint8Array(Math.max(end, this.#bytes.length * 2))
      bigger.set(this.#bytes.subarray(0, at))
      this.#bytes = bigger
      this.#view = new DataView(bigger.buffer)
    }
    this.length = end
    return at
  }
}
