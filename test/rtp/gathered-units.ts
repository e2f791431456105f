import type { AccessUnit, AccessUnitSink, Damage } from '../../src/rtp/access-unit.ts'
import type { Depacketizer } from '../../src/rtp/depacketizer.ts'
import { RtpPacket } from '../../src/rtp/packet.ts'

/** Keeps what a depacketizer gives out, in its order. */
export class GatheredUnits implements AccessUnitSink {
  readonly units: AccessUnit[] = []
  readonly damages: Damage[] = []
  /** `unit` or `damaged`. */
  readonly order: string[] = []

  unit(unit: AccessUnit): void {
    this.units.push({ ...unit, data: unit.data.slice() })
    this.order.push('unit')
  }

  damaged(damage: Damage): void {
    this.damages.push(damage)
    this.order.push('damaged')
  }
}

/** What is sent with a unit's packets. */
export interface SentUnit {
  readonly payloads: readonly Uint8Array[]
  readonly timestamp: number
  /** Header extensions of each packet. */
  readonly extensions?: readonly (readonly (readonly [number, Uint8Array])[])[]
}

/** Puts packets into a depacketizer as a receiver would: in order, holes told. `isLost` says which never come. */
export class SentPackets {
  readonly #to: Depacketizer
  readonly #isLost: (index: number) => boolean
  #sequence = 65_500 // so that it wraps
  #index = 0
  #hole = 0
  lost = 0

  constructor(to: Depacketizer, isLost: (index: number) => boolean = () => false) {
    this.#to = to
    this.#isLost = isLost
  }

  /** All packets of a unit, the last with the marker. */
  unit({ payloads, timestamp, extensions }: SentUnit): void {
    for (const [i, payload] of payloads.entries()) {
      this.packet(payload, timestamp, i === payloads.length - 1, extensions?.[i])
    }
  }

  packet(
    payload: Uint8Array,
    timestamp: number,
    marker: boolean,
    extensions: readonly (readonly [number, Uint8Array])[] = [],
  ): void {
    const sequence = this.#sequence++ & 0xffff
    if (this.#isLost(this.#index++)) {
      this.#hole++
      this.lost++
      return
    }
    if (this.#hole > 0) this.#to.lost(this.#hole)
    this.#hole = 0
    this.#to.packet(packetOf(payload, sequence, timestamp, marker, extensions))
  }

  end(): void {
    if (this.#hole > 0) this.#to.lost(this.#hole)
    this.#hole = 0
    this.#to.flush()
  }
}

/** One packet, of any size; extensions in the two-byte form (RFC 8285 §4.3). */
export function packetOf(
  payload: Uint8Array,
  sequence: number,
  timestamp: number,
  marker: boolean,
  extensions: readonly (readonly [number, Uint8Array])[] = [],
): RtpPacket {
  const header = Buffer.alloc(12)
  header[0] = extensions.length > 0 ? 0x90 : 0x80
  header[1] = (marker ? 0x80 : 0) | 96
  header.writeUInt16BE(sequence, 2)
  header.writeUInt32BE(timestamp, 4)
  const elements = Buffer.concat(extensions.flatMap(([id, value]) => [Buffer.from([id, value.length]), value]))
  const words = Math.ceil(elements.length / 4)
  const extension = Buffer.alloc(extensions.length > 0 ? 4 + 4 * words : 0)
  if (extensions.length > 0) {
    extension.writeUInt16BE(0x1000, 0)
    extension.writeUInt16BE(words, 2)
    elements.copy(extension, 4)
  }
  return new RtpPacket(new Uint8Array(Buffer.concat([header, extension, payload])), 1000)
}
