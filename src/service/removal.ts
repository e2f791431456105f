import { dirname, extname, resolve } from 'node:path'
import type { EventSink } from '../events/event.ts'
import type { Logger } from '../media/ports.ts'
import type { Audit } from '../recorder/audit.ts'
import type { CatalogueEntry } from '../state/catalogue-entry.ts'
import { StateAwayError } from '../state/errors.ts'
import type { Storage } from '../storage/ports.ts'
import type { ManifestStore } from './manifest.ts'
import { deletionMarker, locateFile } from './manifest-place.ts'

/** Endings of what tapedeck itself makes in a recording's own directory; anything else is somebody else's and stays. */
const OWN_ENDINGS = new Set([
  '.mp4',
  '.webm',
  '.weba',
  '.ogg',
  '.mkv',
  '.flv',
  '.json',
  '.jpg',
  '.jpeg',
  '.vtt',
  '.tmp',
  '.part',
  '.log',
])
/** Files in one recording's directory. */
const MAX_FILES = 100_000

/** Why a recording was deleted. */
export type DeletionReason = 'requested' | 'age' | 'total-size' | 'free-space'

/** What a remover works with. */
export interface RemoverOptions {
  readonly storage: Storage
  readonly manifests: ManifestStore
  readonly audit: Audit
  readonly sink: EventSink
  readonly logger: Logger
  /**
   * Takes it out of the catalogue; no error when it is not there. False when the state is away, and will forget it as soon as
   * it is back: the marker of the deletion stays until then, for the next start.
   */
  forget(id: string): Promise<boolean>
}

/** Removes recordings from disk, so that whatever moment it dies at, a later start can bring it to its end. */
export class RecordingRemover {
  readonly #options: RemoverOptions

  constructor(options: RemoverOptions) {
    this.#options = options
  }

  /**
   * Deletes a recording: catalogue entry, files, manifest, directory; tells of it. Its manifest is renamed before the first
   * file goes, so that no search finds it any more, and `resume` can finish what a crash left.
   * @throws StorageError
   * @throws StateAwayError when the catalogue alone knows of it, and cannot forget it now
   */
  async delete(entry: CatalogueEntry, reason: DeletionReason): Promise<void> {
    const { storage, manifests, forget } = this.#options
    const { manifest_path: path } = entry
    const isForgotten = await forget(entry.recording.recording_id)
    if (path === null && !isForgotten)
      throw new StateAwayError('the catalogue', 'it has not forgotten the recording yet')
    if (path !== null) {
      await manifests.settle(entry)
      // when it is gone already, there is nothing to mark
      await storage.rename(path, deletionMarker(path)).catch((error: unknown) => {
        if (!isMissing(error)) throw error
      })
    }
    await this.resume(entry, reason)
  }

  /** The rest of a deletion. `entry` as its manifest said. @throws StorageError */
  async resume(entry: CatalogueEntry, reason: DeletionReason = 'requested'): Promise<void> {
    const { audit, sink, logger, forget, storage } = this.#options
    const { recording_id: id, room_id: roomId, user_id: userId } = entry.recording
    const isForgotten = await forget(id)
    await this.eraseFiles(entry)
    const { manifest_path: path } = entry
    if (path !== null) {
      if (isForgotten) await storage.remove(deletionMarker(path))
    }
    audit.note('deleted', path ?? id, { recording: id, room: roomId, reason })
    logger.info({ recording: id, room: roomId, reason }, 'recording is deleted')
    const data = { recording_id: id, room_id: roomId, user_id: userId, reason }
    sink.emit({ type: 'recording_deleted', roomId, recordingId: id, userId, data })
  }

  /**
   * Removes all files of a recording: those that its manifest names, and in a directory of its own whatever else tapedeck
   * made there, and that directory itself, unless the manifest is in it: that stays.
   * @throws StorageError
   */
  async eraseFiles(entry: CatalogueEntry): Promise<void> {
    const { storage, audit } = this.#options
    if (entry.manifest_path === null) return
    const { recording_id: id, room_id: room } = entry.recording
    for (const path of await this.#filesOf(entry)) {
      await storage.remove(path)
      audit.note('deleted', path, { recording: id, room })
    }
    if (!entry.automatic) await storage.removeDirectory(dirname(entry.manifest_path))
  }

  /** Absolute paths of what there is to remove. */
  async #filesOf(entry: CatalogueEntry): Promise<string[]> {
    const { storage, manifests } = this.#options
    const { manifest_path: manifest } = entry
    if (manifest === null) return []
    const named = entry.recording.files.map((file) => locateFile(entry, file, manifests.recordDir))
    if (entry.automatic) return named.flatMap((path) => [path, `${path}.json`])
    const present = await storage.list(dirname(manifest), MAX_FILES)
    const paths = present.map(({ path }) => resolve(path)).filter((path) => OWN_ENDINGS.has(extname(path)))
    return [...new Set([...named, ...paths])].filter((path) => path !== manifest)
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'TD_FILE_MISSING'
}
