/** What happens to packets of one direction. Chances are 0 to 1; nothing happens by default. */
export interface Impairment {
  readonly loss?: number
  /** Everything is lost for `lengthMs` every `everyMs`. */
  readonly burst?: { readonly everyMs: number; readonly lengthMs: number }
  readonly delayMs?: number
  /** A further delay that moves about between these; order is kept. */
  readonly jitterMs?: readonly [number, number]
  /** Chance that a packet is overtaken by those of the next `reorderMs`. */
  readonly reorder?: number
  readonly reorderMs?: number
  readonly duplicate?: number
}

/** What a datagram is by its first bytes (RFC 7983 §7, RFC 5761 §4). */
export type DatagramKind = 'stun' | 'dtls' | 'rtp' | 'rtcp' | 'other'

/** Datagrams of one kind. */
export interface DatagramCounts {
  passed: number
  dropped: number
  duplicated: number
}

/** The same of one RTP stream. */
export interface StreamCounts extends DatagramCounts {
  readonly ssrc: number
  readonly payloadType: number
  /** Of `dropped`, those with no later packet that passed: nothing tells of them. */
  droppedLast: number
}

/** What a direction did. */
export interface DirectionCounts {
  readonly kinds: Readonly<Record<DatagramKind, DatagramCounts>>
  readonly streams: readonly StreamCounts[]
}

/** Tells what a datagram is. */
export function kindOf(bytes: Uint8Array): DatagramKind {
  const first = bytes[0] ?? 255
  if (first <= 3) return 'stun'
  if (first >= 20 && first <= 63) return 'dtls'
  if (first < 128 || first > 191) return 'other'
  return bytes[1] >= 192 && bytes[1] <= 223 ? 'rtcp' : 'rtp'
}

/** Counts datagrams by what they are. */
export class DatagramCounter {
  readonly #kinds: Record<DatagramKind, DatagramCounts> = {
    stun: none(),
    dtls: none(),
    rtp: none(),
    rtcp: none(),
    other: none(),
  }
  readonly #streams = new Map<number, StreamCounts>()

  count(bytes: Uint8Array, copies: number): void {
    const kind = kindOf(bytes)
    add(this.#kinds[kind], copies)
    if (kind !== 'rtp' || bytes.length < 12) return
    const ssrc = ((bytes[8] << 24) | (bytes[9] << 16) | (bytes[10] << 8) | bytes[11]) >>> 0
    let stream = this.#streams.get(ssrc)
    if (stream === undefined)
      this.#streams.set(ssrc, (stream = { ssrc, payloadType: bytes[1] & 0x7f, droppedLast: 0, ...none() }))
    add(stream, copies)
    stream.droppedLast = copies === 0 ? stream.droppedLast + 1 : 0
  }

  counts(): DirectionCounts {
    return { kinds: this.#kinds, streams: [...this.#streams.values()] }
  }
}

function none(): DatagramCounts {
  return { passed: 0, dropped: 0, duplicated: 0 }
}

function add(counts: DatagramCounts, copies: number): void {
  if (copies === 0) counts.dropped++
  else counts.passed++
  if (copies > 1) counts.duplicated++
}

/** Random numbers from 0 to 1 that are the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** How long until jitter moves, ms. */
const JITTER_STEP_MS = 120

/** Decides what becomes of each packet of one direction of one flow: when it leaves, and how often. Seeded. */
export class Impairer {
  readonly #random: () => number
  readonly #startMs: number
  #impairment: Impairment = {}
  #jitterMs = 0
  #jitterUntilMs = 0
  #lastDueMs = 0

  constructor(seed: number, nowMs: number) {
    this.#random = seeded(seed)
    this.#startMs = nowMs
  }

  set impairment(impairment: Impairment) {
    this.#impairment = impairment
  }

  /** When its copies leave; none when it is lost. */
  decide(nowMs: number): number[] {
    const { loss = 0, burst, reorder = 0, reorderMs = 30, duplicate = 0 } = this.#impairment
    const [isLost, isLate, isTwice] = [this.#random() < loss, this.#random() < reorder, this.#random() < duplicate]
    if (isLost) return []
    if (burst !== undefined && (nowMs - this.#startMs) % burst.everyMs > burst.everyMs - burst.lengthMs) return []
    const dueMs = Math.max(this.#lastDueMs, nowMs + this.#delayMs(nowMs))
    if (isLate) return [dueMs + reorderMs]
    this.#lastDueMs = dueMs
    return isTwice ? [dueMs, dueMs + this.#random() * 20] : [dueMs]
  }

  #delayMs(nowMs: number): number {
    const { delayMs = 0, jitterMs } = this.#impairment
    if (jitterMs === undefined) return delayMs
    if (nowMs >= this.#jitterUntilMs) {
      this.#jitterMs = jitterMs[0] + this.#random() * (jitterMs[1] - jitterMs[0])
      this.#jitterUntilMs = nowMs + JITTER_STEP_MS
    }
    return delayMs + this.#jitterMs
  }
}
