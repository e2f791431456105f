import type { ByteSource } from '../../media/ports.ts'
import { PREVIOUS_TAG_SIZE_BYTES, TAG_HEADER_BYTES, TAG_TYPE } from './tag-header.ts'

/** Read at a time, bytes. */
const WINDOW_BYTES = 256 * 1024
/** Less than this is read anew when a tag is looked for, bytes. */
const MIN_AT_HAND_BYTES = 1024
/** Places that may turn out not to be the beginning of a tag, in one file. */
const MAX_TRIES = 100_000

/** One whole tag. `body` is valid until the next one. */
export interface ScannedTag {
  readonly type: number
  /** Unsigned 32 bits. */
  readonly timestampMs: number
  /** Where the tag begins in the file. */
  readonly offset: number
  /** Where its body begins in the file. */
  readonly bodyOffset: number
  readonly body: Uint8Array
}

/** Gets what is wrong with the file. */
export type FaultListener = (kind: string, offset: number, message: string) => void

/**
 * Goes through the tags of an FLV file, at most one tag or 256 KiB in memory. Passes over wrong sizes behind tags, over
 * missing ones, and over garbage between tags; ends before a tag that is not whole.
 */
export class TagScanner {
  readonly #source: ByteSource
  readonly #fault: FaultListener
  #window: Uint8Array = new Uint8Array(0)
  #windowAt = 0
  #tries = 0
  /** Where the next tag is to begin. */
  #at: number
  /** Where the last whole tag ends, without the size behind it. */
  tagEnd: number
  /** Its size, bytes; 0 before the first. */
  tagBytes = 0
  /** Where the size behind it ends. What comes after is worthless once the scan has ended. */
  unitEnd: number
  /** Whether the size stands behind the last whole tag. */
  isTrailerWhole = true

  constructor(source: ByteSource, offset: number, fault: FaultListener) {
    this.#source = source
    this.#fault = fault
    this.#at = offset
    this.tagEnd = offset
    this.unitEnd = offset
  }

  /** Undefined at the end of the file or before a torn tail, which is then noted. */
  async next(): Promise<ScannedTag | undefined> {
    for (;;) {
      const left = this.#source.sizeBytes - this.#at
      if (left <= 0) return undefined
      const bodyBytes = await this.#bodyBytesAt(this.#at)
      if (bodyBytes !== undefined) return this.#take(bodyBytes)
      if (!(await this.#resync())) {
        this.#fault('torn-tail', this.#at, `${left} bytes at the end are no whole tag`)
        this.#at = this.#source.sizeBytes
        return undefined
      }
    }
  }

  /** The size of the body if a whole tag seems to begin at `offset`. */
  async #bodyBytesAt(offset: number): Promise<number | undefined> {
    const head = await this.#bytes(offset, TAG_HEADER_BYTES)
    const bodyBytes = headerAt(head, 0)
    if (bodyBytes === undefined || offset + TAG_HEADER_BYTES + bodyBytes > this.#source.sizeBytes) return undefined
    return bodyBytes
  }

  async #take(bodyBytes: number): Promise<ScannedTag> {
    const offset = this.#at
    const size = TAG_HEADER_BYTES + bodyBytes
    // The trailer and the next header are read along, so that what follows can be judged.
    const bytes = await this.#bytes(offset, size + PREVIOUS_TAG_SIZE_BYTES + TAG_HEADER_BYTES)
    this.tagEnd = offset + size
    this.tagBytes = size
    this.#at = this.unitEnd = this.tagEnd + this.#trailerBytes(bytes, size)
    return {
      type: bytes[0],
      timestampMs: ((bytes[7] << 24) | (bytes[4] << 16) | (bytes[5] << 8) | bytes[6]) >>> 0,
      offset,
      bodyOffset: offset + TAG_HEADER_BYTES,
      body: bytes.subarray(TAG_HEADER_BYTES, size),
    }
  }

  /** How many bytes stand between this tag and the next. */
  #trailerBytes(bytes: Uint8Array, size: number): number {
    const left = bytes.length - size
    this.isTrailerWhole = left >= PREVIOUS_TAG_SIZE_BYTES
    if (!this.isTrailerWhole) {
      this.#fault('torn-tail', this.#at + size, 'the size behind the last tag is missing')
      return left
    }
    if (u32(bytes, size) === size) return PREVIOUS_TAG_SIZE_BYTES
    if (headerAt(bytes, size) !== undefined && headerAt(bytes, size + PREVIOUS_TAG_SIZE_BYTES) === undefined) {
      this.isTrailerWhole = false
      this.#fault('missing-size', this.#at + size, 'no size stands behind a tag')
      return 0
    }
    this.#fault('bad-size', this.#at + size, `the size behind a tag of ${size} bytes says ${u32(bytes, size)}`)
    return PREVIOUS_TAG_SIZE_BYTES
  }

  /** To the next place where a tag begins and the right size stands behind it; false when there is none. */
  async #resync(): Promise<boolean> {
    const from = this.#at
    let at = from + 1
    while (at + TAG_HEADER_BYTES + PREVIOUS_TAG_SIZE_BYTES <= this.#source.sizeBytes) {
      // What is at hand first, or every little gap would cost a window.
      const atHand = this.#windowAt + this.#window.length - at
      const bytes = await this.#bytes(at, atHand > MIN_AT_HAND_BYTES ? atHand : WINDOW_BYTES)
      const last = bytes.length - TAG_HEADER_BYTES
      for (let i = 0; i <= last; i++) {
        const bodyBytes = headerAt(bytes, i)
        if (bodyBytes === undefined) continue
        if (!(await this.#isSizeBehind(bytes, at, i, TAG_HEADER_BYTES + bodyBytes))) {
          if (++this.#tries > MAX_TRIES) return false
          continue
        }
        this.#fault('garbage', from, `${at + i - from} bytes between two tags are none`)
        this.#at = at + i
        return true
      }
      at += last + 1
    }
    return false
  }

  async #isSizeBehind(bytes: Uint8Array, at: number, i: number, size: number): Promise<boolean> {
    if (i + size + PREVIOUS_TAG_SIZE_BYTES <= bytes.length) return u32(bytes, i + size) === size
    const end = at + i + size
    if (end + PREVIOUS_TAG_SIZE_BYTES > this.#source.sizeBytes) return false
    const behind = await this.#source.read(end, PREVIOUS_TAG_SIZE_BYTES)
    return behind.length === PREVIOUS_TAG_SIZE_BYTES && u32(behind, 0) === size
  }

  /** Up to `length` bytes from `offset`, fewer at the end of the file. */
  async #bytes(offset: number, length: number): Promise<Uint8Array> {
    const begin = offset - this.#windowAt
    const wanted = Math.min(length, this.#source.sizeBytes - offset)
    if (begin < 0 || begin + wanted > this.#window.length) {
      this.#window = await this.#source.read(offset, Math.max(wanted, WINDOW_BYTES))
      this.#windowAt = offset
      return this.#window.subarray(0, length)
    }
    return this.#window.subarray(begin, begin + length)
  }
}

/** The size of the body if the header of a tag can stand at `at`: a known type, not encrypted, stream id 0 (§E.4.1). */
function headerAt(bytes: Uint8Array, at: number): number | undefined {
  if (at + TAG_HEADER_BYTES > bytes.length) return undefined
  const type = bytes[at]
  if (type !== TAG_TYPE.AUDIO && type !== TAG_TYPE.VIDEO && type !== TAG_TYPE.SCRIPT) return undefined
  if ((bytes[at + 8] | bytes[at + 9] | bytes[at + 10]) !== 0) return undefined
  return (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]
}

function u32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0
}
