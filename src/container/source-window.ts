import type { ByteSource } from '../media/ports.ts'

/** Read at once, bytes. */
const WINDOW_BYTES = 256 * 1024

/** A piece of a file that is in memory, moved along as needed: what parsers look through without reading byte by byte. */
export class SourceWindow {
  readonly source: ByteSource
  bytes: Uint8Array = new Uint8Array(0)
  /** Offset of `bytes[0]` in the file. */
  start = 0

  constructor(source: ByteSource) {
    this.source = source
  }

  /** Where the bytes in memory end, as an offset in the file. */
  get end(): number {
    return this.start + this.bytes.length
  }

  has(offset: number, length: number): boolean {
    return offset >= this.start && offset + length <= this.start + this.bytes.length
  }

  /** Makes `length` bytes from `offset` lie in memory. False when the file ends before; then what is there lies in memory. */
  async load(offset: number, length: number): Promise<boolean> {
    if (this.has(offset, length)) return true
    this.bytes = await this.source.read(offset, Math.max(length, WINDOW_BYTES))
    this.start = offset
    return this.bytes.length >= length
  }

  /** `length` bytes that `load` brought; a view that the next `load` leaves behind. */
  view(offset: number, length: number): Uint8Array {
    const at = offset - this.start
    return this.bytes.subarray(at, at + length)
  }
}
