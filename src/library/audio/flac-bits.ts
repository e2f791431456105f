import { crc8Table, crc16Table } from './flac-crc.ts'

/** Writes bit fields, most significant bit first, into memory that grows; made for one FLAC frame at a time. */
export class FlacBits {
  #bytes = new Uint8Array(32 * 1024)
  #length = 0
  #held = 0
  #heldBits = 0

  reset(): void {
    this.#length = 0
    this.#held = 0
    this.#heldBits = 0
  }

  /** The low `count` bits of `value`, at most 24. */
  put(value: number, count: number): void {
    this.#held = ((this.#held << count) | (value & ((1 << count) - 1))) >>> 0
    this.#heldBits += count
    while (this.#heldBits >= 8) {
      this.#heldBits -= 8
      if (this.#length === this.#bytes.length) this.#grow()
      this.#bytes[this.#length++] = this.#held >>> this.#heldBits
    }
    this.#held &= (1 << this.#heldBits) - 1
  }

  /** `count` zero bits and a one. */
  unary(count: number): void {
    let zeros = count
    for (; zeros >= 16; zeros -= 16) this.put(0, 16)
    this.put(1, zeros + 1)
  }

  /** Fills the byte up with zeros. */
  align(): void {
    if (this.#heldBits > 0) this.put(0, 8 - this.#heldBits)
  }

  /** CRC-8 of everything so far, which must be whole bytes. */
  crc8(): number {
    let crc = 0
    for (let i = 0; i < this.#length; i++) crc = crc8Table[crc ^ this.#bytes[i]]
    return crc
  }

  /** CRC-16 of everything so far, which must be whole bytes. */
  crc16(): number {
    let crc = 0
    for (let i = 0; i < this.#length; i++) crc = ((crc << 8) & 0xffff) ^ crc16Table[(crc >>> 8) ^ this.#bytes[i]]
    return crc
  }

  /** A view, good until the next `reset`. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  #grow(): void {
    const bytes = new Uint8Array(this.#bytes.length * 2)
    bytes.set(this.#bytes)
    this.#bytes = bytes
  }
}
