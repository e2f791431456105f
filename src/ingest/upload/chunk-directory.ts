import { createHash } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm, stat, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { storageError } from '../../storage/errors.ts'
import { ChunkChecksumError, ChunkSizeError } from './errors.ts'

/** Largest chunk, bytes. */
export const MAX_CHUNK_BYTES = 4 * 1024 * 1024
const CHUNK_NAME = /^(\d{8})-([0-9a-f]{64})$/
const DIRECTORY_MODE = 0o700
const FILE_MODE = 0o600

/** A chunk that is on the disk. */
export interface StoredChunk {
  readonly seq: number
  /** Hexadecimal. */
  readonly sha256: string
  readonly path: string
  readonly sizeBytes: number
}

/**
 * The chunks of one upload on disk, a file each: its name says number and checksum, so that the directory is the journal.
 * What has that name is whole. Beside them small files by name, replaced as a whole.
 */
export class ChunkDirectory {
  readonly path: string
  readonly #isSynced: boolean
  #parts = 0

  /** `isSynced`: a chunk that was taken survives a power cut (fsync of file and directory), not only the end of this process. */
  constructor(path: string, isSynced: boolean) {
    this.path = path
    this.#isSynced = isSynced
  }

  /** Makes it where it is missing. */
  async make(): Promise<void> {
    await this.#attempt('create', mkdir(this.path, { recursive: true, mode: DIRECTORY_MODE }))
  }

  /** Every whole chunk, by number. Removes what was not written to its end. */
  async list(): Promise<StoredChunk[]> {
    const chunks: StoredChunk[] = []
    for (const name of (await readdir(this.path)).sort()) {
      const [, seq, sha256] = CHUNK_NAME.exec(name) ?? []
      const path = join(this.path, name)
      if (seq !== undefined) chunks.push({ seq: Number(seq), sha256, path, sizeBytes: (await stat(path)).size })
      else if (name.endsWith('.part')) await unlink(path)
    }
    return chunks
  }

  /**
   * Writes one chunk as it comes. It is there, whole and checked, when this resolves; otherwise nothing is left of it.
   * @throws ChunkSizeError, ChunkChecksumError, StorageError
   */
  async store(seq: number, sha256: string, body: AsyncIterable<Uint8Array>): Promise<StoredChunk> {
    const part = join(this.path, `${seq}-${this.#parts++}.part`)
    const path = join(this.path, `${String(seq).padStart(8, '0')}-${sha256}`)
    try {
      const { sizeBytes, found } = await this.#write(part, seq, body)
      if (found !== sha256) throw new ChunkChecksumError(seq, found)
      await this.#attempt('keep', rename(part, path))
      await this.#syncDirectory()
      return { seq, sha256, path, sizeBytes }
    } catch (error) {
      await unlink(part).catch(() => undefined)
      throw error
    }
  }

  async #write(path: string, seq: number, body: AsyncIterable<Uint8Array>) {
    const file = await this.#attempt('create', open(path, 'wx', FILE_MODE))
    const hash = createHash('sha256')
    let sizeBytes = 0
    try {
      for await (const piece of body) {
        sizeBytes += piece.length
        if (sizeBytes > MAX_CHUNK_BYTES) throw new ChunkSizeError(seq, MAX_CHUNK_BYTES)
        hash.update(piece)
        await this.#attempt('write', file.writeFile(piece))
      }
      if (this.#isSynced) await this.#attempt('write', file.datasync())
    } finally {
      await file.close()
    }
    return { sizeBytes, found: hash.digest('hex') }
  }

  async remove({ path }: StoredChunk): Promise<void> {
    await this.#attempt('remove', rm(path, { force: true }))
  }

  /** Undefined when there is none. */
  async read(name: string): Promise<Uint8Array | undefined> {
    return readFile(join(this.path, name)).catch(() => undefined)
  }

  /** The old or the new content is there at any instant. */
  async replace(name: string, content: Uint8Array | string): Promise<void> {
    const path = join(this.path, name)
    await this.#attempt('write', writeFile(`${path}.part`, content, { mode: FILE_MODE, flush: this.#isSynced }))
    await this.#attempt('write', rename(`${path}.part`, path))
  }

  async append(name: string, text: string): Promise<void> {
    await this.#attempt('write', writeFile(join(this.path, name), text, { flag: 'a', mode: FILE_MODE }))
  }

  /** With all that is in it. */
  async drop(): Promise<void> {
    await this.#attempt('remove', rm(this.path, { recursive: true, force: true }))
  }

  async #syncDirectory(): Promise<void> {
    if (!this.#isSynced) return
    const directory = await this.#attempt('open', open(this.path, 'r'))
    try {
      await directory.sync()
    } finally {
      await directory.close()
    }
  }

  async #attempt<Result>(act: string, work: Promise<Result>): Promise<Result> {
    try {
      return await work
    } catch (error) {
      throw storageError(this.path, act, error)
    }
  }
}
