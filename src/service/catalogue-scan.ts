import { basename, dirname, sep } from 'node:path'
import type { Logger } from '../media/ports.ts'
import { isProcessOf } from '../recorder/process-life.ts'
import type { CatalogueEntry } from '../state/catalogue-entry.ts'
import { LIVE_STATUSES } from '../state/recording-object.ts'
import type { EntryHead, RecordingStore } from '../state/store.ts'
import type { Storage, StoredFile } from '../storage/ports.ts'
import type { ManifestStore } from './manifest.ts'
import { isManifestPath, isRecordingDirectory, MANIFEST_NAME, markedManifest } from './manifest-place.ts'
import { isAbandoned, isLive, isOwnerDead } from './ownership.ts'
import type { RecordingRemover } from './removal.ts'
import type { Alone, Settler } from './settler.ts'

/** Manifests. */
const READ_AT_ONCE = 32
/** What the catalogue did not learn of a manifest within this, it was told by `tapedeck reindex`, ms. */
const UNCHANGED_FOR_MS = 24 * 3_600_000
/** As `Storage.replace` names what is not in its place yet. */
const DRAFT = /^(?<of>.*)\.(?<pid>\d{1,10})\.tmp$/

/** What a manifest is about: see `ManifestStore.glance`. */
interface Glance {
  readonly id: string
  readonly revision: number
}

/** What the catalogue has of a recording. */
export interface KnownEntry {
  readonly revision: number
  readonly path: string | null
  readonly isOver: boolean
  /** It was cancelled, or has failed: there may be nothing to keep. */
  readonly leavesNothing: boolean
}

/** What a scan works with. */
export interface ScanOptions {
  readonly recordings: RecordingStore
  readonly manifests: ManifestStore
  readonly remover: RecordingRemover
  readonly storage: Storage
  readonly node: string
  readonly logger: Logger
  isHeld(id: string): boolean
  readonly alone: Alone
}

/** All that the catalogue has, by id. */
export function knownEntries(heads: readonly EntryHead[]): Map<string, KnownEntry> {
  const known = new Map<string, KnownEntry>()
  for (const { id, revision, status, manifestPath: path } of heads) {
    const leavesNothing = status === 'cancelled' || status === 'failed'
    known.set(id, { revision, path, isOver: !LIVE_STATUSES.includes(status), leavesNothing })
  }
  return known
}

/** One walk over all manifests on disk: puts into the catalogue what it lacks, and finishes removals that a crash cut off. */
export class CatalogueScan {
  readonly #options: ScanOptions
  readonly #settler: Settler
  readonly #isStopped: () => boolean
  /** Paths by id, of this walk. */
  readonly #seen = new Map<string, { readonly path: string; readonly revision: number }>()

  #files: readonly StoredFile[] = []

  constructor(options: ScanOptions, settler: Settler, isStopped: () => boolean) {
    this.#options = options
    this.#settler = settler
    this.#isStopped = isStopped
  }

  /** What lay below the recording directory when it began. */
  get files(): readonly StoredFile[] {
    return this.#files
  }

  /** False when it was stopped, or something has to be looked at again. @throws StateAwayError */
  async run(report: { settled: number; added: number; removed: number }): Promise<boolean> {
    const { manifests } = this.#options
    const files = await manifests.files()
    this.#files = files
    for (const { path } of files) report.removed += await this.#finishDelete(path)
    for (const file of files) if (file.path.endsWith('.tmp')) await this.#removeDraft(file)
    const known = knownEntries(await this.#options.recordings.heads())
    let isComplete = true
    const paths = this.#toRead(files, known)
    for (let at = 0; at < paths.length; at += READ_AT_ONCE) {
      const chunk = paths.slice(at, at + READ_AT_ONCE)
      const glances = await Promise.all(chunk.map((path) => manifests.glance(path).catch(() => undefined)))
      for (const [i, path] of chunk.entries()) {
        if (this.#isStopped()) return false
        if (!(await this.#compare(path, glances[i], known, report))) isComplete = false
      }
    }
    report.removed += await this.#finishUnseen(known)
    await this.#removeEmpty()
    return isComplete
  }

  /** Of recordings whose process died before the manifest was there, or after it was removed again. */
  async #removeEmpty(): Promise<void> {
    const { storage, manifests } = this.#options
    for (const directory of await storage.emptyDirectories(manifests.recordDir, performance.timeOrigin)) {
      if (isRecordingDirectory(directory)) await storage.removeDirectory(directory)
    }
  }

  /** Manifests that the catalogue knows, and that nobody has written for long, say nothing new. */
  #toRead(files: readonly StoredFile[], known: ReadonlyMap<string, KnownEntry>): string[] {
    const ids = new Map<string, string>()
    for (const [id, { path, leavesNothing }] of known) if (path !== null && !leavesNothing) ids.set(path, id)
    const paths: string[] = []
    for (const { path, modifiedAtMs } of files) {
      if (!isManifestPath(path)) continue
      const id = modifiedAtMs < performance.timeOrigin - UNCHANGED_FOR_MS ? ids.get(path) : undefined
      if (id === undefined) paths.push(path)
      else this.#seen.set(id, { path, revision: known.get(id)?.revision ?? 0 })
    }
    return paths
  }

  async #compare(
    path: string,
    glance: Glance | undefined,
    known: ReadonlyMap<string, KnownEntry>,
    report: { settled: number; added: number; removed: number },
  ): Promise<boolean> {
    const { manifests, recordings, node, isHeld } = this.#options
    if (glance === undefined) {
      await manifests.readFound(path) // says what is wrong with it
      return true
    }
    if (isHeld(glance.id)) return true
    const stored = known.get(glance.id)
    const isKnown = stored !== undefined && stored.revision >= glance.revision
    if (await this.#isOldCopy(path, glance, stored)) return true
    this.#seen.set(glance.id, { path, revision: glance.revision })
    const isSame = stored?.path === path && stored.revision === glance.revision
    if (isSame && !stored.leavesNothing) return true
    const entry = await manifests.readFound(path)
    if (entry === undefined) return true
    if (await this.#finishEnd(entry)) {
      report.removed++
      return true
    }
    if (isSame) return true
    if (isKnown && stored.path === null && stored.isOver) {
      await this.#settler.eraseRest(entry)
      report.removed++
      return true
    }
    if (isKnown && stored.revision > glance.revision) return this.#rewrite(glance.id, path)
    if (isAbandoned(entry, node)) {
      const isSettled = await this.#settler.settle(entry)
      if (isSettled) report.settled++
      return isSettled
    }
    return this.#options.alone(glance.id, async () => {
      if (!(await manifests.holds(entry))) return true // deleted meanwhile
      await recordings.put(entry)
      report.added++
      return true
    })
  }

  /** Whether another manifest of the same recording counts instead: one that was seen, or that the catalogue knows. */
  async #isOldCopy(path: string, { id, revision }: Glance, stored: KnownEntry | undefined): Promise<boolean> {
    const isElsewhere = stored !== undefined && stored.path !== null && stored.path !== path
    const other =
      this.#seen.get(id) ??
      (isElsewhere && (await this.#isThere(stored.path)) ? { path: stored.path, revision: stored.revision } : undefined)
    if (other === undefined) return false
    const fields = { recording: id, path, other: other.path }
    this.#options.logger.warn(fields, 'two manifests of one recording: the newer counts')
    return other.revision >= revision
  }

  /** The catalogue knows more than the manifest: the last write of it was cut off. */
  async #rewrite(id: string, path: string): Promise<boolean> {
    const { recordings, manifests } = this.#options
    const entry = await recordings.get(id)
    if (entry === undefined || isLive(entry) || entry.manifest_path !== path) return true
    if (await this.#finishEnd(entry)) return true
    await this.#options.alone(id, async () => {
      const now = await recordings.get(id)
      if (now !== undefined) await manifests.write(now)
    })
    return true
  }

  /** What was cancelled, or has failed without a file, leaves nothing. False when it is not such a one. */
  async #finishEnd(entry: CatalogueEntry): Promise<boolean> {
    const { status, files } = entry.recording
    const isFruitless = status === 'failed' && files.every(({ state }) => state === 'removed')
    if ((status !== 'cancelled' && !isFruitless) || !isOwnerDead(entry, this.#options.node)) return false
    if (status === 'cancelled') await this.#settler.finishCancel(entry)
    else await this.#settler.finishFruitless(entry)
    return true
  }

  /** Those whose manifest went, and whose last entry was cut off. */
  async #finishUnseen(known: ReadonlyMap<string, KnownEntry>): Promise<number> {
    const { recordings, manifests, isHeld } = this.#options
    let finished = 0
    for (const [id, { path, leavesNothing }] of known) {
      if (!leavesNothing || path === null || this.#seen.has(id) || isHeld(id)) continue
      if (!path.startsWith(manifests.recordDir + sep)) continue
      const entry = await recordings.get(id)
      if (entry !== undefined && (await this.#finishEnd(entry))) finished++
    }
    return finished
  }

  async #isThere(path: string | null): Promise<boolean> {
    if (path === null) return false
    return (await this.#options.manifests.glance(path).catch(() => undefined)) !== undefined
  }

  async #finishDelete(path: string): Promise<number> {
    const { manifests, remover, logger } = this.#options
    const place = markedManifest(path)
    const entry: CatalogueEntry | undefined = place === undefined ? undefined : await manifests.readFound(path)
    if (place === undefined || entry === undefined) return 0
    try {
      await remover.resume({ ...entry, manifest_path: place })
      return 1
    } catch (error) {
      logger.error({ err: error, path }, 'a deletion that a crash cut off could not be finished yet')
      return 0
    }
  }

  /** What a process that died was about to put in the place of a manifest. */
  async #removeDraft({ path, modifiedAtMs }: StoredFile): Promise<void> {
    const { of, pid } = DRAFT.exec(path)?.groups ?? {}
    if (of === undefined || !isManifestPath(of)) return
    const isOwn = Number(pid) === process.pid
    if (isOwn ? modifiedAtMs >= performance.timeOrigin : isProcessOf(Number(pid), modifiedAtMs)) return
    await this.#options.storage.remove(path)
    if (basename(of) === MANIFEST_NAME) await this.#options.storage.removeDirectory(dirname(of))
  }
}
