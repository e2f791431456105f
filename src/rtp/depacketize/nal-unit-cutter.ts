import { TapedeckError } from '../../media/errors.ts'
import { ALL_LAYERS } from '../access-unit.ts'
import { type ParameterSet, ParameterSets } from './parameter-sets.ts'
import { type Finished, UnitCutter } from './unit-cutter.ts'

const LENGTH_BYTES = 4 // ISO 14496-15 §5.3.3.1
const MAX_NAL_UNITS = 4096 // in one unit: an 8K picture in one slice per macroblock row has some 270

/** A configuration, and which units it is made of. */
export interface BuiltConfiguration {
  readonly config: Uint8Array
  readonly units: readonly Uint8Array[]
  readonly width: number
  readonly height: number
}

/**
 * NAL units out of packets, each with its length before it, and parameter sets taken out of them: they go into the configuration.
 *
 * A set that the configuration has is left out of the unit. One that is new makes a new configuration if the unit is key, and else
 * stays where it is until the next key unit. All other NAL units are kept as sent, in order.
 */
export abstract class NalUnitCutter extends UnitCutter {
  protected readonly sets = new ParameterSets()
  /** Where the picture's first slice lies in the buffer; -1 while there is none. */
  protected firstSlice = -1
  #lengthAt = -1
  #count = 0
  /** Where parameter sets lie that the configuration does not have, from and end by turns. */
  readonly #fresh: number[] = []
  #config: Uint8Array | undefined
  #width = 0
  #height = 0
  #activeId = -1
  #hasSets = false
  #bringSets = false

  /** What a whole NAL unit is for the unit. */
  protected abstract role(header: number, at: number): 'slice' | 'set' | 'other'
  /** @throws TapedeckError */
  protected abstract parseSet(kind: number, unit: Uint8Array): ParameterSet
  protected abstract kindOf(header: number): number
  protected abstract isKey(data: Uint8Array): boolean
  /** The SPS that the first slice needs. @throws TapedeckError */
  protected abstract activeSps(slice: Uint8Array): number
  /** @throws TapedeckError */
  protected abstract build(spsId: number): BuiltConfiguration

  /** Whether a NAL unit is begun and not ended. */
  protected get isNalOpen(): boolean {
    return this.#lengthAt >= 0
  }

  protected override start(): void {
    this.firstSlice = -1
    this.#lengthAt = -1
    this.#count = 0
    this.#fresh.length = 0
    this.#hasSets = false
  }

  protected beginNal(): boolean {
    if (this.#lengthAt >= 0 || ++this.#count > MAX_NAL_UNITS || !this.buffer.reserve(LENGTH_BYTES + 2)) return false
    this.#lengthAt = this.buffer.length
    this.buffer.length += LENGTH_BYTES
    return true
  }

  protected endNal(): boolean {
    const { buffer } = this
    const at = this.#lengthAt
    const start = at + LENGTH_BYTES
    const length = buffer.length - start
    this.#lengthAt = -1
    if (at < 0 || length === 0) return false
    buffer.bytes[at] = length >>> 24
    buffer.bytes[at + 1] = length >>> 16
    buffer.bytes[at + 2] = length >>> 8
    buffer.bytes[at + 3] = length
    const role = this.role(buffer.bytes[start], start)
    if (role === 'set') return this.#takeSet(at, start)
    if (role === 'slice' && this.firstSlice < 0) this.firstSlice = start
    return true
  }

  /** A NAL unit that is all in one packet. */
  protected wholeNal(payload: Uint8Array, from: number, end: number): boolean {
    return this.beginNal() && this.buffer.append(payload, from, end) && this.endNal()
  }

  /** Of an aggregation packet: each with a 16-bit length before it (RFC 6184 §5.7.1, RFC 7798 §4.4.2). */
  protected aggregated(payload: Uint8Array, from: number): boolean {
    let at = from
    while (at + 2 <= payload.length) {
      const end = at + 2 + ((payload[at] << 8) | payload[at + 1])
      if (end > payload.length || !this.wholeNal(payload, at + 2, end)) return false
      at = end
    }
    return at === payload.length && at > from
  }

  protected override finish(): Finished {
    if (this.isNalOpen) return 'torn'
    if (this.firstSlice < 0) return 'nothing'
    const { unit } = this
    unit.key = this.isKey(this.buffer.view())
    if (!unit.key) return 'whole'
    unit.refersTo = 0
    unit.opens = ALL_LAYERS
    // One that always brings its parameter sets and does not after a hole has lost them, and they may have been new ones.
    if (this.isAfterHole && this.#bringSets && !this.#hasSets) return 'torn'
    this.#bringSets = this.#hasSets
    return this.#configure() ? 'whole' : 'torn'
  }

  /** Parameter sets that come by another way, of the session description. What cannot be read is passed over. */
  protected offer(unit: Uint8Array): void {
    if (unit.length < 2 || this.role(unit[0], -1) !== 'set') return
    this.#remember(this.kindOf(unit[0]), unit)
  }

  #takeSet(from: number, start: number): boolean {
    const { buffer } = this
    const unit = buffer.bytes.subarray(start, buffer.length)
    const kind = this.kindOf(unit[0])
    this.#hasSets = true
    if (this.sets.isConfigured(kind, unit)) {
      buffer.length = from
      return true
    }
    this.#fresh.push(from, buffer.length)
    return this.#remember(kind, unit)
  }

  #remember(kind: number, unit: Uint8Array): boolean {
    try {
      return this.sets.put(kind, this.parseSet(kind, unit))
    } catch (error) {
      if (error instanceof TapedeckError) return false
      throw error
    }
  }

  /** Gives a key unit its configuration, and takes the sets out of it. False when there is none. */
  #configure(): boolean {
    try {
      const spsId = this.activeSps(this.buffer.bytes.subarray(this.firstSlice, this.buffer.length))
      if (this.sets.isChanged || spsId !== this.#activeId || this.#config === undefined) this.#rebuild(spsId)
    } catch (error) {
      if (!(error instanceof TapedeckError)) throw error
      this.malformed++
      return false
    }
    this.unit.width = this.#width
    this.unit.height = this.#height
    const fresh = this.#fresh
    for (let i = fresh.length - 2; i >= 0; i -= 2) {
      const unit = this.buffer.bytes.subarray(fresh[i] + LENGTH_BYTES, fresh[i + 1])
      if (this.sets.isConfigured(this.kindOf(unit[0]), unit)) this.buffer.remove(fresh[i], fresh[i + 1])
    }
    return true
  }

  #rebuild(spsId: number): void {
    const { config, units, width, height } = this.build(spsId)
    this.#activeId = spsId
    this.#width = width
    this.#height = height
    this.sets.configured(units)
    if (this.#config !== undefined && Buffer.compare(this.#config, config) === 0) return
    this.#config = this.unit.config = config
  }
}
