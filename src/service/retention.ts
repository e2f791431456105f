import type { Logger } from '../media/ports.ts'
import type { CatalogueEntry } from '../state/catalogue-entry.ts'
import type { RecordingStatus } from '../state/recording-object.ts'
import type { RecordingStore } from '../state/store.ts'
import type { DeletionReason } from './removal.ts'

const INTERVAL_MS = 60_000
/** After a recording has ended, ms: a look goes through the whole catalogue, and serves all that end meanwhile. */
const POKED_AFTER_MS = 1000
/** How long a cancelled recording is remembered, ms. */
const CANCELLED_FOR_MS = 24 * 3_600_000
const PAGE = 1000
const ENDED: readonly RecordingStatus[] = ['completed', 'failed']

/** What is kept. Undefined for no bound. */
export interface RetentionLimits {
  /** After the end of a recording, ms. */
  readonly forMs: number | undefined
  readonly totalBytes: number | undefined
  /** Of the disk, bytes. */
  readonly freeBytes: number | undefined
}

/** What retention works with. */
export interface RetentionOptions {
  readonly limits: RetentionLimits
  readonly recordings: Pick<RecordingStore, 'list' | 'remove'>
  /** Whether the recording's files are this node's to delete: see `ManifestStore.holds`. */
  isHere(entry: CatalogueEntry): boolean | Promise<boolean>
  /** Deletes one with everything that belongs to it. */
  remove(entry: CatalogueEntry, reason: DeletionReason): Promise<void>
  freeBytes(): Promise<number>
  readonly logger: Logger
}

/** What one run did. */
export interface RetentionReport {
  readonly deleted: number
  /** Cancelled ones that the catalogue forgot. */
  readonly forgotten: number
}

/** Deletes what need not be kept any longer, oldest first: never what is live or on hold. */
export class Retention {
  readonly #options: RetentionOptions
  #timer: NodeJS.Timeout | undefined
  #running: Promise<RetentionReport> | undefined
  #soon: NodeJS.Timeout | undefined
  #isStopped = false

  constructor(options: RetentionOptions) {
    this.#options = options
  }

  /** Looks now, and every minute. */
  start(): void {
    void this.run()
    this.#timer = setInterval(() => void this.run(), INTERVAL_MS).unref()
  }

  /** Looks soon: a recording has ended. */
  poke(): void {
    if (!this.#isStopped && this.#isLimited) this.#soon ??= setTimeout(() => void this.#look(), POKED_AFTER_MS).unref()
  }

  /** Begins nothing more; resolves when what is under way is done. */
  async stop(): Promise<void> {
    this.#isStopped = true
    clearInterval(this.#timer)
    clearTimeout(this.#soon)
    await this.#running
  }

  /** Looks once. While it runs, a second call waits for the same. Never throws. */
  run(): Promise<RetentionReport> {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  get #isLimited(): boolean {
    const { forMs, totalBytes, freeBytes } = this.#options.limits
    return forMs !== undefined || totalBytes !== undefined || freeBytes !== undefined
  }

  async #look(): Promise<void> {
    this.#soon = undefined
    await this.#running // which may have begun before that recording had ended
    if (!this.#isStopped) await this.run()
  }

  async #run(): Promise<RetentionReport> {
    const report = { deleted: 0, forgotten: 0 }
    try {
      report.forgotten = await this.#forgetCancelled()
      if (this.#isLimited) report.deleted = await this.#sweep(await this.#candidates())
    } catch (error) {
      this.#options.logger.error({ err: error }, 'retention could not do its work; it tries again in a minute')
    }
    return report
  }

  /** `entries` oldest first. */
  async #sweep(entries: readonly CatalogueEntry[]): Promise<number> {
    const { limits, remove, logger } = this.#options
    let total = entries.reduce((sum, entry) => sum + sizeOf(entry), 0)
    let deleted = 0
    for (const entry of entries) {
      if (this.#isStopped) break
      if (entry.hold || !(await this.#options.isHere(entry))) continue
      const reason = await this.#reasonFor(entry, total)
      if (reason === undefined) {
        if (limits.forMs === undefined) break // neither too much nor too little: nothing younger goes
        continue
      }
      try {
        await remove(entry, reason)
        total -= sizeOf(entry)
        deleted++
      } catch (error) {
        logger.warn({ err: error, recording: entry.recording.recording_id }, 'recording could not be deleted yet')
      }
    }
    return deleted
  }

  async #reasonFor(entry: CatalogueEntry, totalBytes: number): Promise<DeletionReason | undefined> {
    const { limits, freeBytes } = this.#options
    if (limits.forMs !== undefined && endedAtMs(entry) < Date.now() - limits.forMs) return 'age'
    if (limits.totalBytes !== undefined && totalBytes > limits.totalBytes) return 'total-size'
    if (limits.freeBytes !== undefined && (await freeBytes()) < limits.freeBytes) return 'free-space'
    return undefined
  }

  /** All that came to their end, oldest first. */
  async #candidates(): Promise<CatalogueEntry[]> {
    const entries = await this.#all(ENDED)
    return entries.sort((one, other) => endedAtMs(one) - endedAtMs(other))
  }

  async #forgetCancelled(): Promise<number> {
    const { recordings } = this.#options
    const limitMs = Date.now() - CANCELLED_FOR_MS
    let forgotten = 0
    for (const entry of await this.#all(['cancelled'])) {
      if (entry.manifest_path !== null || endedAtMs(entry) >= limitMs) continue
      await recordings.remove(entry.recording.recording_id)
      forgotten++
    }
    return forgotten
  }

  async #all(statuses: readonly RecordingStatus[]): Promise<CatalogueEntry[]> {
    const { recordings } = this.#options
    const all: CatalogueEntry[] = []
    let cursor: string | undefined
    do {
      const page = await recordings.list({ statuses, limit: PAGE, ...(cursor === undefined ? {} : { cursor }) })
      all.push(...page.entries)
      cursor = page.next
    } while (cursor !== undefined)
    return all
  }
}

/** When a recording came to its end, ms since 1970. */
export function endedAtMs({ recording, created_at }: CatalogueEntry): number {
  return Date.parse(recording.processed_at ?? recording.stopped_at ?? recording.started_at ?? created_at)
}

function sizeOf({ recording }: CatalogueEntry): number {
  return recording.files.reduce((sum, file) => sum + (file.state === 'removed' ? 0 : file.size_bytes), 0)
}
