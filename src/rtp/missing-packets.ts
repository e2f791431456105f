import { DoubtfulArrivals } from './doubtful-arrivals.ts'

/** One packet that has not come. */
type Missing = {
  /** Extended beyond 16 bit. */
  readonly sequence: number
  readonly sinceMs: number
  /** When it was sent, on the clock of arrivals: what is missing is taken to be spread evenly over the hole. */
  readonly dueMs: number
  /** Of the first and the last request; meaningless while `tries` is 0. */
  askedFirstMs: number
  askedLastMs: number
  tries: number
}

/** What is known of a packet that came after all; `doubtful` is decided by `settle`. */
export type Arrival = 'recovered' | 'reordered' | 'doubtful'

const DEFAULT_RTT_MS = 100
/** Given to the network and to the peer beyond the round trip before a packet is asked for again. */
const RETRY_MARGIN_MS = 20
const MAX_RETRY_MS = 500
/** How much longer each wait for an answer is than the one before. */
const RETRY_GROWTH = 1.25
/** Requests for one packet. */
const MAX_TRIES = 16
/**
 * What a sender still has to send again: libwebrtc keeps 600 packets, or a second of them where those are more, and nothing beyond
 * three times as long. After an outage most is gone, and to go on asking is in vain.
 */
const KEPT_PACKETS = 600
const KEPT_MS = 1000
const MAX_KEPT_FACTOR = 3
/** Requests for a packet that is probably gone: other senders keep more, and the first request may be lost. */
const MAX_GONE_TRIES = 2
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
  readonly #doubtful = new DoubtfulArrivals()
  /** Retransmissions come on a stream of their own, so what comes on the first is never one. */
  #isApart = false
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

  /** `from` to `to` (exclusive) were skipped; above all that were missing before. `beforeMs`: when the packet before them came. */
  add(from: number, to: number, nowMs: number, beforeMs = nowMs): void {
    if (this.#missing.length === 0) this.#lookAtMs = nowMs + this.#reorderMs
    const spacingMs = (nowMs - beforeMs) / (to - from + 1)
    for (let sequence = from; sequence < to; sequence++) {
      const dueMs = nowMs - (to - sequence) * spacingMs
      this.#missing.push({ sequence, sinceMs: nowMs, dueMs, askedFirstMs: 0, askedLastMs: 0, tries: 0 })
    }
  }

  /** It came. Undefined when it was not missing. */
  remove(sequence: number, nowMs: number, isRetransmission: boolean): Arrival | undefined {
    const at = this.#find(sequence)
    if (at < 0) return undefined
    const [entry] = this.#missing.splice(at, 1)
    if (isRetransmission) this.#isApart = true
    const isAnswer = entry.tries > 0 && !this.#isApart
    const askedForMs = nowMs - entry.askedFirstMs
    if (isRetransmission || (isAnswer && askedForMs >= (this.#roundTripMs ?? MIN_REORDER_MS) / 2)) {
      this.#inVain = 0
      if (entry.tries === 1) this.#measure(askedForMs)
      return 'recovered'
    }
    const lateMs = nowMs - entry.sinceMs
    const roundTripMs = entry.tries === 1 ? askedForMs : undefined
    if (isAnswer && this.#doubtful.add(sequence, { lateMs, roundTripMs }, nowMs, this.#roundTripMs ?? DEFAULT_RTT_MS))
      return 'doubtful'
    this.learnReordering(lateMs)
    return 'reordered'
  }

  /** It came once more: when that is the answer to a request, it had only been overtaken before. */
  again(sequence: number): void {
    const doubt = this.#doubtful.take(sequence)
    if (doubt !== undefined) this.learnReordering(doubt.lateMs)
  }

  /** How many of the doubtful are known now to have been sent again. */
  settle(nowMs: number): number {
    let count = 0
    for (let doubt = this.#doubtful.due(nowMs); doubt !== undefined; doubt = this.#doubtful.due(nowMs)) {
      this.#inVain = 0
      if (doubt.roundTripMs !== undefined) this.#measure(doubt.roundTripMs)
      count++
    }
    return count
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

  /** Appends to `due` the 16-bit numbers that are to be asked for now, in rising order. `highest` is the newest that came. */
  collectDue(highest: number, nowMs: number, due: number[]): void {
    if (!this.#asks || nowMs < this.#lookAtMs) return
    this.#lookAtMs = nowMs + LOOK_MS
    for (const entry of this.#missing) {
      if (due.length === MAX_ASKED) break
      if (!this.#isDue(entry, highest, nowMs)) continue
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

  #isDue(entry: Missing, highest: number, nowMs: number): boolean {
    const { tries } = entry
    if (tries === 0) return nowMs - entry.sinceMs >= this.#reorderMs
    if (tries >= (this.#inVain < IN_VAIN ? MAX_TRIES : 1)) return false
    if (tries >= MAX_GONE_TRIES && this.#isGone(entry, highest, nowMs)) return false
    const firstMs = (this.#roundTripMs ?? DEFAULT_RTT_MS) + RETRY_MARGIN_MS
    return nowMs - entry.askedLastMs >= Math.min(MAX_RETRY_MS, firstMs * RETRY_GROWTH ** (tries - 1))
  }

  /** Whether the sender will probably have forgotten it when it is asked now. */
  #isGone({ sequence, dueMs }: Missing, highest: number, nowMs: number): boolean {
    const roundTripMs = this.#roundTripMs ?? DEFAULT_RTT_MS
    const ageMs = nowMs - dueMs + roundTripMs
    const keptMs = Math.max(KEPT_MS, 3 * roundTripMs)
    return ageMs >= keptMs * MAX_KEPT_FACTOR || (ageMs >= keptMs && highest - sequence >= KEPT_PACKETS)
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
