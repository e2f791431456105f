import type { Logger } from '../../media/ports.ts'
import type { CatalogueEntry } from '../catalogue-entry.ts'
import { parseCursor, writeCursor } from '../cursor.ts'
import { DamageLog, isLive, parseEntry } from '../entry-text.ts'
import { RecordingLimitError } from '../errors.ts'
import { RECORDING_STATUSES } from '../recording-object.ts'
import type { ActiveLimits, EntryHead, RecordingPage, RecordingQuery, RecordingStore } from '../store.ts'
import type { Row, SqliteConnection } from './connection.ts'

const MAX_PAGE = 1000

const PUT = `
INSERT INTO recording (id, created_ms, room, user, status, is_live, is_automatic, revision, entry)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET created_ms = excluded.created_ms, room = excluded.room, user = excluded.user,
  status = excluded.status, is_live = excluded.is_live, is_automatic = excluded.is_automatic,
  revision = excluded.revision, entry = excluded.entry
WHERE excluded.revision >= recording.revision`
/** In pieces, as media must not wait for all of them. */
const HEADS = `
SELECT id, revision, status, json_extract(entry, '$.manifest_path') AS path
FROM recording WHERE id > ? AND json_valid(entry) ORDER BY id LIMIT ${MAX_PAGE}`
/** See `isLimited`. */
const LIMITED = "SELECT count(*) AS n FROM recording WHERE is_live = 1 AND is_automatic = 0 AND status <> 'processing'"

/** The catalogue in SQLite. */
export class SqliteRecordings implements RecordingStore {
  readonly #connection: SqliteConnection
  readonly #damage: DamageLog

  constructor(connection: SqliteConnection, logger: Logger) {
    this.#connection = connection
    this.#damage = new DamageLog(logger)
  }

  admit(entry: CatalogueEntry, limits: ActiveLimits): Promise<void> {
    const connection = this.#connection
    const { recording_id, user_id } = entry.recording
    return connection.transaction(() => {
      const isThere = connection.get('SELECT 1 FROM recording WHERE id = ?', recording_id) !== undefined
      if (!isThere && !entry.automatic) {
        if (number(connection.get(LIMITED), 'n') >= limits.total) throw new RecordingLimitError('total', limits.total)
        if (user_id !== null && limits.perUser !== undefined) {
          const own = number(connection.get(`${LIMITED} AND user = ?`, user_id), 'n')
          if (own >= limits.perUser) throw new RecordingLimitError('user', limits.perUser)
        }
      }
      this.#put(entry)
    })
  }

  put(entry: CatalogueEntry): Promise<boolean> {
    return this.#connection.run(() => this.#put(entry))
  }

  putAll(entries: readonly CatalogueEntry[]): Promise<void> {
    return this.#connection.transaction(() => {
      for (const entry of entries) this.#put(entry)
    })
  }

  async get(id: string): Promise<CatalogueEntry | undefined> {
    const row = await this.#connection.run(() => this.#connection.get('SELECT entry FROM recording WHERE id = ?', id))
    return row === undefined ? undefined : parseEntry(`recording ${id}`, String(row.entry))
  }

  async remove(id: string): Promise<void> {
    await this.#connection.run(() => this.#connection.change('DELETE FROM recording WHERE id = ?', id))
  }

  async list(query: RecordingQuery): Promise<RecordingPage> {
    const limit = Math.min(Math.max(1, query.limit), MAX_PAGE)
    const { from, values } = selection(query)
    const sql = `SELECT created_ms, id, entry ${from} ORDER BY created_ms DESC, id DESC LIMIT ?`
    const rows = await this.#connection.run(() => this.#connection.all(sql, ...values, limit + 1))
    const page = rows.slice(0, limit)
    const last = page.at(-1)
    const next =
      rows.length > limit && last !== undefined
        ? writeCursor({ createdMs: number(last, 'created_ms'), id: String(last.id) })
        : undefined
    return { entries: this.#entries(page), next }
  }

  async count(query: Omit<RecordingQuery, 'cursor' | 'limit'>): Promise<number> {
    const { from, values } = selection(query)
    const sql = `SELECT count(*) AS n ${from}`
    return number(await this.#connection.run(() => this.#connection.get(sql, ...values)), 'n')
  }

  async live(isAsked: (id: string) => boolean = () => true): Promise<CatalogueEntry[]> {
    const rows = await this.#connection.run(() =>
      this.#connection
        .all('SELECT id FROM recording WHERE is_live = 1 ORDER BY created_ms, id')
        .filter(({ id }) => isAsked(String(id)))
        .flatMap(({ id }) => this.#connection.all('SELECT id, entry FROM recording WHERE id = ?', String(id))),
    )
    return this.#entries(rows)
  }

  async heads(): Promise<EntryHead[]> {
    const heads: EntryHead[] = []
    for (let after = ''; ; ) {
      const rows = await this.#connection.run(() => this.#connection.all(HEADS, after))
      for (const { id, revision, status, path } of rows) {
        after = String(id)
        const isKnown = RECORDING_STATUSES.find((each) => each === status)
        if (isKnown === undefined) continue
        const manifestPath = typeof path === 'string' ? path : null
        heads.push({ id: after, revision: Number(revision), status: isKnown, manifestPath })
      }
      if (rows.length < MAX_PAGE) return heads
    }
  }

  #put(entry: CatalogueEntry): boolean {
    const { recording_id, room_id, user_id, status } = entry.recording
    const flags = [isLive(entry) ? 1 : 0, entry.automatic ? 1 : 0]
    const createdMs = Date.parse(entry.created_at)
    const text = JSON.stringify(entry)
    return (
      this.#connection.change(
        PUT,
        ...[recording_id, createdMs, room_id, user_id, status, ...flags, entry.revision, text],
      ) > 0
    )
  }

  #entries(rows: readonly Row[]): CatalogueEntry[] {
    return rows.flatMap(({ id, entry }) => {
      return this.#damage.attempt(() => parseEntry(`recording ${id}`, String(entry))) ?? []
    })
  }
}

/** The index is named: without statistics, SQLite might choose one that makes it sort. */
function selection(query: Omit<RecordingQuery, 'limit'>): { from: string; values: (string | number)[] } {
  const conditions: string[] = []
  const values: (string | number)[] = []
  const add = (condition: string, ...operands: (string | number)[]) => {
    conditions.push(condition)
    values.push(...operands)
  }
  const { room, user, statuses, sinceMs, untilMs, cursor } = query
  if (room !== undefined) add('room = ?', room)
  if (user !== undefined) add('user = ?', user)
  if (statuses?.length === 1) add('status = ?', ...statuses)
  else if (statuses !== undefined) add('status IN (SELECT value FROM json_each(?))', JSON.stringify(statuses))
  if (sinceMs !== undefined) add('created_ms >= ?', sinceMs)
  if (untilMs !== undefined) add('created_ms < ?', untilMs)
  if (cursor !== undefined) {
    const { createdMs, id } = parseCursor(cursor)
    add('(created_ms, id) < (?, ?)', createdMs, id)
  }
  let index = 'recording_by_time'
  if (user !== undefined) index = 'recording_by_user'
  else if (room !== undefined) index = 'recording_by_room'
  else if (statuses?.length === 1) index = 'recording_by_status'
  const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`
  return { from: `FROM recording INDEXED BY ${index} ${where}`, values }
}

function number(row: Row | undefined, column: string): number {
  return Number(row?.[column] ?? 0)
}
