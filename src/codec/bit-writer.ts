/** Collects bit fields, most significant bit first. For headers, not for media. */
export class BitWriter {
  readonly #bytes: number[] = []
  #bit = 0

  get bitLength(): number {
    return this.#bit
  }

  /** The low `count` bits of `value`; up to 53. */
  put(value: number, count: number): this {
    for (let i = count - 1; i >= 0; i--) {
      if ((this.#bit & 7) === 0) this.#bytes.push(0)
      const bit = Math.floor(value / 2 ** i) % 2
      this.#bytes[this.#bytes.length - 1] |= bit << (7 - (this.#bit & 7))
      this.#bit++
    }
    return this
  }

  flag(value: boolean): this {
    return this.put(value ? 1 : 0, 1)
  }

  /** Zero bits up to the next whole byte. */
  align(): this {
    return this.put(0, (8 - (this.#bit & 7)) & 7)
  }

  bytes(bytes: Uint8Array): this {
    for (const byte of bytes) this.put(byte, 8)
    return this
  }

  /** What was written; the last byte is filled up with zeros. */
  done(): Uint8Array {
    return Uint8Array.from(this.#bytes)
  }
}
