import type { RtpPacket } from './packet.ts'

/** Slots at first; a power of two, as every size. */
const FIRST_SLOTS = 64

/** Packets by extended sequence number, in a window that begins at a number which only rises. */
export class PacketRing {
  #slots: (RtpPacket | undefined)[] = new Array(FIRST_SLOTS).fill(undefined)
  /** Packets that are held, and their payloads' bytes. */
  count = 0
  bytes = 0

  has(sequence: number): boolean {
    return this.#slots[sequence & (this.#slots.length - 1)]?.sequenceNumber === (sequence & 0xffff)
  }

  /** `from` is the lowest number that may be held; `sequence` lies less than 32768 above, and is not held yet. */
  put(sequence: number, packet: RtpPacket, from: number): void {
    while (sequence - from >= this.#slots.length) this.#grow(from)
    this.#slots[sequence & (this.#slots.length - 1)] = packet
    this.count++
    this.bytes += packet.payload.length
  }

  /** Takes it out. */
  take(sequence: number): RtpPacket | undefined {
    const at = sequence & (this.#slots.length - 1)
    const packet = this.#slots[at]
    if (packet === undefined) return undefined
    this.#slots[at] = undefined
    this.count--
    this.bytes -= packet.payload.length
    return packet
  }

  #grow(from: number): void {
    const old = this.#slots
    this.#slots = new Array(old.length * 2).fill(undefined)
    for (let i = from; i < from + old.length; i++) {
      this.#slots[i & (this.#slots.length - 1)] = old[i & (old.length - 1)]
    }
  }
}
