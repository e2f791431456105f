import { MalformedError } from '../../media/errors.ts'
import { readSize, vintLength } from './ebml.ts'

/** How the frames of a block are told apart (RFC 9559 §10.3), by the two bits of its flags. */
export const NO_LACING = 0
export const XIPH_LACING = 1
const FIXED_SIZE_LACING = 2

/** Longest block header that is read: track number up to 8 bytes, timestamp, flags; bytes. */
export const MAX_BLOCK_HEADER_BYTES = 11
/** Sizes of a lace lie within this much of its start: 256 frames, of some 60 KB each in Xiph lacing. */
export const MAX_LACE_HEADER_BYTES = 64 * 1024

/** One SimpleBlock or BlockGroup. One object serves for many. */
export class MatroskaBlock {
  /** Of its element, header included; offsets from the start of the file, bytes. */
  offset = 0
  end = 0
  /** What follows the block header: the frame, or the lace. */
  dataOffset = 0
  dataBytes = 0
  trackNumber = 0
  /** Ticks of the file: that of the Cluster and its own together. */
  timestamp = 0
  /** By flag, or for a BlockGroup by having no ReferenceBlock. */
  key = false
  lacing = NO_LACING
  /** Ticks of the file; undefined when the file does not say. */
  durationTicks: number | undefined
  /** Where the content of BlockAdditional 1 lies, the alpha channel of WebM's video; 0 bytes where there is none. */
  alphaOffset = 0
  alphaBytes = 0
  /** Where its Cluster starts, and where that one's content does. */
  clusterOffset = 0
  clusterDataOffset = 0

  /** Reads the header of a Block or SimpleBlock (§10.1) of `size` bytes at `offset` of the file, `at` in `bytes`. False when it is none. */
  readHeader(bytes: Uint8Array, at: number, size: number, offset: number, clusterTime: number): boolean {
    const numberLength = vintLength(bytes[at] ?? 0)
    const headerLength = numberLength + 3
    if (numberLength > 8 || size < headerLength || bytes.length < at + headerLength) return false
    this.trackNumber = readSize(bytes, at, numberLength)
    const timeAt = at + numberLength
    this.timestamp = clusterTime + (((bytes[timeAt] << 24) | (bytes[timeAt + 1] << 16)) >> 16)
    const flags = bytes[timeAt + 2]
    this.key = (flags & 0x80) !== 0
    this.lacing = (flags >> 1) & 3
    this.dataOffset = offset + headerLength
    this.dataBytes = size - headerLength
    this.durationTicks = undefined
    this.alphaBytes = 0
    return this.trackNumber > 0
  }
}

/** Sizes of the frames in a lace. */
export type Lace = {
  readonly sizes: readonly number[] /** Bytes before the first frame. */
  readonly headerBytes: number
}

/**
 * Reads the head of a lace (RFC 9559 §10.3) of `dataBytes` in all, of which `bytes` are at hand.
 * @throws MalformedError
 */
export function readLace(lacing: number, bytes: Uint8Array, dataBytes: number, offset: number): Lace {
  if (bytes.length === 0) throw new MalformedError('Matroska lace', 'is empty', offset)
  const count = bytes[0] + 1
  if (lacing === FIXED_SIZE_LACING) {
    const size = (dataBytes - 1) / count
    if (!Number.isInteger(size)) throw new MalformedError('Matroska lace', 'does not divide evenly', offset)
    return { sizes: new Array<number>(count).fill(size), headerBytes: 1 }
  }
  const sizes: number[] = []
  let at = 1
  let sum = 0
  for (let i = 0; i < count - 1; i++) {
    let size = 0
    if (lacing === XIPH_LACING) {
      let byte = 255
      while (byte === 255 && at < bytes.length) size += byte = bytes[at++]
    } else {
      const length = vintLength(bytes[at] ?? 0)
      if (at + length > bytes.length) break
      const raw = readSize(bytes, at, length)
      size = i === 0 ? raw : sizes[i - 1] + raw - (2 ** (7 * length - 1) - 1) // signed difference, §10.3.3
      at += length
    }
    if (size < 0 || at > bytes.length) break
    sizes.push(size)
    sum += size
  }
  const last = dataBytes - at - sum
  if (sizes.length !== count - 1 || last < 0)
    throw new MalformedError('Matroska lace', 'sizes exceed the block', offset)
  sizes.push(last)
  return { sizes, headerBytes: at }
}
