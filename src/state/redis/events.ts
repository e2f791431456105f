import type { Redis } from 'ioredis'
import type { Logger } from '../../media/ports.ts'
import { DamageLog } from '../entry-text.ts'
import { EventFeed } from '../event-feed.ts'
import type { EventStore, NewEvent, Outbox, StoredEvent } from '../event-store.ts'
import { deliveryKey, eventTimeMs, parseEvent, writeEvent } from '../event-text.ts'
import { APPEND, BOUNDS, PRUNE, PRUNE_BATCH } from './event-scripts.ts'
import type { RedisLink } from './link.ts'

/** How long Redis may hold a question for new events, ms. */
const BLOCK_MS = 2000
/** More than that without an answer: the connection is dead, ms. */
const DEAD_MS = 5000
/** After a failure, ms. */
const RETRY_MS = 250
/** Events asked for at a time. */
const BATCH = 500
const STREAM = 'events:stream'

/** Events in Redis: a stream whose ids are the numbers. */
export class RedisEvents implements EventStore {
  readonly #link: RedisLink
  readonly #feed: EventFeed
  readonly #damage: DamageLog
  /** The last that followers were told of; undefined until Redis said where it is. */
  #toldSeq: number | undefined
  #following: Following | undefined

  constructor(link: RedisLink, logger: Logger) {
    this.#link = link
    this.#feed = new EventFeed(logger)
    this.#damage = new DamageLog(logger)
  }

  async append(events: readonly NewEvent[], outboxes: readonly Outbox[]): Promise<StoredEvent[]> {
    const reply = await this.#link.run(
      APPEND,
      Date.now(),
      outboxes.length,
      ...outboxes.flatMap(({ queue, lifetimeMs }) => [queue, lifetimeMs]),
      ...events.flatMap((event) => [
        event.id,
        writeEvent(event),
        eventTimeMs(event),
        deliveryKey(event),
        outboxes.map(({ leavesOut }) => (leavesOut?.includes(event.type) ? '0' : '1')).join(''),
      ]),
    )
    return seqAndText(reply).map(([seq, text]) => parseEvent(seq, text))
  }

  async since(seq: number, limit: number): Promise<StoredEvent[]> {
    return this.#events(streamEntries(await this.#link.command('XRANGE', STREAM, `${seq + 1}`, '+', 'COUNT', limit)))
  }

  async bounds(): Promise<{ oldest: number; newest: number }> {
    const reply = await this.#link.run(BOUNDS)
    const [oldest, newest] = Array.isArray(reply) ? reply.map(Number) : []
    return { oldest: oldest ?? 1, newest: newest ?? 0 }
  }

  /** In one piece from the front, so that what is kept has no holes. */
  async prune(beforeMs: number): Promise<void> {
    while ((await this.#link.run(PRUNE, beforeMs)) === PRUNE_BATCH) {
      // there is more
    }
  }

  follow(told: (event: StoredEvent) => void): () => void {
    const newest = this.bounds()
    const begun = newest.then(
      (bounds) => bounds.newest,
      () => undefined,
    )
    let stop: (() => void) | undefined
    let isStopped = false
    void begun.then((seq) => {
      if (isStopped) return
      stop = this.#feed.follow(told, seq ?? this.#toldSeq ?? 0)
      this.#toldSeq ??= seq
      this.#following ??= new Following(
        this.#link,
        () => this.#begin(),
        (client) => this.#next(client),
      )
    })
    return () => {
      isStopped = true
      stop?.()
      if (!this.#feed.isFollowed) this.close()
    }
  }

  close(): void {
    this.#following?.stop()
    this.#following = undefined
    this.#toldSeq = undefined
  }

  /** Redis may have lost its data, and count anew. */
  async #begin(): Promise<void> {
    const { newest } = await this.bounds()
    if (this.#toldSeq !== undefined && newest >= this.#toldSeq) return
    this.#toldSeq = newest
    this.#feed.rewind(newest)
  }

  /** Waits for what comes next, and tells it. */
  async #next(client: Redis): Promise<void> {
    const reply: unknown = await client.call(
      'XREAD',
      ...['COUNT', String(BATCH), 'BLOCK', String(BLOCK_MS)],
      ...['STREAMS', this.#link.prefix + STREAM, `${this.#toldSeq ?? 0}-0`],
    )
    const entries = Array.isArray(reply) && Array.isArray(reply[0]) ? streamEntries(reply[0][1]) : []
    const last = entries.at(-1)
    if (last === undefined || this.#following === undefined) return
    this.#toldSeq = last[0]
    this.#feed.tell(this.#events(entries))
  }

  #events(entries: readonly (readonly [seq: number, text: string])[]): StoredEvent[] {
    return entries.flatMap(([seq, text]) => this.#damage.attempt(() => parseEvent(seq, text)) ?? [])
  }
}

/** A connection that waits for events, and is made anew when it breaks. */
class Following {
  readonly #begin: () => Promise<void>
  readonly #next: (client: Redis) => Promise<void>
  #client: Redis | undefined
  #isStopped = false
  #isNew = true

  /** `begin` comes first on each connection, then `next` again and again. */
  constructor(link: RedisLink, begin: () => Promise<void>, next: (client: Redis) => Promise<void>) {
    this.#begin = begin
    this.#next = next
    void this.#run(link)
  }

  stop(): void {
    this.#isStopped = true
    this.#client?.disconnect()
  }

  async #run(link: RedisLink): Promise<void> {
    const client = await link.blocking()
    if (this.#isStopped) return client.disconnect()
    this.#client = client
    client.on('close', () => {
      this.#isNew = true
    })
    // its failures are those of the other connection, whose health says so
    client.on('error', () => {})
    while (!this.#isStopped) {
      try {
        await this.#step(client)
      } catch {
        if (!this.#isStopped) await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref())
      }
    }
  }

  async #step(client: Redis): Promise<void> {
    if (client.status !== 'ready') await becomesReady(client)
    if (this.#isNew) {
      this.#isNew = false
      await this.#begin().catch((error: unknown) => {
        this.#isNew = true
        throw error
      })
    }
    const dead = setTimeout(() => client.disconnect(true), DEAD_MS).unref()
    try {
      await this.#next(client)
    } finally {
      clearTimeout(dead)
    }
  }
}

async function becomesReady(client: Redis): Promise<void> {
  await new Promise<void>((resolve) => {
    const settle = () => {
      client.off('ready', settle)
      client.off('end', settle)
      resolve()
    }
    client.on('ready', settle)
    client.on('end', settle)
  })
}

function seqAndText(reply: unknown): [number, string][] {
  if (!Array.isArray(reply)) return []
  return Array.from({ length: reply.length >> 1 }, (_, i) => [Number(reply[2 * i]), String(reply[2 * i + 1])])
}

/** Of entries as streams give them, `[id, [field, value]]`: the number and the event. */
function streamEntries(reply: unknown): [number, string][] {
  if (!Array.isArray(reply)) return []
  return reply.map((entry: unknown) => {
    const [id, fields] = Array.isArray(entry) ? entry : []
    const text = Array.isArray(fields) ? fields[fields.indexOf('event') + 1] : undefined
    return [Number.parseInt(String(id), 10), String(text)]
  })
}
