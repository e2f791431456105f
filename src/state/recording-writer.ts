import type { Logger } from '../media/ports.ts'
import type { CatalogueEntry } from './catalogue-entry.ts'
import { StateAwayError } from './errors.ts'
import type { RecordingStore } from './store.ts'
import { type Backlog, WriteBehind } from './write-behind.ts'

/** Nobody waits for an automatic recording to be listed: what changes of it within this is written once, ms. */
const GATHERING_MS = 300

/** At once in one call of the store. */
const MAX_BATCH = 50

/** What is to happen to an entry: the newest wish alone. */
type Wish = { readonly entry: CatalogueEntry | undefined }

/**
 * Brings entries into the store without anybody waiting for it, and keeps trying while it is away. Memory is bounded by the
 * number of recordings that changed meanwhile: of each only the latest is kept.
 */
export class RecordingWriter implements Backlog {
  readonly #store: RecordingStore
  readonly #logger: Logger
  readonly #wishes = new Map<string, Wish>()
  readonly #behind: WriteBehind
  #gathering: NodeJS.Timeout | undefined

  constructor(store: RecordingStore, logger: Logger) {
    this.#store = store
    this.#logger = logger
    this.#behind = new WriteBehind('recordings', this, logger)
  }

  /** How many entries the store does not have yet. */
  get pending(): number {
    return this.#wishes.size
  }

  /** As it will be in the store; undefined when nothing is pending, or its removal is. */
  pendingEntry(id: string): CatalogueEntry | undefined {
    return this.#wishes.get(id)?.entry
  }

  /** An older revision than the one that waits is left out. */
  put(entry: CatalogueEntry): void {
    const id = entry.recording.recording_id
    const before = this.#wishes.get(id)?.entry
    if (before !== undefined && before.revision > entry.revision) return
    this.#wishes.set(id, { entry })
    if (!entry.automatic) this.#behind.wake()
    else this.#gathering ??= setTimeout(() => this.#gathered(), GATHERING_MS).unref()
  }

  remove(id: string): void {
    this.#wishes.set(id, { entry: undefined })
    this.#behind.wake()
  }

  /** Tries at once: the state is back. */
  retry(): void {
    this.#behind.retry()
  }

  /** Resolves with true as soon as all is stored, with false at the deadline. */
  flush(options: { deadlineMs: number }): Promise<boolean> {
    return this.#behind.flush(options)
  }

  /** What is pending is left to the manifests. */
  close(): void {
    clearTimeout(this.#gathering)
    this.#behind.close()
  }

  #gathered(): void {
    this.#gathering = undefined
    this.#behind.wake()
  }

  /** For `WriteBehind`: the wishes that have waited longest. */
  async store(): Promise<void> {
    const wishes = [...this.#wishes].slice(0, MAX_BATCH)
    const entries = wishes.flatMap(([, { entry }]) => entry ?? [])
    if (entries.length > 1 && (await this.#storeAll(entries))) {
      for (const [id, wish] of wishes) if (wish.entry !== undefined) this.#granted(id, wish)
    }
    for (const [id, wish] of wishes) if (this.#wishes.get(id) === wish) await this.#storeOne(id, wish)
  }

  /** False when one of them is not to be stored: the others are. */
  async #storeAll(entries: readonly CatalogueEntry[]): Promise<boolean> {
    try {
      await this.#store.putAll(entries)
      return true
    } catch (error) {
      if (error instanceof StateAwayError) throw error
      return false
    }
  }

  async #storeOne(id: string, wish: Wish): Promise<void> {
    try {
      if (wish.entry === undefined) await this.#store.remove(id)
      else await this.#store.put(wish.entry)
    } catch (error) {
      if (error instanceof StateAwayError) throw error
      this.#logger.error({ err: error, recording_id: id }, 'an entry cannot be stored; its manifest has it')
    }
    this.#granted(id, wish)
  }

  /** What was wished anew meanwhile waits still. */
  #granted(id: string, wish: Wish): void {
    if (this.#wishes.get(id) === wish) this.#wishes.delete(id)
  }
}
