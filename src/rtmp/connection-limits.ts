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

/** Turns a flood of like events into one line of the log every ten seconds, with their number. */
export class QuietLog {
  readonly #intervalMs = 10_000
  readonly #write: (what: string, count: number) => void
  readonly #kinds = new Map<string, { atMs: number; unsaid: number }>()

  constructor(write: (what: string, count: number) => void) {
    this.#write = write
  }

  /** Says `what` now when it was not said lately; otherwise counts it for the next time. At most some dozen kinds. */
  note(what: string, nowMs: number): void {
    const kind = this.#kinds.get(what) ?? { atMs: Number.NEGATIVE_INFINITY, unsaid: 0 }
    this.#kinds.set(what, kind)
    kind.unsaid++
    if (nowMs - kind.atMs < this.#intervalMs) return
    this.#write(what, kind.unsaid)
    kind.atMs = nowMs
    kind.unsaid = 0
  }
}
