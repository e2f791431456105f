import type { Logger } from '../../media/ports.ts'
import type { CatalogueEntry } from '../catalogue-entry.ts'
import { type Position, parseCursor, writeCursor } from '../cursor.ts'
import { readHeads } from '../entry-heads.ts'
import { DamageLog, isLimited, isLive, parseEntry } from '../entry-text.ts'
import { RecordingLimitError } from '../errors.ts'
import type { ActiveLimits, EntryHead, RecordingPage, RecordingQuery, RecordingStore } from '../store.ts'
import type { RedisLink } from './link.ts'
import { ADMIT, COUNT, LIST, LIVE, PUT, REMOVE, RENEW } from './recording-scripts.ts'

const MAX_PAGE = 1000
/** Added to times, so that they sort as text: years before 1970 are positive, too. */
const EPOCH_MS = 100_000_000_000_000
const DIGITS = 15
/** What is live is kept alive at least so often, ms. */
const MAX_RENEWAL_MS = 3_600_000

/** Lifetimes of what others may read. */
export interface RedisLifetimes {
  /** Of `{prefix}state:{id}`, ms. */
  readonly stateTtlMs: number
  /** Of `{prefix}room:{room}` and `{prefix}user:{user}`, ms. */
  readonly indexTtlMs: number
}

/** The catalogue in Redis. */
export class RedisRecordings implements RecordingStore {
  readonly #link: RedisLink
  readonly #lifetimes: RedisLifetimes
  readonly #damage: DamageLog
  readonly #renewal: NodeJS.Timeout

  constructor(link: RedisLink, lifetimes: RedisLifetimes, logger: Logger) {
    this.#link = link
    this.#lifetimes = lifetimes
    this.#damage = new DamageLog(logger)
    const everyMs = Math.min(Math.min(lifetimes.stateTtlMs, lifetimes.indexTtlMs) / 3, MAX_RENEWAL_MS)
    this.#renewal = setInterval(() => void this.#renew(), everyMs).unref()
  }

  async admit(entry: CatalogueEntry, limits: ActiveLimits): Promise<void> {
    const perUser = limits.perUser ?? ''
    const refused = await this.#link.run(ADMIT, ...this.#written(entry), limits.total, perUser)
    if (refused === 'total') throw new RecordingLimitError('total', limits.total)
    if (refused === 'user') throw new RecordingLimitError('user', Number(perUser))
  }

  async put(entry: CatalogueEntry): Promise<boolean> {
    return (await this.#link.run(PUT, ...this.#written(entry))) === 1
  }

  async putAll(entries: readonly CatalogueEntry[]): Promise<void> {
    await Promise.all(entries.map((entry) => this.put(entry)))
  }

  async get(id: string): Promise<CatalogueEntry | undefined> {
    const text = await this.#link.command('HGET', 'catalogue:entries', id)
    return typeof text === 'string' ? parseEntry(`${this.#link.prefix}catalogue:entries ${id}`, text) : undefined
  }

  async remove(id: string): Promise<void> {
    await this.#link.run(REMOVE, id)
  }

  async list(query: RecordingQuery): Promise<RecordingPage> {
    const limit = Math.min(Math.max(1, query.limit), MAX_PAGE)
    const { highest, lowest } = range(query)
    const rows = pairs(await this.#link.run(LIST, limit + 1, highest, lowest, ...indexNames(query)))
    const last = rows[limit - 1]
    const next = rows.length > limit && last !== undefined ? writeCursor(parseMember(last[0])) : undefined
    return { entries: this.#entries(rows.slice(0, limit)), next }
  }

  async count(query: Omit<RecordingQuery, 'cursor' | 'limit'>): Promise<number> {
    const { highest, lowest } = range(query)
    return Number(await this.#link.run(COUNT, highest, lowest, ...indexNames(query)))
  }

  async live(isAsked: (id: string) => boolean = () => true): Promise<CatalogueEntry[]> {
    return this.#entries(pairs(await this.#link.run(LIVE)).filter(([member]) => isAsked(parseMember(member).id)))
  }

  heads(): Promise<EntryHead[]> {
    return readHeads(this)
  }

  close(): void {
    clearInterval(this.#renewal)
  }

  async #renew(): Promise<void> {
    try {
      await this.#link.run(RENEW, this.#lifetimes.stateTtlMs, this.#lifetimes.indexTtlMs)
    } catch {
      // health says so; the next time is soon enough, lifetimes being three times as long
    }
  }

  #written(entry: CatalogueEntry): (string | number)[] {
    const { recording_id, room_id, user_id, status } = entry.recording
    const meta = {
      revision: entry.revision,
      member: writeMember({ createdMs: Date.parse(entry.created_at), id: recording_id }),
      room: roomToken(room_id),
      user: user_id === null ? '' : userToken(user_id),
      room_name: room_id.toWellFormed(),
      user_name: user_id?.toWellFormed() ?? '',
      status,
      is_live: isLive(entry),
      is_limited: isLimited(entry),
      is_automatic: entry.automatic,
    }
    const { stateTtlMs, indexTtlMs } = this.#lifetimes
    const texts = [JSON.stringify(meta), JSON.stringify(entry), JSON.stringify(entry.recording)]
    return [recording_id, ...texts, stateTtlMs, indexTtlMs]
  }

  #entries(rows: readonly (readonly [member: string, entry: string | undefined])[]): CatalogueEntry[] {
    return rows.flatMap(([member, text]) => {
      if (text === undefined) return []
      const key = `${this.#link.prefix}catalogue:entries ${parseMember(member).id}`
      return this.#damage.attempt(() => parseEntry(key, text)) ?? []
    })
  }
}

/** Names from the network as parts of keys: whatever is in them, no two are the same, and none holds a separator. */
function roomToken(room: string): string {
  return `r${encodeURIComponent(room.toWellFormed())}`
}

function userToken(user: string): string {
  return `u${encodeURIComponent(user.toWellFormed())}`
}

function indexNames({ room, user, statuses }: Pick<RecordingQuery, 'room' | 'user' | 'statuses'>): string[] {
  const start = `index:${room === undefined ? '' : roomToken(room)}|${user === undefined ? '' : userToken(user)}|`
  return statuses === undefined ? [start] : [...new Set(statuses)].map((status) => start + status)
}

function writeTime(ms: number): string {
  const shifted = Math.min(Math.max(0, Math.ceil(ms) + EPOCH_MS), 10 ** DIGITS - 1)
  return String(shifted).padStart(DIGITS, '0')
}

function writeMember({ createdMs, id }: Position): string {
  return `${writeTime(createdMs)}:${id}`
}

function parseMember(member: string): Position {
  return { createdMs: Number(member.slice(0, DIGITS)) - EPOCH_MS, id: member.slice(DIGITS + 1) }
}

/** As ZRANGEBYLEX wants it. */
function range(query: Omit<RecordingQuery, 'limit'>): { highest: string; lowest: string } {
  const { sinceMs, untilMs, cursor } = query
  const below = [
    ...(untilMs === undefined ? [] : [writeTime(untilMs)]),
    ...(cursor === undefined ? [] : [writeMember(parseCursor(cursor))]),
  ].sort()[0]
  return {
    highest: below === undefined ? '+' : `(${below}`,
    lowest: sinceMs === undefined ? '-' : `[${writeTime(sinceMs)}`,
  }
}

function pairs(reply: unknown): [string, string | undefined][] {
  if (!Array.isArray(reply)) return []
  return Array.from({ length: reply.length >> 1 }, (_, i) => {
    const text: unknown = reply[2 * i + 1]
    return [String(reply[2 * i]), typeof text === 'string' ? text : undefined]
  })
}
