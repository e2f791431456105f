import type { CatalogueEntry } from '../state/catalogue-entry.ts'
import { RecordingLimitError, StateAwayError } from '../state/errors.ts'
import { LIMITED_STATUSES } from '../state/recording-object.ts'
import type { RecordingWriter } from '../state/recording-writer.ts'
import type { ActiveLimits, RecordingPage, RecordingQuery, RecordingStore } from '../state/store.ts'
import { CatalogueRecord, isFinal, type RecordKeeping } from './catalogue-record.ts'
import { ElsewhereError, RecordingMissingError } from './errors.ts'

/** How long a list waits for what this process has just changed, ms. */
const CATCH_UP_MS = 250

/** What a catalogue stands on. */
export interface CatalogueOptions extends RecordKeeping {
  readonly recordings: RecordingStore
  readonly writer: RecordingWriter
}

/** All recordings: those that this process holds in memory, the others in the state store. */
export class Catalogue {
  readonly #options: CatalogueOptions
  readonly #held = new Map<string, CatalogueRecord>()
  /** Changes of recordings that nobody holds, one after the other. */
  readonly #editing = new Map<string, Promise<unknown>>()

  constructor(options: CatalogueOptions) {
    this.#options = options
  }

  get held(): Iterable<CatalogueRecord> {
    return this.#held.values()
  }

  find(id: string): CatalogueRecord | undefined {
    return this.#held.get(id)
  }

  /** From now on this process holds it. */
  hold(entry: CatalogueEntry, options: { isKept: boolean }): CatalogueRecord {
    const record = new CatalogueRecord(this.#options, entry, options)
    this.#held.set(record.id, record)
    return record
  }

  /** It is final, and needs nobody any more. */
  release(id: string): void {
    this.#held.delete(id)
  }

  /**
   * Enters a new recording and holds it. While the state is away the limits are held against what this process knows.
   * @throws RecordingLimitError
   */
  async admit(entry: CatalogueEntry, limits: ActiveLimits): Promise<CatalogueRecord> {
    const { recordings, writer } = this.#options
    await this.#catchUp() // what has just ended makes room
    try {
      await recordings.admit(entry, limits)
    } catch (error) {
      if (!(error instanceof StateAwayError)) throw error
      this.#checkHere(entry, limits)
      writer.put(entry)
    }
    return this.hold(entry, { isKept: true })
  }

  /** Takes back what `admit` entered. */
  withdraw(id: string): void {
    this.#held.delete(id)
    this.#options.writer.remove(id)
  }

  /** @throws RecordingMissingError, StateAwayError */
  async load(id: string): Promise<CatalogueEntry> {
    const { writer, recordings } = this.#options
    const entry = this.#held.get(id)?.entry ?? writer.pendingEntry(id) ?? (await recordings.get(id))
    if (entry === undefined) throw new RecordingMissingError(id)
    return entry
  }

  /**
   * Changes a recording: the one in memory, or else, one change after the other, what is stored.
   * @throws RecordingMissingError, ElsewhereError, StateAwayError, and what `change` throws
   */
  async edit<T>(id: string, change: (record: CatalogueRecord) => T | Promise<T>): Promise<T> {
    const held = this.#held.get(id)
    if (held !== undefined) return change(held)
    return this.alone(id, () => this.#editStored(id, change))
  }

  /** Does `work` on a recording that nobody holds while nobody changes or deletes it. Throws what `work` throws. */
  async alone<T>(id: string, work: () => Promise<T>): Promise<T> {
    const before = this.#editing.get(id) ?? Promise.resolve()
    const done = before.catch(() => undefined).then(work)
    this.#editing.set(id, done)
    try {
      return await done
    } finally {
      if (this.#editing.get(id) === done) this.#editing.delete(id)
    }
  }

  /** `live` gives what is newer than the entries themselves. */
  async list(query: RecordingQuery, live: (id: string) => CatalogueEntry | undefined): Promise<RecordingPage> {
    await this.#catchUp()
    const page = await this.#options.recordings.list(query)
    return { ...page, entries: page.entries.map((entry) => live(entry.recording.recording_id) ?? entry) }
  }

  async count(query: Omit<RecordingQuery, 'cursor' | 'limit'>): Promise<number> {
    await this.#catchUp()
    return this.#options.recordings.count(query)
  }

  async #editStored<T>(id: string, change: (record: CatalogueRecord) => T | Promise<T>): Promise<T> {
    const entry = await this.load(id)
    if (!isFinal(entry.recording.status) && !this.#held.has(id)) throw new ElsewhereError(id, entry.owner?.node ?? '?')
    const record = this.#held.get(id) ?? new CatalogueRecord(this.#options, entry, { isKept: true })
    const result = await change(record)
    await record.written()
    return result
  }

  async #catchUp(): Promise<void> {
    const { writer } = this.#options
    if (writer.pending > 0) await writer.flush({ deadlineMs: CATCH_UP_MS })
  }

  #checkHere(entry: CatalogueEntry, limits: ActiveLimits): void {
    let total = 0
    let own = 0
    for (const { entry: other, status } of this.#held.values()) {
      if (other.automatic || !LIMITED_STATUSES.includes(status)) continue
      total++
      if (other.recording.user_id === entry.recording.user_id) own++
    }
    if (total >= limits.total) throw new RecordingLimitError('total', limits.total)
    const { perUser } = limits
    if (perUser !== undefined && entry.recording.user_id !== null && own >= perUser) {
      throw new RecordingLimitError('user', perUser)
    }
  }
}
