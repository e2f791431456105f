import { LimitError, MalformedError } from '../media/errors.ts'

/** Which packets of a transport came and when: draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1. */
export interface TransportFeedbackPacket {
  readonly type: 'transport-cc'
  readonly senderSsrc: number
  readonly mediaSsrc: number
  /** Transport sequence number of the first status, 16 bit. */
  readonly baseSequence: number
  /** Count of feedback packets, 8 bit. */
  readonly feedbackCount: number
  /** By sequence number: when it came, ms of the receiver's clock (exact to 0.25 ms, wraps with 24 bit of 64 ms); undefined when not. */
  readonly arrivalsMs: readonly (number | undefined)[]
}

/** Header, SSRCs, base, count, reference time. */
const FIXED_BYTES = 20
/** Statuses read from one packet: the field could say 65535 in a few bytes. */
const MAX_STATUSES_READ = 8192
/** Statuses written to one packet: with large deltas it stays below 1200 bytes. */
export const MAX_STATUSES = 512
const MAX_BYTES = 1180
/** Packet status symbols, §3.1.1. */
const MISSING = 0
const SMALL = 1 // delta of one byte
const LARGE = 2 // delta of two bytes, signed
const RUN_MAX = 0x1fff // §3.1.3
const TICKS_PER_MS = 4 // 250 µs, §3.1.5
const REFERENCE_TICKS = 256 // 64 ms, §3.1

/** Reads what follows the SSRCs. @throws MalformedError, LimitError */
export function parseTransportFeedback(
  senderSsrc: number,
  mediaSsrc: number,
  body: Uint8Array,
): TransportFeedbackPacket {
  if (body.length < 8) throw new MalformedError('transport-cc', 'no header')
  const baseSequence = (body[0] << 8) | body[1]
  const count = (body[2] << 8) | body[3]
  if (count > MAX_STATUSES_READ)
    throw new LimitError('transport-cc statuses', { limit: MAX_STATUSES_READ, asked: count })
  const { symbols, end } = readSymbols(body, count)
  const arrivalsMs: (number | undefined)[] = []
  let ticks = ((body[4] << 16) | (body[5] << 8) | body[6]) * REFERENCE_TICKS
  let at = end
  for (let i = 0; i < count; i++) {
    if (symbols[i] !== SMALL && symbols[i] !== LARGE) {
      arrivalsMs.push(undefined)
      continue
    }
    if (at + symbols[i] > body.length) throw new MalformedError('transport-cc', 'deltas beyond the end', at)
    ticks += symbols[i] === SMALL ? body[at] : ((body[at] << 24) | (body[at + 1] << 16)) >> 16
    at += symbols[i]
    arrivalsMs.push(ticks / TICKS_PER_MS)
  }
  return { type: 'transport-cc', senderSsrc, mediaSsrc, baseSequence, feedbackCount: body[7], arrivalsMs }
}

/** Packet status chunks, §3.1.3 and §3.1.4. */
function readSymbols(body: Uint8Array, count: number): { symbols: Uint8Array; end: number } {
  const symbols = new Uint8Array(count)
  let at = 8
  for (let i = 0; i < count; at += 2) {
    if (at + 2 > body.length) throw new MalformedError('transport-cc', 'chunks beyond the end', at)
    const chunk = (body[at] << 8) | body[at + 1]
    if (chunk < 0x8000) {
      const end = Math.min(count, i + (chunk & RUN_MAX))
      if (end === i) throw new MalformedError('transport-cc', 'empty run', at)
      symbols.fill((chunk >> 13) & 3, i, end)
      i = end
    } else if (chunk < 0xc000) {
      for (let bit = 13; bit >= 0 && i < count; bit--) symbols[i++] = (chunk >> bit) & 1
    } else {
      for (let bit = 12; bit >= 0 && i < count; bit -= 2) symbols[i++] = (chunk >> bit) & 3
    }
  }
  return { symbols, end: at }
}

/** Writes feedback packets, one after the other, into the same memory. */
export class TransportFeedbackWriter {
  readonly #bytes = new Uint8Array(MAX_BYTES + 4)
  readonly #symbols = new Uint8Array(MAX_STATUSES)
  readonly #deltas = new Int16Array(MAX_STATUSES)
  #feedbackCount = 0
  /** How many statuses the last packet holds. */
  written = 0

  /**
   * One whole RTCP packet about the statuses from `from` on, at most up to `to` (exclusive): as many as fit, see `written`.
   * `arrivalsMs` is a ring, by sequence number; 0 stands for missing. At least one of the first `MAX_STATUSES` has come.
   * Valid until the next call.
   */
  write(arrivalsMs: Float64Array, from: number, to: number, ssrcs: { sender: number; media: number }): Uint8Array {
    const reference = this.#measure(arrivalsMs, from, Math.min(to, from + MAX_STATUSES))
    const bytes = this.#bytes
    const view = new DataView(bytes.buffer)
    let at = this.#chunks(FIXED_BYTES)
    for (let i = 0; i < this.written; i++) {
      if (this.#symbols[i] === SMALL) bytes[at++] = this.#deltas[i]
      else if (this.#symbols[i] === LARGE) {
        view.setInt16(at, this.#deltas[i])
        at += 2
      }
    }
    const end = (at + 3) & ~3
    bytes.fill(0, at, end)
    bytes[0] = 0x80 | (end > at ? 0x20 : 0) | 15
    if (end > at) bytes[end - 1] = end - at
    bytes[1] = 205
    view.setUint16(2, end / 4 - 1)
    view.setUint32(4, ssrcs.sender)
    view.setUint32(8, ssrcs.media)
    view.setUint16(12, from & 0xffff)
    view.setUint16(14, this.written)
    view.setUint32(16, reference << 8)
    bytes[19] = this.#feedbackCount++
    return bytes.subarray(0, end)
  }

  /** Fills symbols and deltas; ends early where a delta does not fit two bytes. Returns the reference time, in its unit. */
  #measure(arrivalsMs: Float64Array, from: number, to: number): number {
    const mask = arrivalsMs.length - 1
    let reference = -1
    let last = 0
    let bytes = FIXED_BYTES + 4
    this.written = 0
    for (let sequence = from; sequence < to; sequence++) {
      const arrivalMs = arrivalsMs[sequence & mask]
      let symbol = MISSING
      let delta = 0
      if (arrivalMs !== 0) {
        const ticks = Math.floor(arrivalMs * TICKS_PER_MS)
        if (reference < 0) {
          reference = Math.floor(ticks / REFERENCE_TICKS)
          last = reference * REFERENCE_TICKS
        }
        delta = ticks - last
        if (delta < -0x8000 || delta > 0x7fff) break
        last = ticks
        symbol = delta >= 0 && delta <= 0xff ? SMALL : LARGE
      }
      bytes += symbol + 0.3 // a chunk tells of seven at least
      if (bytes > MAX_BYTES) break
      this.#symbols[this.written] = symbol
      this.#deltas[this.written++] = delta
    }
    return Math.max(0, reference) & 0xffffff
  }

  /** Writes the status chunks: runs where they are long, else vectors. Returns where they end. */
  #chunks(from: number): number {
    let at = from
    for (let i = 0; i < this.written; at += 2) {
      const symbol = this.#symbols[i]
      let run = i + 1
      while (run < this.written && this.#symbols[run] === symbol) run++
      let chunk: number
      if (run - i >= 14 || run === this.written) {
        chunk = (symbol << 13) | (run - i)
        i = run
      } else if (this.#isNarrow(i)) {
        chunk = 0x8000
        for (let bit = 13; bit >= 0 && i < this.written; bit--) chunk |= this.#symbols[i++] << bit
      } else {
        chunk = 0xc000
        for (let bit = 12; bit >= 0 && i < this.written; bit -= 2) chunk |= this.#symbols[i++] << bit
      }
      this.#bytes[at] = chunk >> 8
      this.#bytes[at + 1] = chunk
    }
    return at
  }

  /** Whether the next 14 statuses need one bit each. */
  #isNarrow(from: number): boolean {
    const to = Math.min(this.written, from + 14)
    for (let i = from; i < to; i++) if (this.#symbols[i] === LARGE) return false
    return true
  }
}
