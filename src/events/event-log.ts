import { randomUUID } from 'node:crypto'
import type { Logger } from '../media/ports.ts'
import type { EventStore, Outbox, StoredEvent } from '../state/event-store.ts'
import { EventWriter } from '../state/event-writer.ts'
import type { EventSink, Happening } from './event.ts'

/** How long events are kept for those who come back, ms. */
const RETENTION_MS = 3_600_000
/** Between two looks for what is older, ms. */
const PRUNE_EVERY_MS = 60_000
/** What the store has to take the last events, ms. */
const CLOSE_DEADLINE_MS = 2000

/** What an `EventLog` stands on. */
export interface EventLogOptions {
  readonly store: { readonly events: EventStore }
  readonly logger: Logger
  /** Where events are to be delivered. */
  readonly outboxes?: readonly Outbox[]
  /** An hour by default, ms. */
  readonly retentionMs?: number
}

/** Told of each event once it is numbered and kept. Must not throw. */
export type EventListener = (event: StoredEvent) => void

/**
 * What happened in the last hour, in one order. `emit` takes at once and keeps in memory what the store cannot take now.
 * Lives once: `start`, then `close`; what is emitted before `start` is not lost.
 */
export class EventLog implements EventSink {
  readonly #store: EventStore
  readonly #logger: Logger
  readonly #retentionMs: number
  readonly #writer: EventWriter
  readonly #listeners = new Set<EventListener>()
  #unfollow: (() => void) | undefined
  #pruning: NodeJS.Timeout | undefined

  constructor(options: EventLogOptions) {
    this.#store = options.store.events
    this.#logger = options.logger
    this.#retentionMs = options.retentionMs ?? RETENTION_MS
    const outboxes = options.outboxes ?? []
    this.#writer = new EventWriter(this.#store, () => outboxes, options.logger)
  }

  /** Events that the store has not taken yet. */
  get pending(): number {
    return this.#writer.pending
  }

  /** Events that were given up: too many waited while the store was away. */
  get dropped(): number {
    return this.#writer.dropped
  }

  /** Begins to forget what is old. */
  start(): void {
    this.#pruning ??= setInterval(() => void this.#prune(), PRUNE_EVERY_MS).unref()
  }

  emit(happening: Happening): void {
    const { type, roomId, recordingId, userId, data } = happening
    const named = { id: randomUUID(), type, room_id: roomId, recording_id: recordingId, user_id: userId }
    this.#writer.append({ ...named, data, time: new Date().toISOString() })
  }

  /** Hands what waits to the store at once: it is back. */
  retry(): void {
    this.#writer.retry()
  }

  /**
   * Calls `listener` with each event of any server on this state from now on, in order, each once.
   * Returns the way to stop.
   */
  follow(listener: EventListener): () => void {
    this.#listeners.add(listener)
    this.#unfollow ??= this.#store.follow((event) => {
      for (const told of this.#listeners) told(event)
    })
    return () => {
      this.#listeners.delete(listener)
      if (this.#listeners.size > 0) return
      this.#unfollow?.()
      this.#unfollow = undefined
    }
  }

  /** Events after `seq`, in order, at most `limit`. @throws StateAwayError */
  since(seq: number, limit: number): Promise<StoredEvent[]> {
    return this.#store.since(seq, limit)
  }

  /** The lowest and highest number that is kept; `newest` is 0 before the first event ever. @throws StateAwayError */
  bounds(): Promise<{ readonly oldest: number; readonly newest: number }> {
    return this.#store.bounds()
  }

  /** Hands what is pending to the store, within `deadlineMs`. False when something was left. Idempotent. */
  async close(options: { readonly deadlineMs?: number } = {}): Promise<boolean> {
    clearInterval(this.#pruning)
    const isAllKept = await this.#writer.flush({ deadlineMs: options.deadlineMs ?? CLOSE_DEADLINE_MS })
    this.#writer.close()
    this.#listeners.clear()
    this.#unfollow?.()
    this.#unfollow = undefined
    return isAllKept
  }

  async #prune(): Promise<void> {
    try {
      await this.#store.prune(Date.now() - this.#retentionMs)
    } catch (error) {
      this.#logger.debug({ err: error }, 'old events could not be removed now')
    }
  }
}
