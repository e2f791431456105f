import type { RtpPacket } from './packet.ts'
import { sequenceDelta } from './sequence.ts'

/** How long the first packets wait for those that they have overtaken, ms; and for those that are asked for. */
const HOLD_MS = 50
const ASKED_HOLD_MS = 250
const MAX_PACKETS = 256
/** Asked for before the first that came: what one entry of a NACK holds (RFC 4585 §6.2.1). */
const ASKED_PACKETS = 17

/** The first packets of a stream, until it is clear with which it begins: that may have been overtaken, or lost. */
export class HeldStart {
  readonly #isBeginning: (packet: RtpPacket) => boolean
  readonly #packets: RtpPacket[] = []
  #isBegun = false
  #holdMs = HOLD_MS

  /** @param isBeginning whether nothing before this packet is of use */
  constructor(isBeginning: (packet: RtpPacket) => boolean) {
    this.#isBeginning = isBeginning
  }

  get count(): number {
    return this.#packets.length
  }

  add(packet: RtpPacket): void {
    this.#packets.push(packet)
    this.#isBegun ||= this.#isBeginning(packet)
  }

  /** Whether what lies before the first packet was asked for. */
  get isAsking(): boolean {
    return this.#holdMs !== HOLD_MS
  }

  /** What may have been sent before the first packet, in rising order; asked for once. */
  ask(): readonly number[] {
    const first = this.#packets.at(0)
    if (first === undefined || this.#isBegun || this.isAsking) return []
    this.#holdMs = ASKED_HOLD_MS
    return Array.from({ length: ASKED_PACKETS }, (_, i) => (first.sequenceNumber - ASKED_PACKETS + i) & 0xffff)
  }

  /** Whether nothing more is waited for. */
  isDue(nowMs: number): boolean {
    const first = this.#packets.at(0)
    if (first === undefined) return false
    return this.#isBegun || this.#packets.length >= MAX_PACKETS || nowMs - first.arrivalMs >= this.#holdMs
  }

  /** All of them, as they were sent. */
  inOrder(): readonly RtpPacket[] {
    const from = this.#packets.at(0)?.sequenceNumber ?? 0
    return this.#packets.sort((a, b) => sequenceDelta(from, a.sequenceNumber) - sequenceDelta(from, b.sequenceNumber))
  }
}
