import type { Block } from '../media/block.ts'
import { MisuseError } from '../media/errors.ts'
import { storageError } from './errors.ts'
import type { OpenFile, OutputFile, Storage, StoredFile } from './ports.ts'

/** What can be set of a memory storage. */
export interface MemoryStorageOptions {
  /** Room in all; writing more fails with `TD_DISK_FULL`. Unbounded by default. */
  readonly capacityBytes?: number
  /** As of a disk storage. */
  readonly highWaterBytes?: number
}

/** Files in memory, with the verbs, errors and order of the disk. For tests and for embedders who keep files elsewhere. */
export class MemoryStorage implements Storage {
  readonly #files = new Map<string, MemoryFile>()
  readonly #highWaterBytes: number
  readonly #open = new Set<MemoryOutputFile>()
  #stalled = false
  capacityBytes: number

  constructor(options: MemoryStorageOptions = {}) {
    this.capacityBytes = options.capacityBytes ?? Number.POSITIVE_INFINITY
    this.#highWaterBytes = options.highWaterBytes ?? 8 * 1024 * 1024
  }

  /** While true nothing is carried out, as on a disk that blocks. */
  get stalled(): boolean {
    return this.#stalled
  }
  set stalled(stalled: boolean) {
    this.#stalled = stalled
    if (!stalled) for (const file of this.#open) file.flush()
  }

  get usedBytes(): number {
    let used = 0
    for (const file of this.#files.values()) used += file.sizeBytes
    return used
  }

  /** What `path` holds now. */
  bytesOf(path: string): Uint8Array {
    return this.#find(path, 'read').bytes.slice()
  }

  /** Puts a file there, for a test to begin with. */
  put(path: string, bytes: Uint8Array): void {
    const file = new MemoryFile()
    file.set(0, bytes)
    this.#files.set(path, file)
  }

  async create(path: string): Promise<OutputFile> {
    if (this.#files.has(path)) throw storageError(path, 'create', systemError('EEXIST'))
    const file = new MemoryFile()
    this.#files.set(path, file)
    const output = new MemoryOutputFile(path, file, {
      highWaterBytes: this.#highWaterBytes,
      isStalled: () => this.#stalled,
      room: () => this.capacityBytes - this.usedBytes,
      isInPlace: () => this.#files.get(path) === file,
      onClose: () => this.#open.delete(output),
    })
    this.#open.add(output)
    return output
  }

  async open(path: string): Promise<OpenFile> {
    return new MemoryOpenFile(this.#find(path, 'open'))
  }

  async list(directory: string, limit: number): Promise<StoredFile[]> {
    const prefix = directory.endsWith('/') ? directory : `${directory}/`
    return [...this.#files]
      .filter(([path]) => path.startsWith(prefix))
      .slice(0, limit)
      .map(([path, file]) => ({ path, sizeBytes: file.sizeBytes, modifiedAtMs: file.modifiedAtMs }))
  }

  async remove(path: string): Promise<void> {
    this.#files.delete(path)
  }

  /** Directories are but the beginnings of names here. */
  async removeDirectory(): Promise<void> {}

  async emptyDirectories(): Promise<string[]> {
    return []
  }

  async rename(from: string, to: string): Promise<void> {
    const file = this.#find(from, 'rename')
    if (this.#files.has(to)) throw storageError(to, 'rename to', systemError('EEXIST'))
    this.#files.delete(from)
    this.#files.set(to, file)
  }

  async replace(path: string, bytes: Uint8Array): Promise<void> {
    this.put(path, bytes)
  }

  async freeBytes(): Promise<number> {
    return Math.max(0, this.capacityBytes - this.usedBytes)
  }

  #find(path: string, act: string): MemoryFile {
    const file = this.#files.get(path)
    if (file === undefined) throw storageError(path, act, systemError('ENOENT'))
    return file
  }
}

class MemoryFile {
  #bytes = new Uint8Array(1024)
  sizeBytes = 0
  modifiedAtMs = Date.now()

  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.sizeBytes)
  }

  set(offset: number, bytes: Uint8Array): void {
    const end = offset + bytes.length
    if (end > this.#bytes.length) {
      const bigger = new Uint8Array(Math.max(end, this.#bytes.length * 2))
      bigger.set(this.bytes)
      this.#bytes = bigger
    }
    this.#bytes.set(bytes, offset)
    this.sizeBytes = Math.max(this.sizeBytes, end)
    this.modifiedAtMs = Date.now()
  }

  truncate(sizeBytes: number): void {
    this.sizeBytes = sizeBytes
  }
}

interface Surroundings {
  readonly highWaterBytes: number
  isStalled(): boolean
  room(): number
  isInPlace(): boolean
  onClose(): void
}

class MemoryOutputFile implements OutputFile {
  readonly path: string
  readonly #file: MemoryFile
  readonly #around: Surroundings
  #pending: { offset: number; bytes: Uint8Array; isPatch: boolean }[] = []
  #wasHigh = false
  #closed = false
  #waiters: (() => void)[] = []
  position = 0
  backlogBytes = 0
  failure: Error | undefined
  onFailure: ((error: Error) => void) | undefined
  onDrain: (() => void) | undefined

  constructor(path: string, file: MemoryFile, around: Surroundings) {
    this.path = path
    this.#file = file
    this.#around = around
  }

  write(bytes: Uint8Array, _block?: Block): void {
    if (this.#closed) throw new MisuseError(`${this.path}: written after close`)
    if (this.failure !== undefined) return
    this.#pending.push({ offset: this.position, bytes: new Uint8Array(bytes), isPatch: false })
    this.position += bytes.length
    this.backlogBytes += bytes.length
    if (this.backlogBytes >= this.#around.highWaterBytes) this.#wasHigh = true
  }

  patch(offset: number, bytes: Uint8Array): void {
    if (this.failure === undefined) this.#pending.push({ offset, bytes: new Uint8Array(bytes), isPatch: true })
  }

  sync(): void {
    this.flush()
  }
  commit(): void {
    this.flush()
  }

  flush(): void {
    if (this.#around.isStalled()) return
    for (const { offset, bytes, isPatch } of this.#pending.splice(0)) {
      const grows = offset + bytes.length - this.#file.sizeBytes
      if (grows > this.#around.room()) {
        this.#fail()
        break
      }
      this.#file.set(offset, bytes)
      if (!isPatch) this.backlogBytes -= bytes.length
    }
    for (const resolve of this.#waiters.splice(0)) resolve()
    if (this.#wasHigh && this.backlogBytes < this.#around.highWaterBytes / 2) {
      this.#wasHigh = false
      this.onDrain?.()
    }
  }

  async drain(): Promise<void> {
    await this.#settled()
    if (this.failure !== undefined) throw this.failure
  }

  async close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true
      await this.#settled()
      this.#around.onClose()
    }
    if (this.failure !== undefined) throw this.failure
  }

  async abort(): Promise<void> {
    this.#closed = true
    this.#pending = []
    this.#around.onClose()
  }

  async inPlace(): Promise<boolean> {
    return this.#around.isInPlace()
  }

  async #settled(): Promise<void> {
    this.flush()
    while (this.#pending.length > 0) await new Promise<void>((resolve) => this.#waiters.push(resolve))
  }

  #fail(): void {
    this.#pending = []
    this.backlogBytes = 0
    this.failure = storageError(this.path, 'write', systemError('ENOSPC'))
    queueMicrotask(() => {
      if (this.failure !== undefined) this.onFailure?.(this.failure)
    })
  }
}

class MemoryOpenFile implements OpenFile {
  readonly #file: MemoryFile

  constructor(file: MemoryFile) {
    this.#file = file
  }

  get sizeBytes(): number {
    return this.#file.sizeBytes
  }
  async read(offset: number, length: number): Promise<Uint8Array> {
    return this.#file.bytes.slice(offset, offset + length)
  }
  async write(offset: number, bytes: Uint8Array): Promise<void> {
    this.#file.set(offset, bytes)
  }
  async truncate(sizeBytes: number): Promise<void> {
    this.#file.truncate(sizeBytes)
  }
  async sync(): Promise<void> {}
  async close(): Promise<void> {}
}

function systemError(code: string): Error {
  return Object.assign(new Error(code), { code })
}
