import type { Logger } from '../../media/ports.ts'
import { DamageLog } from '../entry-text.ts'
import { EventFeed } from '../event-feed.ts'
import type { EventStore, NewEvent, Outbox, StoredEvent } from '../event-store.ts'
import { deliveryKey, eventTimeMs, parseEvent, writeEvent } from '../event-text.ts'
import type { Row, SqliteConnection } from './connection.ts'
import type { SqliteTasks } from './tasks.ts'

/** How often it is looked for events of other processes while somebody follows, ms. */
const POLL_MS = 400
/** Events told between two looks at other things. */
const BATCH = 500

/** Nothing for one that is there already, and no number is used up then: `ON CONFLICT` would use one. */
const INSERT = `
INSERT INTO event (id, time_ms, event)
SELECT ?1, ?2, ?3 WHERE NOT EXISTS (SELECT 1 FROM event WHERE id = ?1) RETURNING seq`
const NEWEST = "SELECT seq FROM sqlite_sequence WHERE name = 'event'"

/** Events in SQLite. */
export class SqliteEvents implements EventStore {
  readonly #connection: SqliteConnection
  readonly #tasks: SqliteTasks
  readonly #feed: EventFeed
  readonly #damage: DamageLog
  /** The last that followers were told of. */
  #toldSeq = 0
  #poll: NodeJS.Timeout | undefined
  #isPumping = false
  /** There is more since the pump looked. */
  #isMore = false

  constructor(connection: SqliteConnection, tasks: SqliteTasks, logger: Logger) {
    this.#connection = connection
    this.#tasks = tasks
    this.#feed = new EventFeed(logger)
    this.#damage = new DamageLog(logger)
    this.#toldSeq = this.#newest()
  }

  async append(events: readonly NewEvent[], outboxes: readonly Outbox[]): Promise<StoredEvent[]> {
    const stored = await this.#connection.transaction(() => events.map((event) => this.#append(event, outboxes)))
    if (this.#feed.isFollowed) await this.#pump()
    return stored
  }

  async since(seq: number, limit: number): Promise<StoredEvent[]> {
    return this.#events(await this.#connection.run(() => this.#rowsSince(seq, limit)))
  }

  bounds(): Promise<{ oldest: number; newest: number }> {
    return this.#connection.run(() => {
      const newest = this.#newest()
      const oldest = this.#connection.get('SELECT min(seq) AS seq FROM event')?.seq
      return { oldest: Number(oldest ?? newest + 1), newest }
    })
  }

  /** In one piece from the front, so that what is kept has no holes. */
  async prune(beforeMs: number): Promise<void> {
    const sql = `DELETE FROM event WHERE seq <
      coalesce((SELECT seq FROM event WHERE time_ms >= ? ORDER BY seq LIMIT 1), 9223372036854775807)`
    await this.#connection.run(() => this.#connection.change(sql, beforeMs))
  }

  follow(told: (event: StoredEvent) => void): () => void {
    if (!this.#feed.isFollowed) this.#begin()
    const stop = this.#feed.follow(told, this.#toldSeq)
    return () => {
      stop()
      if (!this.#feed.isFollowed) this.close()
    }
  }

  close(): void {
    clearInterval(this.#poll)
    this.#poll = undefined
  }

  #begin(): void {
    try {
      this.#toldSeq = this.#newest()
    } catch {
      // it begins after the last that is known: that cannot miss anything
    }
    this.#poll = setInterval(() => void this.#pump(), POLL_MS).unref()
  }

  async #pump(): Promise<void> {
    this.#isMore = true
    if (this.#isPumping) return
    this.#isPumping = true
    try {
      while (this.#isMore) {
        this.#isMore = false
        const rows = await this.#connection.run(() => this.#rowsSince(this.#toldSeq, BATCH))
        const last = rows.at(-1)
        if (last === undefined) continue
        this.#isMore = true
        this.#toldSeq = Number(last.seq)
        this.#feed.tell(this.#events(rows))
      }
    } catch {
      // the state is away, which its health says; the next look tells what is missing
    } finally {
      this.#isPumping = false
    }
  }

  #append(event: NewEvent, outboxes: readonly Outbox[]): StoredEvent {
    const row = this.#connection.get(INSERT, event.id, eventTimeMs(event), writeEvent(event))
    if (row === undefined) {
      const there = this.#connection.get('SELECT seq, event FROM event WHERE id = ?', event.id)
      return parseEvent(Number(there?.seq), String(there?.event))
    }
    const stored = { ...event, seq: Number(row.seq) }
    const nowMs = Date.now()
    for (const { queue, lifetimeMs, leavesOut } of outboxes) {
      if (leavesOut?.includes(event.type)) continue
      this.#tasks.insert({
        id: `${queue}:${event.id}`,
        queue,
        key: deliveryKey(event),
        priority: 0,
        payload: stored,
        dueAtMs: nowMs,
        expiresAtMs: nowMs + lifetimeMs,
      })
    }
    return stored
  }

  #newest(): number {
    return Number(this.#connection.get(NEWEST)?.seq ?? 0)
  }

  #rowsSince(seq: number, limit: number): Row[] {
    return this.#connection.all('SELECT seq, event FROM event WHERE seq > ? ORDER BY seq LIMIT ?', seq, limit)
  }

  #events(rows: readonly Row[]): StoredEvent[] {
    return rows.flatMap(({ seq, event }) => this.#damage.attempt(() => parseEvent(Number(seq), String(event))) ?? [])
  }
}
