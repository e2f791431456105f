import { type AccessUnitSink, ALL_LAYERS } from '../access-unit.ts'
import type { Depacketizer } from '../depacketizer.ts'
import type { RtpPacket } from '../packet.ts'
import { DepacketizedUnit } from './depacketized-unit.ts'
import { UnitBuffer } from './unit-buffer.ts'

/** The largest unit in the smallest packets that any network carries. */
const MAX_PACKETS = 16_384

/** What the packets of a unit came to: a unit, a torn one, or nothing that is shown (parameter sets alone). */
export type Finished = 'whole' | 'torn' | 'nothing'

/**
 * Cuts packets of video into units, by marker and by change of timestamp, and finds out which of them have holes.
 *
 * A hole inside a unit tears it. A hole before it tears it unless its first packet shows that it is the first. The end of a unit
 * whose marker may be lost is not known to be there: it is torn, too. A marker that is set on every packet is found out, and then
 * not believed.
 */
export abstract class UnitCutter implements Depacketizer {
  malformed = 0
  protected readonly buffer = new UnitBuffer()
  protected readonly unit = new DepacketizedUnit()
  readonly #sink: AccessUnitSink
  #isOpen = false
  #isTorn = false
  /** Lost before the current unit, or before what comes next. */
  #isHole = false
  #isAfterHole = false
  #packets = 0
  #lost = 0
  #isMarkerTrue = true
  #closedByMarker: number | undefined

  constructor(sink: AccessUnitSink) {
    this.#sink = sink
  }

  /** Whether packets were lost directly before the first of this unit. */
  protected get isAfterHole(): boolean {
    return this.#isAfterHole
  }

  packet(packet: RtpPacket): void {
    const { payload, timestamp, marker } = packet
    if (payload.length === 0) {
      if (marker && this.#isOpen && timestamp === this.unit.timestamp) this.#close()
      return
    }
    if (this.#isOpen && (timestamp !== this.unit.timestamp || this.isNext(payload))) this.#close()
    if (this.#isOpen) {
      if (this.#isHole) this.#isTorn = true
    } else this.#open(packet)
    this.#isHole = false
    if (++this.#packets > MAX_PACKETS) this.#isTorn = true
    else if (!this.read(payload, packet)) {
      if (!this.#isTorn) this.malformed++
      this.#isTorn = true
    }
    if (marker && this.#isMarkerTrue) {
      this.#closedByMarker = timestamp
      this.#close()
    }
  }

  lost(count: number): void {
    this.#lost += count
    this.#isHole = true
    if (this.#isOpen) this.#isTorn = true
  }

  flush(): void {
    const isTorn = this.#isOpen && this.#isTorn
    this.#isOpen = false
    if (isTorn) this.#tell(1, this.unit.timestamp, 0)
    else if (this.#lost > 0) this.#tell(0, undefined, 0)
    this.#isHole = false
  }

  /** Adds a packet to the unit; also of a torn one, for what it says of it. False when it cannot be read. */
  protected abstract read(payload: Uint8Array, packet: RtpPacket): boolean

  /** Whether a unit may begin with this packet, as far as that can be seen. */
  protected abstract begins(payload: Uint8Array): boolean

  /** Whether another unit begins with this packet, whatever the timestamp says. */
  protected isNext(_payload: Uint8Array): boolean {
    return false
  }

  /** Before the first packet of a unit is read. */
  protected abstract start(): void

  /** All packets are there: fills `unit` but for its time. */
  protected abstract finish(): Finished

  /** The layers of which something may be missing, for a unit that is torn or comes after a hole. */
  protected missingLayers(_isTorn: boolean): number {
    return ALL_LAYERS
  }

  #open(packet: RtpPacket): void {
    this.#isOpen = true
    this.#isAfterHole = this.#isHole
    this.#isTorn = false
    this.#packets = 0
    this.buffer.clear()
    this.unit.clear(packet.timestamp, packet.arrivalMs)
    this.start()
    if ((this.#isHole || packet.timestamp === this.#closedByMarker) && !this.begins(packet.payload)) {
      this.#isTorn = true
      if (!this.#isHole) this.#isMarkerTrue = false
    }
    this.#closedByMarker = undefined
  }

  #close(): void {
    this.#isOpen = false
    const finished = this.#isTorn ? 'torn' : this.finish()
    const isTorn = finished === 'torn'
    if (isTorn || this.#isAfterHole) {
      const layers = this.missingLayers(isTorn)
      if (isTorn) this.#tell(1, this.unit.timestamp, layers)
      else if (this.#lost > 0 || layers !== 0) this.#tell(0, undefined, layers)
    }
    if (finished !== 'whole') return
    this.unit.data = this.buffer.view()
    this.#sink.unit(this.unit)
  }

  #tell(damagedUnits: number, timestamp: number | undefined, layers: number): void {
    const packets = this.#lost
    this.#lost = 0
    this.#sink.damaged({ packets, damagedUnits, timestamp, layers })
  }
}

/** The set of this temporal layer and all above, whether there are any or not. */
export function layersFrom(temporalLayer: number): number {
  return ALL_LAYERS & -(1 << temporalLayer)
}
