import type { Logger } from '../media/ports.ts'
import { StateAwayError } from './errors.ts'
import type { EventStore, NewEvent, Outbox, StoredEvent } from './event-store.ts'
import { type Backlog, WriteBehind } from './write-behind.ts'

/** Events that may wait while the state is away. */
const MAX_PENDING = 100_000
/** At once in one call of the store. */
const MAX_BATCH = 500
/** So many are dropped together: looking through them all costs something. */
const DROP_BATCH = 1000
/** What is dropped first: the next one says it better. */
const EXPENDABLE = 'recording_progress'

/** Brings events into the store in order, without anybody waiting for it, and keeps trying while it is away. */
export class EventWriter implements Backlog {
  readonly #store: EventStore
  readonly #outboxes: () => readonly Outbox[]
  readonly #logger: Logger
  readonly #behind: WriteBehind
  readonly #listeners = new Set<(event: StoredEvent) => void>()
  #queue: NewEvent[] = []
  /** What the store was given, and has not answered. */
  #batch: readonly NewEvent[] = []
  #dropped = 0

  /** `outboxes` is asked at each call of the store. */
  constructor(store: EventStore, outboxes: () => readonly Outbox[], logger: Logger) {
    this.#store = store
    this.#outboxes = outboxes
    this.#logger = logger
    this.#behind = new WriteBehind('events', this, logger)
  }

  /** How many events the store does not have yet. */
  get pending(): number {
    return this.#batch.length + this.#queue.length
  }

  /** How many were given up because too many waited, or because the store does not take them. */
  get dropped(): number {
    return this.#dropped
  }

  append(event: NewEvent): void {
    if (this.pending >= MAX_PENDING) this.#makeRoom()
    this.#queue.push(event)
    this.#behind.wake()
  }

  /** Called with each event once this writer has brought it into the store, in order. Returns the way to stop. */
  onStored(listener: (event: StoredEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** Tries at once: the state is back. */
  retry(): void {
    this.#behind.retry()
  }

  /** Resolves with true as soon as all is stored, with false at the deadline. */
  flush(options: { deadlineMs: number }): Promise<boolean> {
    return this.#behind.flush(options)
  }

  /** What is pending is lost. */
  close(): void {
    this.#behind.close()
  }

  /** For `WriteBehind`. A batch that failed is given again as it was: the store may have taken it. */
  async store(): Promise<void> {
    if (this.#batch.length === 0) {
      this.#batch = this.#queue.slice(0, MAX_BATCH)
      this.#queue = this.#queue.slice(MAX_BATCH)
    }
    try {
      this.#stored(await this.#store.append(this.#batch, this.#outboxes()))
    } catch (error) {
      if (error instanceof StateAwayError) throw error
      await this.#storeEach()
    }
    this.#batch = []
  }

  /** One of a batch is not to be stored: the others are. */
  async #storeEach(): Promise<void> {
    for (const event of this.#batch) {
      try {
        this.#stored(await this.#store.append([event], this.#outboxes()))
      } catch (error) {
        if (error instanceof StateAwayError) throw error
        this.#dropped++
        this.#logger.error({ err: error, id: event.id, type: event.type }, 'an event cannot be stored, and is left out')
      }
      this.#batch = this.#batch.slice(1)
    }
  }

  #stored(events: readonly StoredEvent[]): void {
    for (const event of events) {
      for (const listener of [...this.#listeners]) {
        try {
          listener(event)
        } catch (error) {
          this.#logger.error({ err: error, seq: event.seq }, 'a listener of stored events failed')
        }
      }
    }
  }

  #makeRoom(): void {
    let left = DROP_BATCH
    const kept = this.#queue.filter((event) => event.type !== EXPENDABLE || left-- <= 0)
    this.#queue = kept.length < this.#queue.length ? kept : this.#queue.slice(DROP_BATCH)
    const dropped = MAX_PENDING - this.pending
    if (this.#dropped === 0)
      this.#logger.error({ dropped }, 'too many events wait for the state: the oldest are dropped')
    this.#dropped += dropped
  }
}
