import type { EventSink, EventType } from '../events/event.ts'
import type { Logger } from '../media/ports.ts'
import type { CatalogueEntry } from '../state/catalogue-entry.ts'
import type { Journal } from '../state/journal.ts'
import type { RecordingStore } from '../state/store.ts'
import type { Storage } from '../storage/ports.ts'
import { leftFiles } from './left-files.ts'
import type { ManifestStore } from './manifest.ts'
import { locateFile } from './manifest-place.ts'
import { isAbandoned } from './ownership.ts'
import type { RecordingRemover } from './removal.ts'
import { fruitless, settled, wasInterrupted, withoutTrace } from './settlement.ts'

/** How often a recording is left for another time because its files are being mended elsewhere. */
const MAX_POSTPONED = 6

/**
 * Takes over a recording whose files are final: status `processing`, owner this process, revision already grown; neither
 * written to the manifest nor put yet. It goes on as after a stop: jobs are queued or asked about, then it is completed.
 */
export type TakeOver = (entry: CatalogueEntry) => Promise<void>

/** Does `work` while nobody changes or deletes the recording `id`: `Catalogue.alone`. */
export type Alone = <T>(id: string, work: () => Promise<T>) => Promise<T>

/** What settling works with. */
export interface SettlerOptions {
  readonly recordings: RecordingStore
  readonly manifests: ManifestStore
  readonly remover: RecordingRemover
  readonly storage: Storage
  readonly journal: Pick<Journal, 'list'>
  readonly node: string
  readonly logger: Logger
  readonly sink: EventSink
  readonly takeOver: TakeOver
  readonly alone: Alone
}

/** Brings recordings of dead processes to their end. */
export class Settler {
  readonly #options: SettlerOptions
  readonly #postponed = new Map<string, number>()

  constructor(options: SettlerOptions) {
    this.#options = options
  }

  /**
   * Settles one, as the newer of `entry` and its manifest says it. False when it has to wait: its files are being mended, or
   * the disk fails.
   */
  async settle(entry: CatalogueEntry): Promise<boolean> {
    const { logger } = this.#options
    const fields = { recording: entry.recording.recording_id, room: entry.recording.room_id }
    try {
      return await this.#settle(await this.#newest(entry))
    } catch (error) {
      logger.error({ ...fields, err: error }, 'recording that a crash left cannot be brought to its end yet')
      return false
    }
  }

  /** Finishes the removal of a cancelled recording. */
  async finishCancel(found: CatalogueEntry): Promise<void> {
    const { remover, recordings, manifests } = this.#options
    await this.#aloneWith(found, async (entry) => {
      await recordings.put(entry) // says where the rest is, until nothing is left
      await remover.eraseFiles(entry)
      if (entry.manifest_path !== null) await manifests.remove(entry)
      await recordings.put(withoutTrace(entry))
      this.#emit('recording_cancelled', withoutTrace(entry))
    })
  }

  /** Finishes one that has come to its end without keeping anything, and still says where its manifest is. */
  async finishFruitless(found: CatalogueEntry): Promise<void> {
    await this.#aloneWith(found, async (entry) => {
      await this.eraseRest(entry)
      await this.#options.recordings.put({ ...entry, revision: entry.revision + 1, manifest_path: null })
    })
  }

  /** Removes what is left on disk of one that has come to an end without files. */
  async eraseRest(entry: CatalogueEntry): Promise<void> {
    const { remover, manifests } = this.#options
    if (entry.manifest_path === null) return
    await remover.eraseFiles(entry)
    await manifests.remove(entry)
  }

  /** Does `work` with what is known of it by now. Not where somebody has deleted it meanwhile: then there is no rest of it. */
  #aloneWith(found: CatalogueEntry, work: (entry: CatalogueEntry) => Promise<void>): Promise<void> {
    const { alone, recordings, manifests } = this.#options
    const { recording_id: id } = found.recording
    return alone(id, async () => {
      const stored = await recordings.get(id)
      if (stored !== undefined) await work(further(found, stored))
      else if (found.manifest_path !== null && (await manifests.holds(found))) await work(found)
    })
  }

  async #newest(entry: CatalogueEntry): Promise<CatalogueEntry> {
    if (entry.manifest_path === null) return entry
    const written = await this.#options.manifests.readFound(entry.manifest_path)
    const isSame = written?.recording.recording_id === entry.recording.recording_id
    return written !== undefined && isSame && written.revision >= entry.revision ? written : entry
  }

  async #settle(entry: CatalogueEntry): Promise<boolean> {
    const { recordings, node, logger } = this.#options
    const { recording_id: id, room_id: room, status } = entry.recording
    if (status === 'cancelled') {
      await this.finishCancel(entry)
      return true
    }
    if (!isAbandoned(entry, node)) {
      await recordings.put(entry) // its manifest was newer, and says that it has ended
      return true
    }
    const unfinished = this.#unfinished()
    if (this.#mustWait(entry, unfinished)) return false
    const files = await leftFiles(entry, { ...this.#options, recordDir: this.#options.manifests.recordDir, unfinished })
    this.#postponed.delete(id)
    const isKept = files.some(({ kind, state }) => kind === 'source' && state !== 'removed')
    const wasKept = isKept || files.some(({ state, kind }) => kind !== 'source' && state !== 'removed')
    if (wasKept) await this.#goOn(entry, settled(entry, files, this.#owner, this.#options.manifests.recordDir))
    else await this.#fail(entry)
    logger.warn({ recording: id, room, was: status, files: files.length }, 'recording that a crash left is settled')
    return true
  }

  get #owner(): { node: string; pid: number } {
    return { node: this.#options.node, pid: process.pid }
  }

  async #goOn(before: CatalogueEntry, entry: CatalogueEntry): Promise<void> {
    const { manifests, recordings, takeOver } = this.#options
    await manifests.write(entry)
    await recordings.put(entry)
    if (wasInterrupted(before)) this.#emit('recording_interrupted', entry)
    await takeOver(entry)
  }

  async #fail(entry: CatalogueEntry): Promise<void> {
    const failed = fruitless(entry)
    await this.#options.recordings.put({ ...failed, manifest_path: entry.manifest_path })
    if (entry.manifest_path !== null) await this.finishFruitless({ ...failed, manifest_path: entry.manifest_path })
    this.#emit('recording_failed', failed)
  }

  /** Paths of the journal: not to be touched. */
  #unfinished(): ReadonlySet<string> {
    return new Set(this.#options.journal.list().map(({ path }) => path))
  }

  /** Somebody else mends one of its files now; not for ever. */
  #mustWait(entry: CatalogueEntry, unfinished: ReadonlySet<string>): boolean {
    const { recording_id: id, files } = entry.recording
    const { recordDir } = this.#options.manifests
    if (entry.manifest_path === null || unfinished.size === 0) return false
    if (!files.some((file) => unfinished.has(locateFile(entry, file, recordDir)))) return false
    const times = (this.#postponed.get(id) ?? 0) + 1
    this.#postponed.set(id, times)
    return times <= MAX_POSTPONED
  }

  #emit(type: EventType, { recording }: CatalogueEntry): void {
    const { recording_id, room_id, user_id, status, duration_seconds, file_size_bytes, error } = recording
    const data = { recording_id, room_id, user_id, status, duration_seconds, file_size_bytes, error }
    this.#options.sink.emit({ type, roomId: room_id, recordingId: recording_id, userId: user_id, data })
  }
}

/**
 * What the state says where that is further than a manifest: none is written any more while files go, but markers, a hold and what
 * there is to go are noted still.
 */
function further(found: CatalogueEntry, stored: CatalogueEntry): CatalogueEntry {
  if (stored.revision <= found.revision) return found
  if (stored.manifest_path !== null) return stored
  return { ...found, revision: stored.revision } // nothing was left, as far as the state knows: here is a rest
}
