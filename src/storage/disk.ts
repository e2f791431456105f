import { open as openFd, writeFile } from 'node:fs'
import { constants, type FileHandle, mkdir, open, readdir, rename, rm, rmdir, stat, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { DiskFile, type FsyncPolicy } from './disk-file.ts'
import { FileExistsError, storageError } from './errors.ts'
import type { OpenFile, OutputFile, Storage, StoredFile } from './ports.ts'

/** How often it is looked what has been gathered for too long, ms. */
const TICK_MS = 100
/** Files that are forced to the disk at a time: the others' writes need threads of the same pool. */
const MAX_SYNCS = 2
/** Directories, or files in one, that are asked for at a time in a listing. */
const LISTED_AT_ONCE = 64
const FILE_MODE = 0o600
const DIRECTORY_MODE = 0o755
const openNew = promisify(openFd)
/** That of node:fs/promises makes and collects a FileHandle for each file. */
const writeWhole = promisify(writeFile)

/** What can be set of a disk storage. */
export interface DiskStorageOptions {
  /** `interval` by default. */
  readonly fsync?: FsyncPolicy
  /** 5000 by default. */
  readonly fsyncIntervalMs?: number
  /** 8 MiB by default: see `OutputFile.onDrain`. */
  readonly highWaterBytes?: number
}

/** Files on local disks. */
export class DiskStorage implements Storage {
  readonly #fsync: FsyncPolicy
  readonly #fsyncIntervalMs: number
  readonly #highWaterBytes: number
  readonly #files = new Set<DiskFile>()
  #timer: NodeJS.Timeout | undefined
  #syncs = 0

  constructor(options: DiskStorageOptions = {}) {
    this.#fsync = options.fsync ?? 'interval'
    this.#fsyncIntervalMs = options.fsyncIntervalMs ?? 5000
    this.#highWaterBytes = options.highWaterBytes ?? 8 * 1024 * 1024
  }

  async create(path: string): Promise<OutputFile> {
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL
    const fd = await attempt(path, 'create', () => inDirectory(path, () => openNew(path, flags, FILE_MODE)))
    const file = new DiskFile(path, fd, {
      fsync: this.#fsync,
      fsyncIntervalMs: this.#fsyncIntervalMs,
      highWaterBytes: this.#highWaterBytes,
      onClose: (closed) => this.#forget(closed),
    })
    this.#files.add(file)
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS).unref()
    return file
  }

  open(path: string): Promise<OpenFile> {
    return attempt(path, 'open', async () => {
      const handle = await open(path, 'r+')
      return new DiskOpenFile(path, handle, (await handle.stat()).size)
    })
  }

  async list(directory: string, limit: number): Promise<StoredFile[]> {
    const found: StoredFile[] = []
    let level = [directory]
    while (level.length > 0 && found.length < limit) {
      const below: string[] = []
      for (let at = 0; at < level.length && found.length < limit; at += LISTED_AT_ONCE) {
        const listings = await Promise.all(level.slice(at, at + LISTED_AT_ONCE).map(listing))
        for (const { files, directories } of listings) {
          for (const file of files) if (found.length < limit) found.push(file)
          for (const each of directories) below.push(each)
        }
      }
      level = below
    }
    return found
  }

  remove(path: string): Promise<void> {
    return attempt(path, 'remove', () => rm(path, { force: true }))
  }

  async removeDirectory(directory: string): Promise<void> {
    const entries = await readdir(directory, { withFileTypes: true }).catch(() => [])
    for (const entry of entries) if (entry.isDirectory()) await this.removeDirectory(join(directory, entry.name))
    await rmdir(directory).catch(() => undefined)
  }

  async emptyDirectories(directory: string, beforeMs: number): Promise<string[]> {
    const { directories } = await listing(directory)
    const empty: string[] = []
    for (let at = 0; at < directories.length; at += LISTED_AT_ONCE) {
      const some = directories.slice(at, at + LISTED_AT_ONCE)
      const isLeft = await Promise.all(some.map((each) => isEmptySince(each, beforeMs)))
      for (const [i, each] of some.entries()) if (isLeft[i]) empty.push(each)
    }
    return empty
  }

  rename(from: string, to: string): Promise<void> {
    return attempt(to, 'rename to', async () => {
      const taken = await stat(to).catch(() => undefined)
      if (taken !== undefined)
        throw new FileExistsError(to, 'rename to', Object.assign(new Error('exists'), { code: 'EEXIST' }))
      await rename(from, to)
    })
  }

  replace(path: string, bytes: Uint8Array, { isPassing = false }: { isPassing?: boolean } = {}): Promise<void> {
    return attempt(path, 'write', async () => {
      const draft = `${path}.${process.pid}.tmp`
      try {
        const flush = this.#fsync !== 'never' && !isPassing
        await inDirectory(path, () => writeWhole(draft, bytes, { mode: FILE_MODE, flush }))
        await rename(draft, path)
      } catch (error) {
        await rm(draft, { force: true }).catch(() => undefined)
        throw error
      }
    })
  }

  async freeBytes(directory: string): Promise<number> {
    for (let at = directory; ; at = dirname(at)) {
      try {
        const { bavail, bsize } = await statfs(at)
        return bavail * bsize
      } catch (error) {
        if (dirname(at) === at) throw storageError(directory, 'ask the free space of', error)
      }
    }
  }

  #tick(): void {
    const nowMs = performance.now()
    for (const file of this.#files) {
      file.tick(nowMs, TICK_MS)
      if (this.#syncs < MAX_SYNCS && file.isSyncDue(nowMs)) {
        this.#syncs++
        void file.syncAside(nowMs).then(() => this.#syncs--)
      }
    }
  }

  #forget(file: DiskFile): void {
    this.#files.delete(file)
    if (this.#files.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}

/** What lies directly in a directory; nothing when it is gone. */
async function listing(directory: string): Promise<{ files: StoredFile[]; directories: string[] }> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => [])
  const path = ({ name }: { name: string }) => join(directory, name)
  const files: StoredFile[] = []
  for (let at = 0; at < entries.length; at += LISTED_AT_ONCE) {
    const some = entries.slice(at, at + LISTED_AT_ONCE).filter((entry) => entry.isFile())
    const facts = await Promise.all(some.map((entry) => stat(path(entry)).catch(() => undefined)))
    for (const [i, fact] of facts.entries()) {
      if (fact !== undefined) files.push({ path: path(some[i]), sizeBytes: fact.size, modifiedAtMs: fact.mtimeMs })
    }
  }
  return { files, directories: entries.filter((entry) => entry.isDirectory()).map(path) }
}

async function isEmptySince(directory: string, beforeMs: number): Promise<boolean> {
  try {
    const { mtimeMs } = await stat(directory)
    return mtimeMs < beforeMs && (await readdir(directory)).length === 0
  } catch {
    return false // gone, or not ours to look into
  }
}

/** Makes a file; its directory first where it turns out to be missing. */
async function inDirectory<T>(path: string, make: () => Promise<T>): Promise<T> {
  try {
    return await make()
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'ENOENT') throw error
    await mkdir(dirname(path), { recursive: true, mode: DIRECTORY_MODE })
    return make()
  }
}

class DiskOpenFile implements OpenFile {
  readonly #path: string
  readonly #handle: FileHandle
  sizeBytes: number

  constructor(path: string, handle: FileHandle, sizeBytes: number) {
    this.#path = path
    this.#handle = handle
    this.sizeBytes = sizeBytes
  }

  read(offset: number, length: number): Promise<Uint8Array> {
    return attempt(this.#path, 'read', async () => {
      const wanted = Math.max(0, Math.min(length, this.sizeBytes - offset))
      const bytes = new Uint8Array(wanted)
      let filled = 0
      while (filled < wanted) {
        const { bytesRead } = await this.#handle.read(bytes, filled, wanted - filled, offset + filled)
        if (bytesRead === 0) break
        filled += bytesRead
      }
      return bytes.subarray(0, filled)
    })
  }

  write(offset: number, bytes: Uint8Array): Promise<void> {
    return attempt(this.#path, 'write', async () => {
      let written = 0
      while (written < bytes.length) {
        written += (await this.#handle.write(bytes, written, bytes.length - written, offset + written)).bytesWritten
      }
      this.sizeBytes = Math.max(this.sizeBytes, offset + bytes.length)
    })
  }

  truncate(sizeBytes: number): Promise<void> {
    return attempt(this.#path, 'truncate', async () => {
      await this.#handle.truncate(sizeBytes)
      this.sizeBytes = sizeBytes
    })
  }

  sync(): Promise<void> {
    return attempt(this.#path, 'sync', () => this.#handle.datasync())
  }

  close(): Promise<void> {
    return attempt(this.#path, 'close', () => this.#handle.close())
  }
}

async function attempt<T>(path: string, act: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw storageError(path, act, error)
  }
}
