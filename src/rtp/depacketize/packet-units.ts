import { type AccessUnitSink, ALL_LAYERS } from '../access-unit.ts'
import type { Depacketizer } from '../depacketizer.ts'
import type { RtpPacket } from '../packet.ts'
import { DepacketizedUnit } from './depacketized-unit.ts'

/** Sound: each packet is a unit of its own, and refers to nothing. */
export abstract class PacketUnits implements Depacketizer {
  malformed = 0
  readonly #sink: AccessUnitSink
  readonly #unit = new DepacketizedUnit()
  #config: Uint8Array | undefined
  #lost = 0

  constructor(sink: AccessUnitSink) {
    this.#sink = sink
  }

  /** The sample; undefined when it cannot be read. */
  protected abstract sample(payload: Uint8Array): Uint8Array | undefined
  /** After `sample`. The same object as long as it is the same. */
  protected abstract configuration(): Uint8Array

  packet(packet: RtpPacket): void {
    if (packet.payload.length === 0) return
    const data = this.sample(packet.payload)
    if (this.#lost > 0 || data === undefined) this.#tell(data === undefined ? packet.timestamp : undefined)
    if (data === undefined) return
    const unit = this.#unit
    unit.clear(packet.timestamp, packet.arrivalMs)
    unit.data = data
    unit.key = true
    unit.refersTo = 0
    unit.opens = ALL_LAYERS
    const config = this.configuration()
    if (config !== this.#config) this.#config = unit.config = config
    this.#sink.unit(unit)
  }

  lost(count: number): void {
    this.#lost += count
  }

  flush(): void {
    if (this.#lost > 0) this.#tell(undefined)
  }

  #tell(timestamp: number | undefined): void {
    const packets = this.#lost
    this.#lost = 0
    if (timestamp !== undefined) this.malformed++
    this.#sink.damaged({ packets, damagedUnits: timestamp === undefined ? 0 : 1, timestamp, layers: 0 })
  }
}
