import { MalformedError } from './errors.ts'

/** Reads bit fields, most significant bit first, from bytes that may lie. */
export class BitReader {
  readonly #bytes: Uint8Array
  readonly #where: string
  #bit = 0

  constructor(bytes: Uint8Array, where: string) {
    this.#bytes = bytes
    this.#where = where
  }

  get bitsLeft(): number {
    return this.#bytes.length * 8 - this.#bit
  }
  get bitOffset(): number {
    return this.#bit
  }

  fail(what: string): never {
    throw new MalformedError(this.#where, what, this.#bit >>> 3)
  }

  bit(): number {
    if (this.#bit >= this.#bytes.length * 8) this.fail('bits run out')
    const value = (this.#bytes[this.#bit >>> 3] >>> (7 - (this.#bit & 7))) & 1
    this.#bit++
    return value
  }

  flag(): boolean {
    return this.bit() === 1
  }

  /** Up to 53 bits. */
  bits(count: number): number {
    if (count > this.bitsLeft) this.fail('bits run out')
    let value = 0
    for (let i = 0; i < count; i++) value = value * 2 + this.bit()
    return value
  }

  skip(count: number): void {
    if (count > this.bitsLeft) this.fail('bits run out')
    this.#bit += count
  }

  /** ue(v): unsigned Exp-Golomb (H.264 §9.1). */
  ue(): number {
    let zeros = 0
    while (this.bit() === 0) if (++zeros > 32) this.fail('Exp-Golomb code too long')
    return 2 ** zeros - 1 + this.bits(zeros)
  }

  /** se(v): signed Exp-Golomb (H.264 §9.1.1). */
  se(): number {
    const code = this.ue()
    return code % 2 === 1 ? (code + 1) / 2 : -code / 2
  }

  align(): void {
    this.#bit = (this.#bit + 7) & ~7
  }
}
