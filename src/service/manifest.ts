import { dirname, resolve, sep } from 'node:path'
import { z } from 'zod'
import { TapedeckError } from '../media/errors.ts'
import type { Logger } from '../media/ports.ts'
import { type CatalogueEntry, catalogueEntrySchema } from '../state/catalogue-entry.ts'
import type { Storage, StoredFile } from '../storage/ports.ts'
import { ManifestError } from './errors.ts'
import { isManifestPath, locateFile } from './manifest-place.ts'
import { isLive } from './ownership.ts'

/** Larger ones are not ours, bytes. */
const MAX_BYTES = 16 * 1024 * 1024
/** Deeper ones are not ours; what users put into metadata included. */
const MAX_DEPTH = 64
/** How long the manifest of an automatic recording that is being finished waits to be written as that of one that is, ms. */
const FINISHING_MS = 200
/** Files below the recording directory that are looked at. */
const MAX_FILES = 2_000_000

/** What a manifest store works on. */
export interface ManifestStoreOptions {
  readonly storage: Storage
  readonly recordDir: string
  readonly logger: Logger
}

/** A manifest that a search found. */
export interface FoundManifest {
  readonly path: string
  readonly entry: CatalogueEntry
}

/** Told of a manifest that cannot be read. */
export type FaultListener = (path: string, error: TapedeckError) => void

interface Writing {
  /** Revision of the newest that was asked for. */
  newest: number
  /** What is to be written next, where more than what is being written now was asked. */
  next: CatalogueEntry | undefined
  /** Ends the wait for what follows soon; undefined while it is not waited for. */
  hurry: (() => void) | undefined
  done: Promise<void>
}

/** Reads and writes manifests: the lasting truth of recordings. */
export class ManifestStore {
  readonly recordDir: string
  readonly #storage: Storage
  readonly #logger: Logger
  /** By path. */
  readonly #writing = new Map<string, Writing>()

  constructor({ storage, recordDir, logger }: ManifestStoreOptions) {
    this.#storage = storage
    this.#logger = logger
    this.recordDir = resolve(recordDir)
  }

  /**
   * Writes the manifest as a whole, in the order of the calls; of several that wait only the newest revision. Resolves when
   * this revision, or a newer one, is on disk.
   * @throws StorageError
   */
  write(entry: CatalogueEntry): Promise<void> {
    const path = manifestPathOf(entry)
    const running = this.#writing.get(path)
    if (running === undefined) return this.#begin(path, entry)
    if (running.newest <= entry.revision) {
      running.newest = entry.revision
      running.next = entry
      if (!isFinishing(entry)) running.hurry?.()
    }
    return running.done
  }

  /** Removes the manifest, and the recording's own directory where nothing else is in it. No error when it is gone already. */
  async remove(entry: CatalogueEntry): Promise<void> {
    const path = manifestPathOf(entry)
    await this.settle(entry)
    await this.#storage.remove(path)
    if (!entry.automatic) await this.#storage.removeDirectory(dirname(path))
  }

  /** Resolves when nothing is being written of `entry` any more; what waited is not written. */
  async settle(entry: CatalogueEntry): Promise<void> {
    const running = this.#writing.get(manifestPathOf(entry))
    if (running === undefined) return
    running.next = undefined
    running.hurry?.()
    await running.done.catch(() => undefined)
  }

  /**
   * Reads one manifest. Paths are set to where it lies now.
   * @throws ManifestError when it is none
   * @throws StorageError when it cannot be read
   */
  async read(path: string): Promise<CatalogueEntry> {
    const value = parseManifest(path, await this.#bytes(path))
    return movedTo(value, resolve(path), this.recordDir)
  }

  /**
   * What a manifest is about, without looking at the rest of it. Undefined for none.
   * @throws StorageError when it cannot be read
   */
  async glance(path: string): Promise<{ readonly id: string; readonly revision: number } | undefined> {
    const bytes = await this.#bytes(path)
    const { success, data } = glanceSchema.safeParse(jsonOf(bytes))
    return success ? { id: data.recording.recording_id, revision: data.revision } : undefined
  }

  /** Whether this disk has the manifest of `entry`, or nobody has: another node with a path of the same name has another disk. */
  async holds(entry: CatalogueEntry): Promise<boolean> {
    if (entry.manifest_path === null) return true
    const found = await this.glance(entry.manifest_path).catch(() => undefined)
    return found?.id === entry.recording.recording_id
  }

  /** All manifests below the recording directory. Faulty ones are logged, told to `onFault`, and left alone. */
  async *find(onFault?: FaultListener): AsyncGenerator<FoundManifest> {
    const paths = (await this.files()).map(({ path }) => path).filter(isManifestPath)
    for (const path of paths) {
      const entry = await this.readFound(path, onFault)
      if (entry !== undefined) yield { path, entry }
    }
  }

  /** All files below the recording directory, in order of their paths. */
  async files(): Promise<StoredFile[]> {
    const files = await this.#storage.list(this.recordDir, MAX_FILES)
    if (files.length >= MAX_FILES)
      this.#logger.error({ limit: MAX_FILES }, 'too many files: not all manifests are found')
    return files.sort((one, other) => (one.path < other.path ? -1 : 1))
  }

  /** As `read`; undefined for one that is gone, or faulty: that is logged, and told to `onFault`. */
  async readFound(path: string, onFault?: FaultListener): Promise<CatalogueEntry | undefined> {
    try {
      return await this.read(path)
    } catch (error) {
      if (!(error instanceof TapedeckError)) throw error
      if (error.code === 'TD_FILE_MISSING') return undefined // removed meanwhile
      this.#logger.warn({ path, code: error.code, err: error }, 'manifest cannot be read; it is left as it is')
      onFault?.(path, error)
      return undefined
    }
  }

  async #bytes(path: string): Promise<Uint8Array> {
    const file = await this.#storage.open(path)
    try {
      if (file.sizeBytes > MAX_BYTES) throw new ManifestError(path, `${file.sizeBytes} bytes are too many for one`)
      return await file.read(0, file.sizeBytes)
    } finally {
      await file.close()
    }
  }

  #begin(path: string, entry: CatalogueEntry): Promise<void> {
    const writing: Writing = { newest: entry.revision, next: undefined, hurry: undefined, done: Promise.resolve() }
    this.#writing.set(path, writing)
    writing.done = this.#work(path, entry, writing)
    return writing.done
  }

  async #work(path: string, first: CatalogueEntry, writing: Writing): Promise<void> {
    try {
      for (let entry: CatalogueEntry | undefined = first; entry !== undefined; ) {
        if (isFinishing(entry)) {
          await untilHurried(writing)
          entry = writing.next ?? entry
          writing.next = undefined
        }
        const isPassing = entry.automatic && isLive(entry) // its files tell as much, should the power be cut
        await this.#storage.replace(path, Buffer.from(`${JSON.stringify(entry, undefined, 1)}\n`), { isPassing })
        entry = writing.next
        writing.next = undefined
      }
    } finally {
      this.#writing.delete(path)
    }
  }
}

/** Everybody who could have stopped it waits for the files anyway: a crash meanwhile finds it recording, which is as true. */
function isFinishing({ automatic, recording }: CatalogueEntry): boolean {
  return automatic && recording.status === 'processing' && recording.progress?.stage === 'finalising'
}

/** Resolves when nothing more is to be expected soon, or something has come that does not wait. */
async function untilHurried(writing: Writing): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, FINISHING_MS)
  writing.hurry = resolve
  await promise
  writing.hurry = undefined
  clearTimeout(timer)
}

/**
 * What a manifest's bytes say; bounded in size and depth.
 * @throws ManifestError
 */
export function parseManifest(path: string, bytes: Uint8Array): CatalogueEntry {
  if (bytes.length > MAX_BYTES) throw new ManifestError(path, `${bytes.length} bytes are too many for one`)
  if (isTooDeep(bytes)) throw new ManifestError(path, `it is nested deeper than ${MAX_DEPTH}`)
  const value = jsonOf(bytes)
  if (value === undefined) throw new ManifestError(path, 'it is not JSON')
  const { data, error } = catalogueEntrySchema.safeParse(value)
  if (data !== undefined) return data
  const [issue] = error.issues
  throw new ManifestError(path, `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'does not fit'}`.slice(0, 500))
}

const glanceSchema = z.object({
  revision: z.number().int().positive(),
  recording: z.object({ recording_id: z.string().max(64) }),
})

/** Undefined for what is no JSON. */
function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString())
  } catch {
    return undefined
  }
}

const QUOTE = 0x22
const BACKSLASH = 0x5c

function isTooDeep(bytes: Uint8Array): boolean {
  let depth = 0
  let inString = false
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]
    if (inString) {
      if (byte === BACKSLASH) at++
      else if (byte === QUOTE) inString = false
    } else if (byte === QUOTE) inString = true
    else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > MAX_DEPTH) return true
    } else if (byte === 0x5d || byte === 0x7d) depth--
  }
  return false
}

function manifestPathOf(entry: CatalogueEntry): string {
  if (entry.manifest_path === null) throw new ManifestError(entry.recording.recording_id, 'it has none')
  return entry.manifest_path
}

/** @throws ManifestError when a file of it would lie elsewhere */
function movedTo(entry: CatalogueEntry, path: string, recordDir: string): CatalogueEntry {
  const moved = { ...entry, manifest_path: path }
  for (const file of entry.recording.files) locateFile(moved, file, recordDir)
  return { ...moved, recording: { ...entry.recording, local_path: mainPath(entry, moved, recordDir) } }
}

/** The main file is known by where it lay beside the manifest; where that cannot be said, by its name. */
function mainPath(written: CatalogueEntry, moved: CatalogueEntry, recordDir: string): string | null {
  const { local_path: old, file_name: name, files } = written.recording
  if (old === null) return null
  const oldDirectory = written.manifest_path === null ? undefined : dirname(written.manifest_path)
  const main =
    files.find((file) => oldDirectory !== undefined && resolve(oldDirectory, file.path) === old) ??
    files.find((file) => file.file_name === name && old.endsWith(`${sep}${file.file_name}`))
  return main === undefined ? null : locateFile(moved, main, recordDir)
}
