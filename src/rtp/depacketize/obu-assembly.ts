import { OBU_TEMPORAL_DELIMITER } from '../../codec/av1/obu.ts'
import type { UnitBuffer } from './unit-buffer.ts'

const HAS_EXTENSION = 0x04 // obu_extension_flag, AV1 §5.3.2
const HAS_SIZE = 0x02 // obu_has_size_field
const OBU_TILE_LIST = 8 // AV1 §6.2.2
const MAX_PIECES = 16_384

/**
 * One open bitstream unit out of pieces of packets, which lose its size on the way (AV1 RTP §5): is written with it
 * (low-overhead format, AV1 §5.2), without temporal delimiters and tile lists.
 */
export class ObuAssembly {
  readonly #payloads: Uint8Array[] = []
  readonly #bounds: number[] = []
  #length = 0
  /** obu_type of the last one that was written. */
  type = 0
  temporalLayer = 0
  spatialLayer = 0

  /** Whether pieces are there. */
  get isOpen(): boolean {
    return this.#payloads.length > 0
  }

  clear(): void {
    this.#payloads.length = this.#bounds.length = this.#length = 0
  }

  /** A piece of a packet that is kept as long. */
  add(payload: Uint8Array, from: number, end: number): boolean {
    if (end === from) return true
    if (this.#payloads.length >= MAX_PIECES) return false
    this.#payloads.push(payload)
    this.#bounds.push(from, end)
    this.#length += end - from
    return true
  }

  /** All pieces are there. False when that is no unit, or there is no room. */
  write(out: UnitBuffer): boolean {
    const header = this.#byte(0)
    const extended = (header & HAS_EXTENSION) !== 0
    const headerBytes = extended ? 2 : 1
    if ((header & 0x80) !== 0 || this.#length < headerBytes) return false // obu_forbidden_bit
    this.type = (header >> 3) & 0xf
    this.temporalLayer = extended ? this.#byte(1) >> 5 : 0
    this.spatialLayer = extended ? (this.#byte(1) >> 3) & 3 : 0
    if (this.type === OBU_TEMPORAL_DELIMITER || this.type === OBU_TILE_LIST) {
      this.clear()
      return true
    }
    const isSized = (header & HAS_SIZE) !== 0
    if (isSized && !this.#isSizeTrue(headerBytes)) return false
    if (!out.reserve(this.#length + 4)) return false
    if (!isSized) this.#writeHeader(out, header, headerBytes)
    return this.#copy(out, isSized ? 0 : headerBytes)
  }

  #writeHeader(out: UnitBuffer, header: number, headerBytes: number): void {
    out.bytes[out.length++] = header | HAS_SIZE
    if (headerBytes === 2) out.bytes[out.length++] = this.#byte(1)
    let size = this.#length - headerBytes
    for (; size >= 0x80; size >>>= 7) out.bytes[out.length++] = (size & 0x7f) | 0x80
    out.bytes[out.length++] = size
  }

  #copy(out: UnitBuffer, from: number): boolean {
    let skip = from
    for (let i = 0; i < this.#payloads.length; i++) {
      const start = this.#bounds[2 * i]
      const end = this.#bounds[2 * i + 1]
      const skipped = Math.min(skip, end - start)
      skip -= skipped
      if (!out.append(this.#payloads[i], start + skipped, end)) return false
    }
    this.clear()
    return true
  }

  /** Whether the size that a unit has brought along (which it need not) is that of the pieces. */
  #isSizeTrue(headerBytes: number): boolean {
    let size = 0
    for (let i = 0; i < 4; i++) {
      const byte = this.#byte(headerBytes + i)
      size += (byte & 0x7f) * 2 ** (7 * i)
      if ((byte & 0x80) === 0) return size === this.#length - headerBytes - i - 1
    }
    return false
  }

  /** The byte at `at`; 0 where there is none. */
  #byte(at: number): number {
    let left = at
    for (let i = 0; i < this.#payloads.length; i++) {
      const length = this.#bounds[2 * i + 1] - this.#bounds[2 * i]
      if (left < length) return this.#payloads[i][this.#bounds[2 * i] + left]
      left -= length
    }
    return 0
  }
}
