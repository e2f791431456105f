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

/** What was not written of one kind of event since `sinceMs`. */
interface Unsaid {
  sinceMs: number
  lines: number
  count: number
  fields: object
}

/**
 * Turns a flood of like events into a few lines of the log: the first three of a kind as they come, and then one line every
 * ten seconds with the number of the others, and the last of them.
 */
export class QuietLog {
  readonly #write: (kind: string, fields: object, count: number) => void
  readonly #kinds = new Map<string, Unsaid>()

  constructor(write: (kind: string, fields: object, count: number) => void) {
    this.#write = write
  }

  /** Of kinds there may be some dozens: they are kept for good. `nowMs` never runs back. */
  note(kind: string, fields: object, nowMs: number): void {
    let unsaid = this.#kinds.get(kind)
    if (unsaid === undefined) this.#kinds.set(kind, (unsaid = { sinceMs: nowMs, lines: 0, count: 0, fields }))
    this.#end(kind, unsaid, nowMs)
    if (unsaid.lines < LINES_AT_ONCE) {
      unsaid.lines++
      this.#write(kind, fields, 1)
      return
    }
    unsaid.count++
    unsaid.fields = fields
  }

  /** Writes what is due; call about once a second. */
  tick(nowMs: number): void {
    for (const [kind, unsaid] of this.#kinds) this.#end(kind, unsaid, nowMs)
  }

  /** Writes all that is unsaid, now. */
  close(): void {
    this.tick(Number.POSITIVE_INFINITY)
  }

  /** A flood that goes on has one line per interval; after a quiet interval there may be three again. */
  #end(kind: string, unsaid: Unsaid, nowMs: number): void {
    if (nowMs - unsaid.sinceMs < LINE_INTERVAL_MS) return
    const { count } = unsaid
    unsaid.sinceMs = nowMs
    unsaid.lines = count > 0 ? LINES_AT_ONCE : 0
    unsaid.count = 0
    if (count > 0) this.#write(kind, unsaid.fields, count)
  }
}
