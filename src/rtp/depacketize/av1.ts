import { buildAv1C, writeAv1C } from '../../codec/av1/av1c.ts'
import { isAv1Keyframe } from '../../codec/av1/keyframe.ts'
import { findObu, OBU_FRAME, OBU_FRAME_HEADER, OBU_SEQUENCE_HEADER } from '../../codec/av1/obu.ts'
import { parseAv1SequenceHeader } from '../../codec/av1/sequence-header.ts'
import { TapedeckError } from '../../media/errors.ts'
import { type AccessUnitSink, ALL_LAYERS } from '../access-unit.ts'
import type { RtpPacket } from '../packet.ts'
import { sequenceDelta } from '../sequence.ts'
import { DependencyDescriptor } from './dependency-descriptor.ts'
import { ObuAssembly } from './obu-assembly.ts'
import { ReferenceLedger } from './reference-ledger.ts'
import { type Finished, layersFrom, UnitCutter } from './unit-cutter.ts'

// Aggregation header, AV1 RTP §4.4
const CONTINUES = 0x80 // Z: the first element is a fragment that goes on
const IS_CONTINUED = 0x40 // Y: the last element goes on in the next packet
const OBU_METADATA = 5 // AV1 §6.2.2
const MAX_OBUS = 4096 // in one temporal unit
const NO_CONFIG = new Uint8Array(0)

/** AV1 (AV1 RTP 1.0) to temporal units, each unit with its size, without delimiters. The dependency descriptor is read where it is. */
export class Av1Depacketizer extends UnitCutter {
  readonly #descriptorId: number | undefined
  readonly #descriptor = new DependencyDescriptor()
  readonly #whole = new ReferenceLedger()
  readonly #obu = new ObuAssembly()
  /** Of the frames of the unit, made endless. */
  readonly #frames: number[] = []
  #lastFrame = 0x10000
  #obus = 0
  /** Up to where the packet is read. */
  #at = 0
  #hasFrame = false
  #hasSequence = false
  #bringsSequence = false
  /** Every frame of the unit has said what it refers to. */
  #isExact = false
  #isOrphan = false
  /** Something was lost since the last keyframe, and left to exact references. */
  #isLeft = false
  #isPacketExact = false
  #config: Uint8Array = NO_CONFIG
  #width = 0
  #height = 0

  /** `descriptorId`: local identifier of the dependency descriptor, where it was negotiated. */
  constructor(sink: AccessUnitSink, descriptorId?: number) {
    super(sink)
    this.#descriptorId = descriptorId
  }

  protected override start(): void {
    this.#obu.clear()
    this.#frames.length = 0
    this.#obus = 0
    this.#hasFrame = this.#hasSequence = this.#isOrphan = false
    this.#isExact = true
  }

  /** A whole unit, or the beginning of one, that may stand first. */
  protected override begins(payload: Uint8Array): boolean {
    if ((payload[0] & CONTINUES) !== 0) return false
    let at = 1
    if ((payload[0] & 0x30) !== 0x10) while ((payload[at++] & 0x80) !== 0); // its length
    const header = payload[at]
    const type = (header >> 3) & 0xf
    const isBase = (header & 0x04) === 0 || (payload[at + 1] & 0x18) === 0
    return isBase && (type <= OBU_FRAME_HEADER || type === OBU_METADATA || type === OBU_FRAME)
  }

  protected override read(payload: Uint8Array, packet: RtpPacket): boolean {
    this.#describe(packet)
    const header = payload[0]
    const count = (header >> 4) & 3 // W: all but the last have their length before them; 0: the last, too
    if (((header & CONTINUES) !== 0) !== this.#obu.isOpen) return false
    this.#at = 1
    for (let element = 1; this.#at < payload.length; element++) {
      if (count > 0 && element > count) return false
      const end = count > 0 && element === count ? payload.length : this.#elementEnd(payload)
      if (end > payload.length || !this.#obu.add(payload, this.#at, end)) return false
      this.#at = end
      if (end === payload.length && (header & IS_CONTINUED) !== 0) return this.#obu.isOpen
      if (this.#obu.isOpen && !this.#endObu()) return false
    }
    return payload.length > 1
  }

  protected override finish(): Finished {
    if (this.#obu.isOpen) return 'torn'
    if (!this.#hasFrame) return 'nothing'
    const { unit } = this
    const data = this.buffer.view()
    unit.key = isAv1Keyframe(data, this.#config)
    if (unit.key) {
      if (this.#hasSequence && !this.#configure(data)) return 'torn'
      unit.width = this.#width
      unit.height = this.#height
      // One that always brings its sequence header and does not after a hole has lost it, and it may have been a new one.
      if (this.isAfterHole && this.#bringsSequence && !this.#hasSequence) return 'torn'
      this.#bringsSequence = this.#hasSequence
      unit.refersTo = 0
      unit.opens = ALL_LAYERS
      this.#isLeft = false
      this.#whole.clear()
    } else {
      unit.isOrphan = this.#isExact ? this.#isOrphan : this.#isLeft
      unit.refersTo = this.#isExact ? 0 : (2 << unit.temporalLayer) - 1
    }
    if (!unit.isOrphan) for (const frame of this.#frames) this.#whole.add(frame)
    return 'whole'
  }

  /** With the dependency descriptor nothing: who refers to what was lost is an orphan. */
  protected override missingLayers(isTorn: boolean): number {
    const { unit } = this
    if (unit.key && !isTorn) return 0
    if (this.#isExact && this.#isPacketExact) {
      this.#isLeft = true
      return 0
    }
    return this.isAfterHole || !isTorn ? ALL_LAYERS : layersFrom(unit.temporalLayer)
  }

  /** Passes over the length at `#at`, leb128(); beyond the packet where it is broken. */
  #elementEnd(payload: Uint8Array): number {
    let size = 0
    for (let shift = 0; shift <= 28 && this.#at < payload.length; shift += 7) {
      const byte = payload[this.#at++]
      size += (byte & 0x7f) * 2 ** shift
      if ((byte & 0x80) === 0) return this.#at + size
    }
    return Number.POSITIVE_INFINITY
  }

  #endObu(): boolean {
    const obu = this.#obu
    if (++this.#obus > MAX_OBUS || !obu.write(this.buffer)) return false
    if (obu.type === OBU_SEQUENCE_HEADER) this.#hasSequence = true
    else if (obu.type === OBU_FRAME || obu.type === OBU_FRAME_HEADER) {
      this.#hasFrame = true
      this.unit.temporalLayer = obu.temporalLayer
    }
    return true
  }

  /** Reads the descriptor of a packet. */
  #describe(packet: RtpPacket): void {
    const bytes = this.#descriptorId === undefined ? undefined : packet.extension(this.#descriptorId)
    const descriptor = this.#descriptor
    this.#isPacketExact = bytes !== undefined && descriptor.read(bytes)
    if (!this.#isPacketExact) this.#isExact = false
    if (!this.#isPacketExact || !descriptor.isStart) return
    const frame = this.#lastFrame + sequenceDelta(this.#lastFrame & 0xffff, descriptor.frameNumber)
    this.#lastFrame = frame
    for (const difference of descriptor.differences) {
      if (!this.#whole.has(frame - difference) && !this.#frames.includes(frame - difference)) this.#isOrphan = true
    }
    this.#frames.push(frame)
  }

  #configure(data: Uint8Array): boolean {
    try {
      const sequence = findObu(data, OBU_SEQUENCE_HEADER)
      if (sequence === undefined) return false
      const { width, height } = parseAv1SequenceHeader(sequence)
      this.#width = width
      this.#height = height
      const config = writeAv1C(buildAv1C(data))
      if (Buffer.compare(this.#config, config) !== 0) this.unit.config = this.#config = config
      return true
    } catch (error) {
      if (!(error instanceof TapedeckError)) throw error
      this.malformed++
      return false
    }
  }
}
