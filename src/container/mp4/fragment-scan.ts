import type { Fault } from '../reader.ts'
import { type BoxAt, readBoxHeader } from './box-reader.ts'
import { noteFault } from './faults.ts'
import type { SourceWindow } from './source-window.ts'

/** A `moof` of more than this is none, bytes: a quarter of a million samples. */
const MAX_MOOF_BYTES = 8 * 1024 * 1024
const SEARCH_BYTES = 256 * 1024
/** Size of `mfhd`, and its type: what follows on `moof` in every file there is. */
const MFHD = [0, 0, 0, 16, 0x6d, 0x66, 0x68, 0x64]
const MOOF = [0x6d, 0x6f, 0x6f, 0x66]
const SIGNATURE = Uint8Array.from([...MOOF, ...MFHD])

/** A `moof` and the `mdat` behind it, both whole. */
export interface Fragment {
  readonly offset: number
  readonly endOffset: number
  /** The content of the `moof`, valid until the next fragment is asked for. */
  readonly moof: Uint8Array
}

/**
 * Goes from fragment to fragment. Where something is broken it searches for the next `moof`; where none follows, the
 * file is torn there: a fragment that is not whole to its last byte counts as lost.
 */
export class FragmentScan {
  readonly #window: SourceWindow
  readonly #faults: Fault[]
  #offset: number
  /** Where something broke, while no whole fragment has come after it. */
  #brokenAt: number | undefined
  #search: SourceWindow | undefined
  /** End of the last whole fragment, or of the header before the first. What lies behind can be cut off. */
  goodEnd: number
  /** Where an index was appended that the reserved bytes do not reach to yet. */
  appendedIndexAt: number | undefined

  constructor(window: SourceWindow, startOffset: number, faults: Fault[]) {
    this.#window = window
    this.#faults = faults
    this.#offset = startOffset
    this.goodEnd = startOffset
  }

  /** The next whole fragment; undefined at the end. */
  async next(): Promise<Fragment | undefined> {
    const { sizeBytes } = this.#window
    let moof: BoxAt | undefined
    while (this.#offset < sizeBytes) {
      const box = await readBoxHeader(this.#window, this.#offset, sizeBytes)
      if (box?.type === 'moov') {
        this.#endAtIndex(box)
        break
      }
      if (box === undefined || box.endOffset > sizeBytes || isTooLarge(box)) {
        moof = undefined
        await this.#resume()
        continue
      }
      this.#offset = box.endOffset
      if (box.type === 'moof') moof = box
      else if (moof !== undefined && box.type === 'mdat') return await this.#whole(moof, box)
      else if (moof === undefined && this.#brokenAt === undefined) this.goodEnd = box.endOffset // `styp`, `sidx`, `free`…
    }
    this.#end()
    return undefined
  }

  async #whole(moof: BoxAt, mdat: BoxAt): Promise<Fragment> {
    if (this.#brokenAt !== undefined) {
      const lost = moof.offset - this.#brokenAt
      noteFault(this.#faults, 'garbage', this.#brokenAt, `${lost} bytes are no part of the format`)
      this.#brokenAt = undefined
    }
    this.goodEnd = mdat.endOffset
    const start = moof.offset + moof.headerBytes
    const bytes = await this.#window.read(start, moof.endOffset - start)
    return { offset: moof.offset, endOffset: mdat.endOffset, moof: bytes }
  }

  #endAtIndex(moov: BoxAt): void {
    this.appendedIndexAt = moov.offset
    const message = 'an index was appended, but it is torn or was not put to use'
    noteFault(this.#faults, 'unpatched-header', moov.offset, message)
    this.#offset = this.#window.sizeBytes
  }

  /** Goes on at the next `moof`, or to the end when there is none. */
  async #resume(): Promise<void> {
    this.#brokenAt ??= this.#offset
    this.#offset = (await this.#find(this.#offset + 5)) ?? this.#window.sizeBytes
  }

  #end(): void {
    const lost = (this.appendedIndexAt ?? this.#window.sizeBytes) - this.goodEnd
    if (lost > 0) noteFault(this.#faults, 'torn-tail', this.goodEnd, `the last ${lost} bytes are no whole fragment`)
  }

  /** Offset of the next `moof` whose type lies at `from` or later. */
  async #find(from: number): Promise<number | undefined> {
    this.#search ??= this.#window.fork(SEARCH_BYTES)
    const { sizeBytes } = this.#window
    for (let at = from; at + SIGNATURE.length <= sizeBytes; ) {
      const bytes = await this.#search.readOn(at, SIGNATURE.length)
      const found = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf(SIGNATURE)
      if (found >= 0) return at + found - 4
      at += bytes.length - SIGNATURE.length + 1
    }
    return undefined
  }
}

function isTooLarge(box: BoxAt): boolean {
  return box.type === 'moof' && box.endOffset - box.offset > MAX_MOOF_BYTES
}
