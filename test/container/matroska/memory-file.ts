import type { Block } from '../../../src/media/block.ts'
import type { ByteSink, EditableFile } from '../../../src/media/ports.ts'

/** What a muxer writes, as one piece of memory; shows the file as it is after any call. */
export class MemorySink implements ByteSink {
  #bytes = new Uint8Array(64 * 1024)
  position = 0
  /** Every call that changed the file, in order. */
  readonly steps: { offset: number; bytes: Uint8Array }[] = []

  write(bytes: Uint8Array, _block?: Block): void {
    this.steps.push({ offset: this.position, bytes: bytes.slice() })
    const end = this.position + bytes.length
    if (end > this.#bytes.length) {
      const bigger = new Uint8Array(end * 2)
      bigger.set(this.#bytes)
      this.#bytes = bigger
    }
    this.#bytes.set(bytes, this.position)
    this.position = end
  }

  patch(offset: number, bytes: Uint8Array): void {
    if (offset + bytes.length > this.position) throw new RangeError('patched behind the end')
    this.#bytes.set(bytes, offset)
    this.steps.push({ offset, bytes: bytes.slice() })
  }

  sync(): void {}

  async drain(): Promise<void> {}

  /** A copy of the file so far. */
  bytes(): Uint8Array {
    return this.#bytes.slice(0, this.position)
  }
}

/** A file to be read and mended. Reading is free of copies; the bytes given are copied only when written to. */
export class MemoryFile implements EditableFile {
  #bytes: Uint8Array
  #isOwn = false
  writes = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get sizeBytes(): number {
    return this.#bytes.length
  }
  get bytes(): Uint8Array {
    return this.#bytes
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    return this.#bytes.subarray(offset, offset + length)
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    this.writes++
    const size = Math.max(this.#bytes.length, offset + bytes.length)
    if (!this.#isOwn || size > this.#bytes.length) {
      const copy = new Uint8Array(size)
      copy.set(this.#bytes)
      this.#bytes = copy
      this.#isOwn = true
    }
    this.#bytes.set(bytes, offset)
  }

  async truncate(sizeBytes: number): Promise<void> {
    this.#bytes = this.#bytes.subarray(0, sizeBytes)
  }

  async sync(): Promise<void> {}
}
