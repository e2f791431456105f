import { sep } from 'node:path'
import type { CatalogueEntry } from '../state/catalogue-entry.ts'
import { readHeads } from '../state/entry-heads.ts'
import type { RecordingStore } from '../state/store.ts'
import { type KnownEntry, knownEntries } from './catalogue-scan.ts'
import type { ManifestStore } from './manifest.ts'
import { isManifestPath, locateFile } from './manifest-place.ts'

/** What reindexing works with. */
export interface ReindexOptions {
  readonly recordings: RecordingStore
  readonly manifests: ManifestStore
  /** Drop entries whose manifest is gone, instead of only naming them. */
  readonly prune: boolean
  /** Manifests read, of how many. */
  readonly onProgress?: (done: number, total: number) => void
}

/** What reindexing did. Paths are absolute. */
export interface ReindexReport {
  /** Recordings with a manifest. */
  readonly found: number
  readonly added: number
  readonly updated: number
  readonly unchanged: number
  /** Entries without their manifest that the catalogue has lost now. */
  readonly dropped: number
  /** Ids of entries whose manifest is gone, and that stay. */
  readonly missing: readonly string[]
  readonly missingFiles: readonly string[]
  /** Manifests of a recording that has another, newer one. */
  readonly copies: readonly { readonly id: string; readonly path: string; readonly instead: string }[]
  readonly faulty: readonly { readonly path: string; readonly message: string }[]
}

interface Seen {
  readonly revision: number
  readonly path: string
}

/** Rebuilds the catalogue from manifests alone. Beside a running server it does no harm: the newer revision always counts. */
export class Reindex {
  readonly #options: ReindexOptions
  readonly #seen = new Map<string, Seen>()
  readonly #copies: { id: string; path: string; instead: string }[] = []
  readonly #faulty: { path: string; message: string }[] = []
  readonly #missingFiles: string[] = []
  /** Ids by what became of them: a copy that is newer may change it. */
  readonly #outcomes = new Map<string, 'added' | 'updated' | 'unchanged'>()

  constructor(options: ReindexOptions) {
    this.#options = options
  }

  /** @throws StateAwayError, StorageError */
  async run(): Promise<ReindexReport> {
    const { manifests, recordings, onProgress } = this.#options
    const files = await manifests.files()
    const present = new Set(files.map(({ path }) => path))
    const known = knownEntries(await readHeads(recordings)) // what cannot be read is entered anew
    const paths = files.map(({ path }) => path).filter(isManifestPath)
    for (const [index, path] of paths.entries()) {
      onProgress?.(index, paths.length)
      const entry = await manifests.readFound(path, (at, { message }) => this.#faulty.push({ path: at, message }))
      if (entry !== undefined && entry.recording.status !== 'cancelled') await this.#enter(entry, path, present, known)
    }
    onProgress?.(paths.length, paths.length)
    const { dropped, missing } = await this.#compareMissing(known)
    const count = (outcome: string) => [...this.#outcomes.values()].filter((each) => each === outcome).length
    return {
      found: this.#seen.size,
      added: count('added'),
      updated: count('updated'),
      unchanged: count('unchanged'),
      dropped,
      missing,
      missingFiles: this.#missingFiles,
      copies: this.#copies,
      faulty: this.#faulty,
    }
  }

  async #enter(
    entry: CatalogueEntry,
    path: string,
    present: ReadonlySet<string>,
    known: ReadonlyMap<string, KnownEntry>,
  ): Promise<void> {
    const id = entry.recording.recording_id
    const twin = this.#seen.get(id)
    const stored = known.get(id)
    if (twin !== undefined) {
      const isNewer = entry.revision > twin.revision || (entry.revision === twin.revision && stored?.path === path)
      this.#copies.push(isNewer ? { id, path: twin.path, instead: path } : { id, path, instead: twin.path })
      if (!isNewer) return
    }
    this.#seen.set(id, { revision: entry.revision, path })
    const checked = this.#withoutMissing(entry, present)
    const isSame = stored?.revision === entry.revision && stored.path === path && checked === entry
    if (isSame || (stored !== undefined && stored.revision > entry.revision)) {
      this.#outcomes.set(id, 'unchanged')
      return
    }
    const isTaken = await this.#options.recordings.put(checked)
    this.#outcomes.set(id, !isTaken ? 'unchanged' : stored === undefined ? 'added' : 'updated')
  }

  /** Files that are not on disk are `removed` in the catalogue; the manifest stays as it is. */
  #withoutMissing(entry: CatalogueEntry, present: ReadonlySet<string>): CatalogueEntry {
    const { recordDir } = this.#options.manifests
    const missing = entry.recording.files.filter(
      (file) => file.state !== 'removed' && !present.has(locateFile(entry, file, recordDir)),
    )
    if (missing.length === 0) return entry
    for (const file of missing) this.#missingFiles.push(locateFile(entry, file, recordDir))
    const files = entry.recording.files.map((file) =>
      missing.includes(file) ? { ...file, state: 'removed' as const, size_bytes: 0 } : file,
    )
    return { ...entry, recording: { ...entry.recording, files } }
  }

  /** Entries that should have a manifest below the recording directory, and have none. */
  async #compareMissing(known: ReadonlyMap<string, KnownEntry>): Promise<{ dropped: number; missing: string[] }> {
    const { manifests, recordings, prune } = this.#options
    const missing: string[] = []
    let dropped = 0
    for (const [id, { path, isOver }] of known) {
      if (this.#seen.has(id) || path === null || !path.startsWith(manifests.recordDir + sep)) continue
      if (!prune || !isOver || this.#faulty.some((fault) => fault.path === path)) missing.push(id)
      else {
        await recordings.remove(id)
        dropped++
      }
    }
    return { dropped, missing }
  }
}
