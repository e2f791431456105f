import { VarintLog, type VarintReader } from './varint-log.ts'

const FIRST_PAGE_ENTRIES = 256
const MAX_PAGE_ENTRIES = 32 * 1024
/** A page is so wide that of as many numbers at most one does not fit. */
const MOST_FIT = 16

type Page = Uint8Array | Uint16Array | Uint32Array

/**
 * 32-bit numbers in the order they came, for a table that will have four bytes for each: in pages of one, two or four
 * bytes a number, whatever most of those before needed, with what the few others have beyond that apart. So a number costs
 * little, and millions are read without looking at each. Negative ones are as their two's complement.
 */
export class NumberColumn {
  readonly #pages: Page[] = []
  /** Of each number that does not fit into its page: how far behind the one before it stands, and its upper bits. */
  readonly #uppers = new VarintLog()
  #upperCount = 0
  #upperAt = 0
  #page: Page = new Uint8Array(0)
  #used = 0
  #over8 = 0
  #over16 = 0
  length = 0

  /** Bytes held, unused room included. */
  get heldBytes(): number {
    return this.#pages.reduce((sum, page) => sum + page.byteLength, this.#uppers.heldBytes)
  }

  push(value: number): void {
    if (this.#used === this.#page.length) this.#turn()
    this.#page[this.#used++] = value
    if (value > 0xff || value < 0) this.#noteLarge(value)
    this.length++
  }

  reader(): NumberReader {
    return new NumberReader(this.#pages, this.#uppers.reader(), this.#upperCount)
  }

  #noteLarge(value: number): void {
    this.#over8++
    const bits = value >>> 0
    if (bits > 0xffff) this.#over16++
    const scale = 2 ** (8 * this.#page.BYTES_PER_ELEMENT)
    if (bits < scale) return
    this.#uppers.push(this.length - this.#upperAt)
    this.#uppers.push(Math.floor(bits / scale))
    this.#upperAt = this.length
    this.#upperCount++
  }

  #turn(): void {
    const tolerated = this.#used / MOST_FIT
    const entries = Math.min(MAX_PAGE_ENTRIES, Math.max(FIRST_PAGE_ENTRIES, this.#used * 2))
    if (this.#over16 > tolerated) this.#page = new Uint32Array(entries)
    else if (this.#over8 > tolerated) this.#page = new Uint16Array(entries)
    else this.#page = new Uint8Array(entries)
    this.#pages.push(this.#page)
    this.#used = this.#over8 = this.#over16 = 0
  }
}

/** Goes through a column once. */
export class NumberReader {
  readonly #pages: readonly Page[]
  readonly #uppers: VarintReader
  #uppersLeft: number
  /** Number that the next of the uppers belongs to. */
  #upperAt = 0
  #index = 0
  #used = 0
  #at = 0

  constructor(pages: readonly Page[], uppers: VarintReader, upperCount: number) {
    this.#pages = pages
    this.#uppers = uppers
    this.#uppersLeft = upperCount
    if (upperCount > 0) this.#upperAt = uppers.next()
  }

  /** The next numbers, as many as `to` has room for, which must be there. */
  fill(to: Uint32Array): void {
    for (let filled = 0; filled < to.length && this.#index < this.#pages.length; ) {
      const page = this.#pages[this.#index]
      const count = Math.min(page.length - this.#used, to.length - filled)
      const part = to.subarray(filled, filled + count)
      part.set(page.subarray(this.#used, this.#used + count))
      this.#addUppers(part, 2 ** (8 * page.BYTES_PER_ELEMENT))
      filled += count
      this.#used += count
      this.#at += count
      if (this.#used < page.length) continue
      this.#used = 0
      this.#index++
    }
  }

  #addUppers(to: Uint32Array, scale: number): void {
    while (this.#uppersLeft > 0 && this.#upperAt < this.#at + to.length) {
      to[this.#upperAt - this.#at] += this.#uppers.next() * scale
      this.#uppersLeft--
      if (this.#uppersLeft > 0) this.#upperAt += this.#uppers.next()
    }
  }
}
