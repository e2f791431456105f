/** One packet that has not come. */
type Missing = {
  /** Extended beyond 16 bit. */
  readonly sequence: number
  readonly sinceMs: number
  /** Of the first and the last request; meaningless while `tries` is 0. */
  askedFirstMs: number
  askedLastMs: number
  tries: number
}

/** What is known of a packet that came after all. */
export type Arrival = 'recovered' | 'reordered'

const DEFAULT_RTT_MS = 100
/** Given to the network and to the peer beyond the round trip before a packet is asked for again. */
const RETRY_MARGIN_MS = 20
const MAX_RETRY_MS = 500
/** Requests for one packet; a second's budget at a round trip of 100 ms needs seven. */
const MAX_TRIES = 16
/** Packets asked for in one go. */
const MAX_ASKED = 500
/** How long a packet may be overtaken before it is asked for, ms; learned between these. */
const MIN_REORDER_MS = 5
const MAX_REORDER_MS = 150
/** Looked through again after so long, ms. */
const LOOK_MS = 4
/** After so many holes that were asked for in vain, one after the other, the peer is taken for one that does not answer. */
const IN_VAIN = 32
/** How long is waited then, by what reordering there is. */
const REORDER_FACTOR = 4
const MIN_WAIT_MS = 100

/**
 * The packets that have not come, in order, and when each is to be asked for. Learns how much the network reorders, so that what
 * is only overtaken is not asked for; and whether the peer answers at all.
 */
export class MissingPackets {
  readonly #budgetMs: number
  readonly #asks: boolean
  #missing: Missing[] = []
  #reorderMs = 10
  #lookAtMs = 0
  #inVain = 0
  /** By other means; what is measured here stands in for it. */
  rttMs: number | undefined
  /** From a request to what it asked for, smoothed, ms. */
  measuredRttMs: number | undefined
  /** Numbers that were asked for, each time counted. */
  nacks = 0

  constructor(budgetMs: number, asks: boolean) {
    this.#budgetMs = budgetMs
    this.#asks = asks
  }

  get count(): number {
    return this.#missing.length
  }

  /** The first that is missing; infinite when none is. */
  get first(): number {
    return this.#missing.length === 0 ? Number.POSITIVE_INFINITY : this.#missing[0].sequence
  }

  /** How long a packet is waited for, ms. */
  get waitMs(): number {
    if (this.#asks && this.#inVain < IN_VAIN) return this.#budgetMs
    return Math.min(this.#budgetMs, Math.max(MIN_WAIT_MS, REORDER_FACTOR * this.#reorderMs))
  }

  /** `from` to `to` (exclusive) were skipped; above all that were missing before. */
  add(from: number, to: number, nowMs: number): void {
    if (this.#missing.length === 0) this.#lookAtMs = nowMs + this.#reorderMs
    for (let sequence = from; sequence < to; sequence++) {
      this.#missing.push({ sequence, sinceMs: nowMs, askedFirstMs: 0, askedLastMs: 0, tries: 0 })
    }
  }

  /** It came. Undefined when it was not missing. */
  remove(sequence: number, nowMs: number, isRetransmission: boolean): Arrival | undefined {
    const at = this.#find(sequence)
    if (at < 0) return undefined
    const [entry] = this.#missing.splice(at, 1)
    const askedForMs = nowMs - entry.askedFirstMs
    if (entry.tries > 0 && (isRetransmission || askedForMs >= (this.#roundTripMs ?? MIN_REORDER_MS) / 2)) {
      this.#inVain = 0
      if (entry.tries === 1) this.#measure(askedForMs)
      return 'recovered'
    }
    if (!isRetransmission) this.learnReordering(nowMs - entry.sinceMs)
    return isRetransmission ? 'recovered' : 'reordered'
  }

  /** One came that had been given up: the peer does answer. */
  answered(): void {
    this.#inVain = 0
  }

  /** A packet came so much after one that was sent later. */
  learnReordering(lateMs: number): void {
    this.#reorderMs = Math.min(MAX_REORDER_MS, Math.max(this.#reorderMs, 1.25 * lateMs))
  }

  /** How many of the first in an unbroken row from `next` on have been waited for long enough; they are forgotten. */
  expire(next: number, nowMs: number): number {
    const oldest = nowMs - this.waitMs
    let count = 0
    let wasAsked = false
    for (const missing = this.#missing; count < missing.length; count++) {
      if (missing[count].sequence !== next + count || missing[count].sinceMs > oldest) break
      if (missing[count].tries > 0) wasAsked = true
    }
    if (wasAsked) this.#inVain++
    if (count > 0) this.#missing.splice(0, count)
    return count
  }

  /** Forgets all below `sequence`; returns how many. */
  dropBelow(sequence: number): number {
    let count = 0
    while (count < this.#missing.length && this.#missing[count].sequence < sequence) count++
    if (count > 0) this.#missing.splice(0, count)
    return count
  }

  /** Appends to `due` the 16-bit numbers that are to be asked for now, in rising order. */
  collectDue(nowMs: number, due: number[]): void {
    if (!this.#asks || nowMs < this.#lookAtMs) return
    this.#lookAtMs = nowMs + LOOK_MS
    const retryMs = (this.#roundTripMs ?? DEFAULT_RTT_MS) + RETRY_MARGIN_MS
    for (const entry of this.#missing) {
      if (due.length === MAX_ASKED) break
      if (!this.#isDue(entry, nowMs, retryMs)) continue
      if (entry.tries++ === 0) entry.askedFirstMs = nowMs
      entry.askedLastMs = nowMs
      due.push(entry.sequence & 0xffff)
    }
    this.nacks += due.length
  }

  /** Time goes by: what was learned of reordering fades. */
  fade(): void {
    this.#reorderMs = Math.max(MIN_REORDER_MS, this.#reorderMs * 0.999)
  }

  get #roundTripMs(): number | undefined {
    return this.rttMs ?? this.measuredRttMs
  }

  /** Smoothed as in RFC 6298 §2. */
  #measure(rttMs: number): void {
    this.measuredRttMs =
      this.measuredRttMs === undefined ? rttMs : this.measuredRttMs + (rttMs - this.measuredRttMs) / 8
  }

  #isDue(entry: Missing, nowMs: number, retryMs: number): boolean {
    if (entry.tries === 0) return nowMs - entry.sinceMs >= this.#reorderMs
    if (entry.tries >= (this.#inVain < IN_VAIN ? MAX_TRIES : 1)) return false
    return nowMs - entry.askedLastMs >= Math.min(MAX_RETRY_MS, retryMs * (1 + 0.15 * (entry.tries - 1)))
  }

  #find(sequence: number): number {
    let low = 0
    let high = this.#missing.length - 1
    while (low <= high) {
      const middle = (low + high) >> 1
      const found = this.#missing[middle].sequence
      if (found === sequence) return middle
      if (found < sequence) low = middle + 1
      else high = middle - 1
    }
    return -1
  }
}
