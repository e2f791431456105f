const FIRST_PAGE_BYTES = 512
const MAX_PAGE_BYTES = 64 * 1024
/** The longest varint that can be: 64 bits in groups of seven. */
const MAX_VARINT_BYTES = 10
const TWO_31 = 2 ** 31
const NOTHING = new Uint8Array(0)

/**
 * Unsigned integers in the order they came, each in as few bytes as it needs (7 bits a byte, least significant first).
 * Append-only, in pages: a log of millions costs what its bytes cost, and a short one next to nothing.
 */
export class VarintLog {
  readonly #pages: Uint8Array[] = []
  readonly #ends: number[] = []
  #page: Uint8Array = NOTHING
  #used = 0

  /** Bytes held, unused room included. */
  get heldBytes(): number {
    return this.#pages.reduce((sum, page) => sum + page.length, 0)
  }

  /** `value` is a safe integer from 0. */
  push(value: number): void {
    if (this.#used + MAX_VARINT_BYTES > this.#page.length) this.#turn()
    const page = this.#page
    let at = this.#used
    let rest = value
    while (rest >= TWO_31) {
      page[at++] = (rest % 128) | 0x80
      rest = Math.floor(rest / 128)
    }
    while (rest > 127) {
      page[at++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    page[at++] = rest
    this.#used = at
  }

  /** Reads from the first value on; whoever reads knows how many there are. */
  reader(): VarintReader {
    this.#seal()
    return new VarintReader(this.#pages, this.#ends)
  }

  #turn(): void {
    this.#seal()
    const size = Math.min(MAX_PAGE_BYTES, Math.max(FIRST_PAGE_BYTES, this.#page.length * 2))
    this.#page = new Uint8Array(size)
    this.#pages.push(this.#page)
    this.#ends.push(0)
    this.#used = 0
  }

  #seal(): void {
    if (this.#pages.length > 0) this.#ends[this.#pages.length - 1] = this.#used
  }
}

/** Goes through a `VarintLog` once. Beyond its end it gives 0. */
export class VarintReader {
  readonly #pages: readonly Uint8Array[]
  readonly #ends: readonly number[]
  #index = -1
  #page: Uint8Array = NOTHING
  #end = 0
  #at = 0

  constructor(pages: readonly Uint8Array[], ends: readonly number[]) {
    this.#pages = pages
    this.#ends = ends
  }

  next(): number {
    if (this.#at >= this.#end && !this.#turn()) return 0
    const page = this.#page
    let byte = page[this.#at++]
    let value = byte & 0x7f
    let shift = 7
    while (byte > 127 && shift < 28) {
      byte = page[this.#at++]
      value |= (byte & 0x7f) << shift
      shift += 7
    }
    let scale = 2 ** 28
    while (byte > 127) {
      byte = page[this.#at++]
      value += (byte & 0x7f) * scale
      scale *= 128
    }
    return value
  }

  /** False behind the last page. */
  #turn(): boolean {
    if (this.#index + 1 >= this.#pages.length) return false
    this.#index++
    this.#page = this.#pages[this.#index]
    this.#end = this.#ends[this.#index]
    this.#at = 0
    return true
  }
}

/** A signed integer as an unsigned one, near 0 as near 0: 0, -1, 1, -2 become 0, 1, 2, 3. */
export function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value
}

/** Takes `zigzag` back. */
export function unzigzag(coded: number): number {
  return coded % 2 === 1 ? -(coded + 1) / 2 : coded / 2
}
