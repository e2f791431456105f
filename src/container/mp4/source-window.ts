import { MalformedError } from '../../media/errors.ts'
import type { ByteSource } from '../../media/ports.ts'

const WINDOW_BYTES = 16 * 1024

/** Small pieces of a file, read through one window, so that going from box to box costs a read per fragment or less. */
export class SourceWindow {
  readonly #source: ByteSource
  readonly #windowBytes: number
  /** Size of the file when it was opened; what is appended later is not looked at. */
  readonly sizeBytes: number
  #start = 0
  #bytes: Uint8Array = new Uint8Array(0)

  constructor(source: ByteSource, windowBytes = WINDOW_BYTES) {
    this.#source = source
    this.#windowBytes = windowBytes
    this.sizeBytes = source.sizeBytes
  }

  /**
   * Exactly `length` bytes from `offset`, valid until the next read.
   * @throws MalformedError when the file ends before
   */
  async read(offset: number, length: number): Promise<Uint8Array> {
    const at = offset - this.#start
    if (at >= 0 && at + length <= this.#bytes.length) return this.#bytes.subarray(at, at + length)
    if (offset + length > this.sizeBytes)
      throw new MalformedError('mp4', `needs ${length} bytes, the file ends`, offset)
    const wanted = Math.min(Math.max(length, this.#windowBytes), this.sizeBytes - offset)
    const bytes = await this.#source.read(offset, wanted)
    if (bytes.length < length) throw new MalformedError('mp4', `needs ${length} bytes, the file ends`, offset)
    this.#start = offset
    this.#bytes = bytes
    return bytes.subarray(0, length)
  }

  /** As `read`, and as much beyond as the window holds. */
  async readOn(offset: number, minLength: number): Promise<Uint8Array> {
    await this.read(offset, minLength)
    return this.#bytes.subarray(offset - this.#start)
  }

  /** A window of its own on the same file. */
  fork(windowBytes: number): SourceWindow {
    return new SourceWindow(this.#source, windowBytes)
  }
}
