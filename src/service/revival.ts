import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '../media/ports.ts'
import type { Recorder } from '../recorder/recorder.ts'
import type { CatalogueEntry } from '../state/catalogue-entry.ts'
import { StateAwayError } from '../state/errors.ts'
import type { Journal, JournalEntry } from '../state/journal.ts'
import type { RecordingFile } from '../state/recording-object.ts'
import type { RecordingWriter } from '../state/recording-writer.ts'
import type { RecordingStore } from '../state/store.ts'
import type { Storage } from '../storage/ports.ts'
import type { Catalogue } from './catalogue.ts'
import { leftFiles } from './left-files.ts'
import type { ManifestStore } from './manifest.ts'
import { locateFile, manifestsFor } from './manifest-place.ts'
import { isAbandoned } from './ownership.ts'
import { awaitedSince, Past } from './past.ts'
import { planOfEntry, type RequestDefaults } from './recording-plan.ts'
import type { RoomKeeper } from './room-keeper.ts'
import { wasInterrupted } from './settlement.ts'
import { openWhenKilled } from './stray-files.ts'

/** Files that cannot be mended now are tried again after this, ms. */
const RETRY_MS = 5000
/** How often it is waited for somebody else who mends one of the files. */
const MAX_POSTPONED = 6
/** From one try to be the one that takes up what was left to the next, ms. */
const CLAIM_EVERY_MS = 50
/** How long the state may take to learn who goes on with it, ms. */
const STORED_MS = 1000
/** Manifests. */
const READ_AT_ONCE = 32

/** What revival works with. */
export interface RevivalOptions {
  readonly recordings: RecordingStore
  readonly manifests: ManifestStore
  readonly catalogue: Catalogue
  readonly keeper: RoomKeeper
  readonly storage: Storage
  /** Mends the files that a crash left. */
  readonly recorder: Pick<Recorder, 'recovered'>
  readonly journal: Pick<Journal, 'list' | 'claim'>
  /** Has in the state what was changed. */
  readonly writer: Pick<RecordingWriter, 'flush'>
  readonly node: string
  readonly logger: Logger
  readonly defaults: RequestDefaults
  /** How long participants are waited for at least, ms; 0: nothing is revived. */
  readonly windowMs: number
}

/**
 * Lets recordings go on that a crash of this node's last process interrupted: their participants are about to come back. Each
 * is held at once, so that whoever returns finds it, and its files are mended beside that. Made before the recorder is
 * started, so that it sees what was open when the last process ended.
 */
export class Revival {
  readonly #options: RevivalOptions
  readonly #left: readonly JournalEntry[]
  readonly #stopping = new AbortController()
  #isLate = false

  constructor(options: RevivalOptions) {
    this.#options = options
    this.#left = options.windowMs > 0 ? openWhenKilled(options) : []
  }

  /** Takes up what may go on. Once, at the start. Never throws. */
  async run(): Promise<void> {
    const { windowMs, logger } = this.#options
    if (windowMs <= 0) return
    try {
      const release = await this.#claim()
      if (release === undefined) return
      try {
        await this.#takeUp(performance.now())
      } finally {
        release()
      }
    } catch (error) {
      logger.error({ err: error }, 'recordings that a crash interrupted cannot go on')
    }
  }

  /** What has not been taken up by now is not any more: somebody may have taken its place. */
  conclude(): void {
    this.#isLate = true
  }

  /** Mends nothing more: the next start does. */
  stop(): void {
    this.#isLate = true
    this.#stopping.abort()
  }

  /** Of several processes on one journal that start at the same time one takes up all: the others see then whose they are. */
  async #claim(): Promise<(() => void) | undefined> {
    while (!this.#isLate) {
      const release = this.#options.journal.claim('revival')
      if (release !== undefined) return release
      await delay(CLAIM_EVERY_MS, undefined, { ref: false })
    }
    return undefined
  }

  async #takeUp(openedAtMs: number): Promise<void> {
    const interrupted = await this.#interrupted()
    // of several of one address the newest goes on
    interrupted.sort((one, other) => (one.created_at < other.created_at ? 1 : -1))
    const revived = interrupted.filter((entry) => !this.#isLate && this.#revive(entry, openedAtMs))
    if (revived.length > 0) await this.#options.writer.flush({ deadlineMs: STORED_MS })
  }

  /** Whether it goes on. */
  #revive(entry: CatalogueEntry, openedAtMs: number): boolean {
    const { catalogue, keeper, node, defaults, windowMs, logger } = this.#options
    const { recording_id: id, room_id: room, status } = entry.recording
    if (catalogue.find(id) !== undefined || !keeper.mayRevive(entry)) return false
    const plan = planOfEntry(entry, defaults)
    const sinceMs = awaitedSince(entry) ?? Date.now()
    const waitMs = Math.max(windowMs, plan.reconnectWindowMs) - (Date.now() - sinceMs)
    const isOpenEnded = status === 'pending' && plan.participants !== undefined // they may come whenever they like
    if (waitMs <= 0 && !isOpenEnded) return false // a server that dies again and again does not keep it alive
    const awaitsUntilMs = openedAtMs + waitMs
    const record = catalogue.hold(entry, { isKept: true })
    record.change({ owner: { node, pid: process.pid, since: new Date().toISOString() } })
    keeper.revive(record, plan, new Past({ entry, awaitsUntilMs, mended: this.#mended(entry) }))
    logger.warn({ recording: id, room, status }, 'recording that a crash interrupted goes on')
    return true
  }

  /** Those whose process died while frames could be taken, as the newest of state and manifest has them. */
  async #interrupted(): Promise<CatalogueEntry[]> {
    const { recordings, catalogue, node, logger } = this.#options
    const found = new Map<string, CatalogueEntry>()
    try {
      const live = await recordings.live((id) => catalogue.find(id) === undefined)
      const abandoned = live.filter((entry) => isAbandoned(entry, node) && wasInterrupted(entry))
      await this.#each(abandoned, async (entry) => {
        const newest = await this.#withManifest(entry)
        if (newest !== undefined) found.set(newest.recording.recording_id, newest)
      })
    } catch (error) {
      if (!(error instanceof StateAwayError)) throw error
      logger.warn(
        { code: error.code },
        'the state is away: recordings that a crash interrupted are known by their files',
      )
    }
    const places = new Set(this.#left.flatMap(({ path }) => manifestsFor(path)))
    await this.#each([...places], async (place) => {
      const entry = await this.#unknown(place)
      if (entry !== undefined && !found.has(entry.recording.recording_id))
        found.set(entry.recording.recording_id, entry)
    })
    return [...found.values()].filter((entry) => isAbandoned(entry, node) && wasInterrupted(entry))
  }

  /** Undefined where the manifest is gone: there is nothing to go on with. */
  async #withManifest(entry: CatalogueEntry): Promise<CatalogueEntry | undefined> {
    if (entry.manifest_path === null) return undefined
    const written = await this.#options.manifests.readFound(entry.manifest_path)
    if (written?.recording.recording_id !== entry.recording.recording_id) return undefined
    return written.revision >= entry.revision ? written : entry
  }

  /** One of which the state may not have heard yet. */
  async #unknown(place: string): Promise<CatalogueEntry | undefined> {
    const { manifests, recordings } = this.#options
    const written = await manifests.readFound(place)
    if (written === undefined) return undefined
    const stored = await recordings.get(written.recording.recording_id).catch(() => undefined)
    return stored !== undefined && stored.revision > written.revision ? stored : written
  }

  async #each<T>(all: readonly T[], work: (each: T) => Promise<void>): Promise<void> {
    for (let at = 0; at < all.length; at += READ_AT_ONCE) await Promise.all(all.slice(at, at + READ_AT_ONCE).map(work))
  }

  /** Its files, once they are what they will be. Does not resolve any more after `stop`. */
  async #mended(entry: CatalogueEntry): Promise<RecordingFile[]> {
    const { recorder, logger } = this.#options
    const { signal } = this.#stopping
    for (let attempt = 1; !signal.aborted; attempt++) {
      await recorder.recovered()
      try {
        const files = await this.#filesOf(entry, attempt <= MAX_POSTPONED)
        if (files !== undefined) return files
      } catch (error) {
        const { recording_id: recording } = entry.recording
        if (attempt === 1) logger.error({ err: error, recording }, 'files that a crash left cannot be looked at yet')
      }
      await delay(RETRY_MS, undefined, { ref: false, signal }).catch(() => undefined)
    }
    return new Promise(() => undefined)
  }

  /** Undefined while somebody else mends one of them. */
  async #filesOf(entry: CatalogueEntry, isPatient: boolean): Promise<RecordingFile[] | undefined> {
    const { manifests, storage, journal } = this.#options
    const { recordDir } = manifests
    const unfinished = new Set(journal.list().map(({ path }) => path))
    const isBusy = entry.recording.files.some((file) => unfinished.has(locateFile(entry, file, recordDir)))
    if (isBusy && isPatient) return undefined
    const left = new Set(this.#left.map(({ path }) => path))
    // what this process makes meanwhile is none of it
    const isLeft = (path: string, modifiedAtMs: number) => left.has(path) || modifiedAtMs < performance.timeOrigin
    return leftFiles(entry, { storage, recordDir, unfinished, isLeft })
  }
}
