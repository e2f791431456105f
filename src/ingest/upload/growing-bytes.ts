import { type FileHandle, open } from 'node:fs/promises'
import { SourceWindow } from '../../container/source-window.ts'
import { LimitError } from '../../media/errors.ts'
import type { ByteSource } from '../../media/ports.ts'
import type { StoredChunk } from './chunk-directory.ts'

/** Whoever waits for something further away than this waits for what no browser sends, bytes. */
const MAX_AHEAD_BYTES = 64 * 1024 * 1024
const READ_BYTES = 256 * 1024

type Piece = { readonly chunk: StoredChunk; readonly start: number; readonly end: number }

/**
 * The bytes of an upload, chunk behind chunk, while they come: a file that has no end before it is told. Its beginning, up
 * to the first chunk that is still there, may be kept apart (`head`): a container's header.
 */
export class GrowingBytes implements ByteSource {
  readonly #head: Uint8Array
  #pieces: Piece[] = []
  #end: number
  #isEnded = false
  #open: { readonly piece: Piece; readonly file: FileHandle } | undefined
  #waiting: (() => void) | undefined
  /** Called when what has come is used up, before more is waited for. */
  onWait: (() => void) | undefined

  /** `startBytes`: where the first chunk begins. */
  constructor(startBytes: number, head: Uint8Array) {
    this.#end = startBytes
    this.#head = head
  }

  /** As if endless, until it is known where it ends. */
  get sizeBytes(): number {
    return this.#isEnded ? this.#end : Number.POSITIVE_INFINITY
  }
  /** So much has come, counted from the first byte of the upload. */
  get end(): number {
    return this.#end
  }

  append(chunk: StoredChunk): void {
    if (this.#isEnded) return
    const start = this.#end
    this.#end = start + chunk.sizeBytes
    if (chunk.sizeBytes > 0) this.#pieces.push({ chunk, start, end: this.#end })
    this.#wake()
  }

  /** Nothing more comes. Idempotent. */
  finish(): void {
    this.#isEnded = true
    this.#wake()
  }

  async close(): Promise<void> {
    this.finish()
    const { file } = this.#open ?? {}
    this.#open = undefined
    await file?.close()
  }

  /** Forgets chunks that lie wholly before `offset`. Returns where the first one that stays begins. */
  forget(offset: number): number {
    this.#pieces = this.#pieces.filter(({ end }) => end > offset)
    return this.#pieces[0]?.start ?? this.#end
  }

  /** Waits until the bytes before `offset` have come. False when they never will. @throws LimitError */
  async reach(offset: number): Promise<boolean> {
    while (this.#end < offset && !this.#isEnded) {
      if (offset - this.#end > MAX_AHEAD_BYTES) {
        throw new LimitError('one element of an upload, bytes', { limit: MAX_AHEAD_BYTES, asked: offset - this.#end })
      }
      this.onWait?.()
      if (this.#end >= offset || this.#isEnded) break
      await new Promise<void>((resolve) => {
        this.#waiting = resolve
      })
    }
    return this.#end >= offset
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    await this.reach(offset + length)
    return this.#copy(offset, Math.max(0, Math.min(length, this.#end - offset)))
  }

  async #copy(offset: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length)
    let at = Math.min(length, Math.max(0, this.#head.length - offset))
    bytes.set(this.#head.subarray(offset, offset + at))
    while (at < length) {
      const piece = this.#pieceAt(offset + at)
      if (piece === undefined) return bytes.subarray(0, at)
      const wanted = Math.min(length - at, piece.end - offset - at)
      const { bytesRead } = await (await this.#fileOf(piece)).read(bytes, at, wanted, offset + at - piece.start)
      if (bytesRead === 0) return bytes.subarray(0, at)
      at += bytesRead
    }
    return bytes
  }

  #pieceAt(offset: number): Piece | undefined {
    return this.#pieces.findLast(({ start, end }) => offset >= start && offset < end)
  }

  async #fileOf(piece: Piece): Promise<FileHandle> {
    if (this.#open?.piece === piece) return this.#open.file
    await this.#open?.file.close()
    const file = await open(piece.chunk.path, 'r')
    this.#open = { piece, file }
    return file
  }

  #wake(): void {
    const wake = this.#waiting
    this.#waiting = undefined
    wake?.()
  }
}

/** A window that waits for what has not come yet, and takes no more than has. */
export class GrowingWindow extends SourceWindow {
  readonly #bytes: GrowingBytes
  readonly #readBytes: number

  /** `readBytes`: as much is read at a time where it has come. */
  constructor(bytes: GrowingBytes, readBytes = READ_BYTES) {
    super(bytes)
    this.#bytes = bytes
    this.#readBytes = readBytes
  }

  override async load(offset: number, length: number): Promise<boolean> {
    if (this.has(offset, length)) return true
    await this.#bytes.reach(offset + length)
    const there = Math.max(0, this.#bytes.end - offset)
    this.bytes = await this.#bytes.read(offset, Math.min(there, Math.max(length, this.#readBytes)))
    this.start = offset
    return this.bytes.length >= length
  }
}

/** What has come of `bytes` so far, as a file of that size. */
export function comeSoFar(bytes: GrowingBytes): ByteSource {
  const sizeBytes = bytes.end
  return { sizeBytes, read: (offset, length) => bytes.read(offset, Math.min(length, Math.max(0, sizeBytes - offset))) }
}
