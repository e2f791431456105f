import type { ByteSource } from '../../media/ports.ts'
import type { FaultList } from '../fault-list.ts'
import { SourceWindow } from '../source-window.ts'
import { CAPTURE_PATTERN, MAX_PAGE_BYTES, type Page, readPage } from './page.ts'

/** Goes through the pages of a file in order; begins anew at the next whole page behind garbage. */
export class PageScanner {
  readonly #window: SourceWindow
  readonly #faults: FaultList
  #at: number
  /** Where the page lies that `next` found. */
  offset = 0
  /** Where the last whole page ends. */
  wholeEnd: number

  constructor(source: ByteSource, from: number, faults: FaultList) {
    this.#window = new SourceWindow(source)
    this.#faults = faults
    this.#at = from
    this.wholeEnd = from
  }

  get position(): number {
    return this.#at
  }

  /** The next page; undefined at the end. What is torn, or garbage up to the end, is a fault `torn-tail`. */
  async next(): Promise<Page | undefined> {
    const { sizeBytes } = this.#window.source
    const from = this.#at
    for (let at = from; at < sizeBytes; ) {
      const wanted = Math.min(MAX_PAGE_BYTES, sizeBytes - at)
      await this.#window.load(at, wanted)
      const page = readPage(this.#window.view(at, wanted))
      if (typeof page === 'object') {
        if (at > from) this.#faults.note('garbage', from, `${at - from} bytes between two pages are none`)
        this.offset = at
        this.#at = this.wholeEnd = at + page.sizeBytes
        return page
      }
      const next = this.#nextCapture(at + 1, at + wanted)
      at = next
    }
    this.#at = sizeBytes
    if (from < sizeBytes) this.#faults.note('torn-tail', from, `the last ${sizeBytes - from} bytes are no whole page`)
    return undefined
  }

  /** The bytes of the page that `next` found; until the following `next`. */
  bytes(page: Page): Uint8Array {
    return this.#window.view(this.offset, page.sizeBytes)
  }

  /** Where the next capture pattern may begin in what is in memory, from `at` on and before `end`. */
  #nextCapture(at: number, end: number): number {
    const bytes = this.#window.view(at, Math.max(0, end - at))
    const found = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf(CAPTURE_PATTERN)
    if (found >= 0) return at + found
    return Math.max(at, end - CAPTURE_PATTERN.length + 1)
  }
}
