import type { Fault } from '../reader.ts'
import { type BoxAt, readBoxHeader } from './box-reader.ts'
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
    let isBroken = false
    while (this.#offset < sizeBytes) {
      const box = await readBoxHeader(this.#window, this.#offset, sizeBytes)
      isBroken = box === undefined || box.endOffset > sizeBytes
      if (box === undefined || isBroken || this.#isTooLarge(box)) {
        moof = undefined
        if (!(await this.#resume())) return undefined
        continue
      }
      if (box.type === 'moov') return this.#endAtIndex(box)
      this.#offset = box.endOffset
      if (box.type === 'moof') moof = box
      else if (moof === undefined) this.#pass(box)
      else if (box.type === 'mdat') return await this.#whole(moof, box)
    }
    if (moof !== undefined) this.#tornAt(moof.offset)
    return undefined
  }

  async #whole(moof: BoxAt, mdat: BoxAt): Promise<Fragment> {
    this.goodEnd = mdat.endOffset
    const start = moof.offset + moof.headerBytes
    const bytes = await this.#window.read(start, moof.endOffset - start)
    return { offset: moof.offset, endOffset: mdat.endOffset, moof: bytes }
  }

  /** A box between fragments (`styp`, `sidx`, `free`…) stays in the file. */
  #pass(box: BoxAt): void {
    this.goodEnd = box.endOffset
  }

  #isTooLarge(box: BoxAt): boolean {
    return box.type === 'moof' && box.endOffset - box.offset > MAX_MOOF_BYTES
  }

  #endAtIndex(moov: BoxAt): undefined {
    this.appendedIndexAt = moov.offset
    this.#faults.push({
      kind: 'unpatched-header',
      offset: moov.offset,
      message: 'an index was appended, but the file ended before it was put to use',
    })
    this.#offset = this.#window.sizeBytes
    return undefined
  }

  /** Goes on at the next `moof`. False when there is none: the file is torn here. */
  async #resume(): Promise<boolean> {
    const brokenAt = this.#offset
    const found = await this.#find(brokenAt + 5)
    if (found === undefined) {
      this.#tornAt(this.goodEnd)
      this.#offset = this.#window.sizeBytes
      return false
    }
    this.#faults.push({
      kind: 'garbage',
      offset: brokenAt,
      message: `${found - brokenAt} bytes are no part of the format`,
    })
    this.#offset = found
    return true
  }

  #tornAt(offset: number): void {
    const lost = this.#window.sizeBytes - offset
    this.#faults.push({ kind: 'torn-tail', offset, message: `the last ${lost} bytes are no whole fragment` })
  }

  /** Offset of the next `moof` whose type lies at `from` or later. */
  async #find(from: number): Promise<number | undefined> {
    const { sizeBytes } = this.#window
    const search = this.#window.fork(SEARCH_BYTES)
    for (let at = from; at + SIGNATURE.length <= sizeBytes; at += SEARCH_BYTES - SIGNATURE.length + 1) {
      const bytes = await search.read(at, Math.min(SEARCH_BYTES, sizeBytes - at))
      const found = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf(SIGNATURE)
      if (found >= 0) return at + found - 4
    }
    return undefined
  }
}
