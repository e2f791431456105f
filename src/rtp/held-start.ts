import type { RtpPacket } from './packet.ts'
import { sequenceDelta } from './sequence.ts'

/** How long the first packets wait for those that they have overtaken, ms. */
const HOLD_MS = 50
const MAX_PACKETS = 64

/** The first packets of a stream, until it is clear with which it begins: any of them may have overtaken that. */
export class HeldStart {
  readonly #isBeginning: (packet: RtpPacket) => boolean
  readonly #packets: RtpPacket[] = []
  #isBegun = false

  /** @param isBeginning whether nothing before this packet is of use */
  constructor(isBeginning: (packet: RtpPacket) => boolean) {
    this.#isBeginning = isBeginning
  }

  add(packet: RtpPacket): void {
    this.#packets.push(packet)
    this.#isBegun ||= this.#isBeginning(packet)
  }

  /** Whether nothing more is waited for. */
  isDue(nowMs: number): boolean {
    const first = this.#packets.at(0)
    if (first === undefined) return false
    return this.#isBegun || this.#packets.length >= MAX_PACKETS || nowMs - first.arrivalMs >= HOLD_MS
  }

  /** All of them, as they were sent. */
  inOrder(): readonly RtpPacket[] {
    const from = this.#packets.at(0)?.sequenceNumber ?? 0
    return this.#packets.sort((a, b) => sequenceDelta(from, a.sequenceNumber) - sequenceDelta(from, b.sequenceNumber))
  }
}
