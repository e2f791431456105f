import { repairContainer } from '../container/formats.ts'
import type { Progress, RepairReport } from '../container/reader.ts'
import type { SampleBound } from '../container/sample-bound.ts'
import type { EditableFile } from '../media/ports.ts'
import type { Replay } from '../media/replay.ts'
import type { OpenFile, Storage } from '../storage/ports.ts'
import { seamOf } from './seam.ts'

/** Less than this shows no format yet, bytes. */
const MIN_BYTES = 12
/** What there can be of a file without a whole frame in it, bytes: a header with all its reserves, and part of a write. */
const MAX_FRAMELESS_BYTES = 256 * 1024

/** What a repair did, and how large the file is now. */
export interface MendReport extends RepairReport {
  readonly sizeBytes: number
  /** It held no frame, and was removed. */
  readonly removed: boolean
  /** Frames that were left out: their source gives them again. */
  readonly replayed: number
}

/** How a file is mended. */
export interface MendOptions {
  readonly onProgress?: Progress
  /** What comes again, of each of its sources, and is left out therefore. */
  readonly replays?: readonly Replay[] | undefined
}

/**
 * Repairs a file of ours that was left unfinished. When there is no room for what a repair appends, that is cut off again,
 * so that the file plays as before and can be tried again. A file that was left before its first frame is removed, and so is one
 * of which every frame comes again.
 */
export async function mendFile(storage: Storage, path: string, options: MendOptions = {}): Promise<MendReport> {
  const file = await storage.open(path)
  const leftBytes = file.sizeBytes
  try {
    const { replays = [], onProgress } = options
    const seam = replays.length === 0 ? undefined : await seamOf(file, replays)
    const isNothing = leftBytes < MIN_BYTES || seam?.isAll === true
    const report = isNothing ? NOTHING : await mend(file, onProgress, seam?.bound)
    const removed = report.frames === 0 && (leftBytes <= MAX_FRAMELESS_BYTES || seam?.isAll === true)
    if (removed) await storage.remove(path)
    return { ...report, sizeBytes: file.sizeBytes, removed, replayed: seam?.frames ?? 0 }
  } finally {
    await file.close()
  }
}

const NOTHING: RepairReport = { changed: false, frames: 0, durationMs: 0, lostBytes: 0, faults: [] }

async function mend(
  file: OpenFile,
  onProgress: Progress | undefined,
  bound: SampleBound | undefined,
): Promise<RepairReport> {
  const cautious = new CautiousFile(file)
  try {
    return await repairContainer(cautious, onProgress, bound)
  } catch (error) {
    await cautious.undoAppend()
    throw error
  }
}

/** Knows up to where a file was media before something was appended, and whether appending failed. */
class CautiousFile implements EditableFile {
  readonly #file: OpenFile
  #mediaEnd: number
  #appendFailed = false

  constructor(file: OpenFile) {
    this.#file = file
    this.#mediaEnd = file.sizeBytes
  }

  get sizeBytes(): number {
    return this.#file.sizeBytes
  }

  read(offset: number, length: number): Promise<Uint8Array> {
    return this.#file.read(offset, length)
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    try {
      await this.#file.write(offset, bytes)
    } catch (error) {
      if (offset >= this.#mediaEnd) this.#appendFailed = true
      throw error
    }
  }

  async truncate(sizeBytes: number): Promise<void> {
    await this.#file.truncate(sizeBytes)
    this.#mediaEnd = Math.min(this.#mediaEnd, sizeBytes)
  }

  sync(): Promise<void> {
    return this.#file.sync()
  }

  /** After any other failure everything stays: what was patched already may need what was appended. */
  async undoAppend(): Promise<void> {
    if (this.#appendFailed) await this.#file.truncate(this.#mediaEnd).catch(() => undefined)
  }
}
