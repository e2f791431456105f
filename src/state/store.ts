import type { CatalogueEntry } from './catalogue-entry.ts'
import type { EventStore } from './event-store.ts'
import type { RecordingStatus } from './recording-object.ts'
import type { TaskStore } from './task-store.ts'

/** How many recordings may take frames at a time: see `LIMITED_STATUSES`. Automatic ones neither count nor are bound. */
export interface ActiveLimits {
  readonly total: number
  /** Undefined for no bound of its own. */
  readonly perUser: number | undefined
}

/** Which recordings a list is about. All conditions hold. */
export interface RecordingQuery {
  readonly room?: string
  readonly user?: string
  /** Any of these. */
  readonly statuses?: readonly RecordingStatus[]
  /** Created at or after, before; ms since 1970. */
  readonly sinceMs?: number
  readonly untilMs?: number
  /** Of the page before. */
  readonly cursor?: string
  /** 1 to 1000. */
  readonly limit: number
}

/** One page of a list, newest first; what is created meanwhile never makes an entry appear twice or be left out. */
export interface RecordingPage {
  readonly entries: readonly CatalogueEntry[]
  /** For the next page; undefined after the last. Opaque to users. */
  readonly next: string | undefined
}

/** What there is of a recording, without what is in its entry. */
export interface EntryHead {
  readonly id: string
  readonly revision: number
  readonly status: RecordingStatus
  readonly manifestPath: string | null
}

/** The catalogue. Every call is one atomic step, also when it is cut off in the middle; repeating a call does no harm. */
export interface RecordingStore {
  /**
   * Enters a new recording if `limits` allow it, counted over all processes on the same state.
   * @throws RecordingLimitError
   */
  admit(entry: CatalogueEntry, limits: ActiveLimits): Promise<void>
  /** Enters or replaces. False when the store holds a newer revision already, which then stays. */
  put(entry: CatalogueEntry): Promise<boolean>
  /** As `put` for each of them, for less. Not one atomic step: after a failure some may have been taken. */
  putAll(entries: readonly CatalogueEntry[]): Promise<void>
  get(id: string): Promise<CatalogueEntry | undefined>
  /** No error when it is gone already. */
  remove(id: string): Promise<void>
  /** @throws BadCursorError */
  list(query: RecordingQuery): Promise<RecordingPage>
  /** How many `list` would give on all pages. */
  count(query: Omit<RecordingQuery, 'cursor' | 'limit'>): Promise<number>
  /** All in a live status, oldest first; only those of which `isAsked` says so. */
  live(isAsked?: (id: string) => boolean): Promise<CatalogueEntry[]>
  /** Of all there are, in no order, and for less than `list` asks; of what is damaged, none. Not one atomic step. */
  heads(): Promise<EntryHead[]>
}

/** Whether the state can be had. */
export interface StoreHealth {
  readonly isReachable: boolean
  /** Since when it is so, ms since 1970. */
  readonly sinceMs: number
  /** What it said last when it was not. */
  readonly problem: string | undefined
}

/**
 * What outlives the process, as far as it is not in files: the catalogue, the events of the last hour, durable tasks.
 * @throws StateAwayError from every call, soon, while it cannot be had; whether the call took effect is unknown then
 */
export interface StateStore {
  readonly kind: 'sqlite' | 'redis'
  readonly recordings: RecordingStore
  readonly events: EventStore
  readonly tasks: TaskStore
  readonly health: StoreHealth
  /** Told when `health.isReachable` changes. Returns the way to stop. */
  listen(listener: (health: StoreHealth) => void): () => void
  /** Idempotent. */
  close(): Promise<void>
}
