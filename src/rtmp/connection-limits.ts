/** Why a connection was not accepted. */
export type Refusal = 'too many connections' | 'too many from one address'

/** Seconds' worth of connections that an address may open at once. */
const BURST_SECONDS = 10
/** Addresses remembered; when more come within seconds, the oldest are forgotten. */
const MAX_ADDRESSES = 10_000

/** Tokens of one address, as of `atMs`. */
interface Bucket {
  tokens: number
  atMs: number
}

/** How often each address may connect: a bucket of tokens each, refilled with time. */
export class AddressRate {
  readonly #perSecond: number
  readonly #buckets = new Map<string, Bucket>()

  constructor(perSecond: number) {
    this.#perSecond = perSecond
  }

  /** Takes a token. False when there is none. `nowMs` never runs back. */
  take(address: string, nowMs: number): boolean {
    const capacity = this.#perSecond * BURST_SECONDS
    const known = this.#buckets.get(address)
    const bucket = known ?? { tokens: capacity, atMs: nowMs }
    bucket.tokens = Math.min(capacity, bucket.tokens + ((nowMs - bucket.atMs) / 1000) * this.#perSecond)
    bucket.atMs = nowMs
    this.#buckets.delete(address) // the map keeps the order of the last use
    this.#buckets.set(address, bucket)
    if (this.#buckets.size > MAX_ADDRESSES) this.#forgetOldest()
    if (bucket.tokens < 1) return false
    bucket.tokens--
    return true
  }

  #forgetOldest(): void {
    for (const address of this.#buckets.keys()) {
      this.#buckets.delete(address)
      return
    }
  }
}

/** Lines of one kind that are written at once, per interval. */
const LINES_AT_ONCE = 3
const LINE_INTERVAL_MS = 10_000

/** Fields of a log line; what has the same code is of one kind. */
interface CodedFields {
  readonly code: string | undefined
  readonly [name: string]: unknown
}

/** Events of one kind since `sinceMs`. */
interface Kind {
  readonly message: string
  sinceMs: number
  lines: number
  /** Not written yet. */
  unsaid: number
  fields: CodedFields
}

/**
 * Turns a flood of like events into a few lines of the log: the first three of a kind as they come, and then one line every
 * ten seconds with the number of the others, and the last of them.
 */
export class QuietLog {
  readonly #write: (message: string, fields: CodedFields, count: number) => void
  readonly #kinds = new Map<string, Kind>()

  constructor(write: (message: string, fields: CodedFields, count: number) => void) {
    this.#write = write
  }

  /** Messages and codes are kept for good, so there may be some dozens. `nowMs` never runs back. */
  note(message: string, fields: CodedFields, nowMs: number): void {
    const key = `${message} ${fields.code}`
    let kind = this.#kinds.get(key)
    if (kind === undefined) this.#kinds.set(key, (kind = { message, sinceMs: nowMs, lines: 0, unsaid: 0, fields }))
    this.#end(kind, nowMs)
    if (kind.lines < LINES_AT_ONCE) {
      kind.lines++
      this.#write(message, fields, 1)
      return
    }
    kind.unsaid++
    kind.fields = fields
  }

  /** Writes what is due; call about once a second. */
  tick(nowMs: number): void {
    for (const kind of this.#kinds.values()) this.#end(kind, nowMs)
  }

  /** Writes all that is unsaid, now. */
  close(): void {
    this.tick(Number.POSITIVE_INFINITY)
  }

  /** A flood that goes on has one line per interval; after a quiet interval there may be three again. */
  #end(kind: Kind, nowMs: number): void {
    if (nowMs - kind.sinceMs < LINE_INTERVAL_MS) return
    const { unsaid } = kind
    kind.sinceMs = nowMs
    kind.lines = unsaid > 0 ? LINES_AT_ONCE : 0
    kind.unsaid = 0
    if (unsaid > 0) this.#write(kind.message, kind.fields, unsaid)
  }
}
