import { type FileHandle, open } from 'node:fs/promises'
import type { ByteSource } from '../media/ports.ts'
import { storageError } from '../storage/errors.ts'

/** A file opened for reading alone, also one that somebody else is writing; its size is that of the opening. */
export class FileSource implements ByteSource {
  readonly #path: string
  readonly #handle: FileHandle
  readonly sizeBytes: number

  private constructor(path: string, handle: FileHandle, sizeBytes: number) {
    this.#path = path
    this.#handle = handle
    this.sizeBytes = sizeBytes
  }

  /** @throws StorageError */
  static async open(path: string): Promise<FileSource> {
    try {
      const handle = await open(path, 'r')
      return new FileSource(path, handle, (await handle.stat()).size)
    } catch (error) {
      throw storageError(path, 'open', error)
    }
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(Math.max(0, Math.min(length, this.sizeBytes - offset)))
    let filled = 0
    try {
      while (filled < bytes.length) {
        const { bytesRead } = await this.#handle.read(bytes, filled, bytes.length - filled, offset + filled)
        if (bytesRead === 0) break
        filled += bytesRead
      }
    } catch (error) {
      throw storageError(this.#path, 'read', error)
    }
    return bytes.subarray(0, filled)
  }

  close(): Promise<void> {
    return this.#handle.close()
  }
}
