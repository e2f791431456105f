import { closeSync, openSync, writeSync } from 'node:fs'
import type { ByteSink } from '../../src/media/ports.ts'

/** Above this a piece is media and becomes a hole, but for its first bytes. */
const HOLE_ABOVE_BYTES = 1_000_000
const KEPT_BYTES = 16 * 1024

/** A file whose large frames are holes: gigabytes that cost nothing. Offsets, sizes and indices are real. */
export class SparseSink implements ByteSink {
  readonly #fd: number
  position = 0

  constructor(path: string) {
    this.#fd = openSync(path, 'wx', 0o600)
  }
  write(bytes: Uint8Array): void {
    this.patch(this.position, bytes.length > HOLE_ABOVE_BYTES ? bytes.subarray(0, KEPT_BYTES) : bytes)
    this.position += bytes.length
  }
  patch(offset: number, bytes: Uint8Array): void {
    writeSync(this.#fd, bytes, 0, bytes.length, offset)
  }
  sync(): void {}
  async drain(): Promise<void> {}
  close(): void {
    closeSync(this.#fd)
  }
}
