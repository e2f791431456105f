import { close, fdatasync, fstatSync, stat, write, writev } from 'node:fs'
import { promisify } from 'node:util'
import type { Block } from '../media/block.ts'
import { MisuseError } from '../media/errors.ts'
import { storageError } from './errors.ts'
import { type OutputOperation, OutputQueue, type WriteOperation } from './output-queue.ts'
import type { OutputFile } from './ports.ts'

/** Gathered bytes that make one write: large enough that the hop to the thread pool does not count. */
const WRITE_BYTES = 256 * 1024
/** `drain` resolves under this backlog, bytes. */
const DRAINED_BYTES = 1024 * 1024
/** How long a gathered byte may wait for more to be written with it, ms. The rest of a second is for reading and muxing. */
const MAX_GATHER_MS = 600

/** When a file's bytes must have reached stable storage. */
export type FsyncPolicy = 'interval' | 'always' | 'never'

/** How a file behaves; the same for all files of a storage. */
export interface DiskFileOptions {
  readonly fsync: FsyncPolicy
  readonly fsyncIntervalMs: number
  /** Backlog from which on `onDrain` will be called once it is below half of this again, bytes. */
  readonly highWaterBytes: number
  readonly onClose: (file: DiskFile) => void
}

const statPath = promisify(stat)
const closeFd = promisify(close)

/** A growing file on a local disk: one operation under way at a time, in the thread pool, never on the media path. */
export class DiskFile implements OutputFile {
  readonly path: string
  readonly #fd: number
  readonly #identity: { readonly dev: number; readonly ino: number }
  readonly #options: DiskFileOptions
  readonly #queue = new OutputQueue()
  #running: OutputOperation | undefined
  /** What is gathered goes off as soon as nothing is under way: until then it may grow. */
  #flushes = false
  #wasHigh = false
  /** When the oldest gathered byte came. */
  #gatheredAtMs = 0
  #unsynced = false
  #syncing = false
  #lastSyncMs = performance.now()
  #closing: Promise<void> | undefined
  #waiters: (() => void)[] = []
  failure: Error | undefined
  onFailure: ((error: Error) => void) | undefined
  onDrain: (() => void) | undefined

  constructor(path: string, fd: number, options: DiskFileOptions) {
    this.path = path
    this.#fd = fd
    const { dev, ino } = fstatSync(fd)
    this.#identity = { dev, ino }
    this.#options = options
  }

  get position(): number {
    return this.#queue.position
  }
  get backlogBytes(): number {
    return this.#queue.backlogBytes
  }

  write(bytes: Uint8Array, block?: Block): void {
    if (this.#closing !== undefined) throw new MisuseError(`${this.path}: written after close`)
    if (this.failure !== undefined) return
    if (this.#queue.gatheredBytes === 0) this.#gatheredAtMs = performance.now()
    this.#queue.write(bytes, block)
  }

  patch(offset: number, bytes: Uint8Array): void {
    if (this.failure !== undefined) return
    this.#queue.patch(offset, bytes)
    this.#pump()
  }

  sync(): void {
    if (this.failure !== undefined || this.#options.fsync === 'never') return
    this.#queue.sync()
    this.#pump()
  }

  commit(): void {
    if (this.#queue.gatheredBytes >= WRITE_BYTES) this.flush()
    else if (this.backlogBytes >= this.#options.highWaterBytes) this.#wasHigh = true
  }

  flush(): void {
    if (this.failure !== undefined) return
    if (this.backlogBytes >= this.#options.highWaterBytes) this.#wasHigh = true
    this.#flushes = this.#running !== undefined && this.#queue.gatheredBytes < WRITE_BYTES
    if (!this.#flushes) this.#sendOff()
  }

  #sendOff(): void {
    this.#flushes = false
    this.#queue.seal()
    if (this.#options.fsync === 'always') this.#queue.sync()
    this.#pump()
  }

  /** Called by the storage every `periodMs`: sends off what would wait too long until the next call. */
  tick(nowMs: number, periodMs: number): void {
    if (this.#closing !== undefined || this.#queue.gatheredBytes === 0) return
    if (nowMs - this.#gatheredAtMs > MAX_GATHER_MS - periodMs) this.flush()
  }

  /** With the policy `interval`: whether what was written has waited long enough for `syncAside`. */
  isSyncDue(nowMs: number): boolean {
    if (this.#options.fsync !== 'interval' || !this.#unsynced || this.#syncing) return false
    if (this.#closing !== undefined || this.failure !== undefined) return false
    return nowMs - this.#lastSyncMs >= this.#options.fsyncIntervalMs
  }

  /** Forces to the disk what was written, while writing goes on: a slow disk must not hold back what a crash would cost. */
  syncAside(nowMs: number): Promise<void> {
    this.#lastSyncMs = nowMs
    this.#unsynced = false
    this.#syncing = true
    return new Promise((resolve) => {
      fdatasync(this.#fd, (error) => {
        this.#syncing = false
        if (error !== null) this.#fail(error)
        this.#wake()
        resolve()
      })
    })
  }

  async drain(): Promise<void> {
    this.flush()
    while (this.failure === undefined && this.backlogBytes > DRAINED_BYTES) await this.#progress()
    if (this.failure !== undefined) throw this.failure
  }

  close(): Promise<void> {
    this.#closing ??= this.#finish()
    return this.#closing
  }

  async abort(): Promise<void> {
    if (this.#closing === undefined) {
      this.#queue.clear()
      this.#closing = this.#release()
    }
    await this.#closing.catch(() => undefined)
  }

  async inPlace(): Promise<boolean> {
    try {
      const { dev, ino } = await statPath(this.path)
      return dev === this.#identity.dev && ino === this.#identity.ino
    } catch {
      return false
    }
  }

  async #finish(): Promise<void> {
    if (this.failure === undefined) {
      this.#queue.seal()
      if (this.#options.fsync !== 'never') this.#queue.sync()
      this.#pump()
    }
    await this.#release()
    if (this.failure !== undefined) throw this.failure
  }

  async #release(): Promise<void> {
    while (this.#isBusy) await this.#progress()
    this.#options.onClose(this)
    try {
      await closeFd(this.#fd)
    } catch (error) {
      this.failure ??= storageError(this.path, 'close', error)
    }
  }

  get #isBusy(): boolean {
    if (this.#running !== undefined || this.#syncing) return true
    return this.failure === undefined && !this.#queue.isEmpty
  }

  /** Resolves when an operation under way is through, whatever came of it. */
  #progress(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve))
  }

  #pump(): void {
    if (this.#running !== undefined) return
    const operation = this.#queue.next()
    if (operation === undefined) return
    this.#running = operation
    switch (operation.kind) {
      case 'write':
        this.#unsynced = true
        this.#writeAll(operation, operation.pieces, operation.offset)
        return
      case 'patch':
        this.#unsynced = true
        this.#patchAll(operation.bytes, operation.offset)
        return
      case 'sync':
        this.#unsynced = false
        fdatasync(this.#fd, (error) => this.#done(error))
        return
      default:
        operation satisfies never
    }
  }

  #writeAll(operation: WriteOperation, pieces: Uint8Array[], offset: number): void {
    writev(this.#fd, pieces, offset, (error, written) => {
      const left = operation.offset + operation.sizeBytes - (offset + (written ?? 0))
      if (error !== null || left === 0) this.#done(error)
      else this.#writeAll(operation, piecesFrom(pieces, written), offset + written)
    })
  }

  #patchAll(bytes: Uint8Array, offset: number): void {
    write(this.#fd, bytes, 0, bytes.length, offset, (error, written) => {
      if (error !== null || written === bytes.length) this.#done(error)
      else this.#patchAll(bytes.subarray(written), offset + written)
    })
  }

  #done(error: Error | null): void {
    const operation = this.#running
    this.#running = undefined
    if (operation !== undefined) this.#queue.done(operation)
    if (error !== null) this.#fail(error)
    else if (this.#flushes) this.#sendOff()
    else this.#pump()
    this.#wake()
    if (this.#wasHigh && this.backlogBytes < this.#options.highWaterBytes / 2) {
      this.#wasHigh = false
      this.onDrain?.()
    }
  }

  #wake(): void {
    const waiters = this.#waiters
    if (waiters.length === 0) return
    this.#waiters = []
    for (const resolve of waiters) resolve()
  }

  #fail(error: Error): void {
    if (this.failure !== undefined) return
    this.failure = storageError(this.path, 'write', error)
    this.#queue.clear()
    this.onFailure?.(this.failure)
  }
}

function piecesFrom(pieces: Uint8Array[], skipBytes: number): Uint8Array[] {
  let skip = skipBytes
  let first = 0
  while (skip >= pieces[first].length) skip -= pieces[first++].length
  return [pieces[first].subarray(skip), ...pieces.slice(first + 1)]
}
