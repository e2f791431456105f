import { buildHvcC, writeHvcC } from '../../codec/hevc/hvcc.ts'
import { isHevcKeyframe, NAL_HEVC_AUD, NAL_HEVC_PPS, NAL_HEVC_SPS, NAL_VPS } from '../../codec/hevc/nal.ts'
import { hevcSlicePps, hevcSpsIds, hevcVpsId } from '../../codec/hevc/parameter-ids.ts'
import { parseHevcSps } from '../../codec/hevc/sps.ts'
import { parseHevcPps } from '../../codec/hevc/vps.ts'
import { MalformedError } from '../../media/errors.ts'
import { type AccessUnitSink, ALL_LAYERS } from '../access-unit.ts'
import { type BuiltConfiguration, NalUnitCutter } from './nal-unit-cutter.ts'
import type { ParameterSet } from './parameter-sets.ts'
import { layersFrom } from './unit-cutter.ts'

// Packet types, RFC 7798 §4.4; PACI packets (50) are never sent to who did not ask for them.
const AGGREGATION = 48
const FRAGMENT = 49
const START = 0x80 // FU header, RFC 7798 §4.4.3
const END = 0x40
// nal_unit_type, HEVC Table 7-1
const NAL_TSA_N = 2
const NAL_TSA_R = 3
const NAL_STSA_R = 5
const LAST_NON_IRAP = 15
const NAL_IDR_N_LP = 20
const LAST_VCL = 31
const NAL_PREFIX_SEI = 39

/** HEVC (RFC 7798, without DONL) to length-prefixed access units, parameter sets in hvcC. */
export class HevcDepacketizer extends NalUnitCutter {
  /** nal_unit_type of the picture; -1 before its first slice. */
  #picture = -1
  #isNested = false
  #highestLayer = 0

  /** `parameterSets`: `sprop-vps`, `sprop-sps` and `sprop-pps` of the session description (§7.1), base64 with commas. */
  constructor(sink: AccessUnitSink, parameterSets = '') {
    super(sink)
    for (const unit of parameterSets.split(',', 64)) this.offer(Buffer.from(unit, 'base64'))
  }

  protected override start(): void {
    super.start()
    this.#picture = -1
  }

  protected override read(payload: Uint8Array): boolean {
    if (payload.length < 3 || (payload[0] & 0x80) !== 0) return false // forbidden_zero_bit
    const type = typeOf(payload[0])
    if (type < AGGREGATION) {
      this.#see(type, payload[0], payload[1])
      return this.wholeNal(payload, 0, payload.length)
    }
    if (type === AGGREGATION) return this.#aggregate(payload)
    return type === FRAGMENT && this.#fragment(payload)
  }

  protected override begins(payload: Uint8Array): boolean {
    if (payload.length < 7) return false
    const type = typeOf(payload[0])
    if (type === AGGREGATION) return startsPicture(typeOf(payload[4]), payload[6])
    if (type === FRAGMENT) return (payload[2] & START) !== 0 && startsPicture(payload[2] & 0x3f, payload[3])
    return startsPicture(type, payload[2])
  }

  protected override role(header: number): 'slice' | 'set' | 'other' {
    const type = typeOf(header)
    if (type <= LAST_VCL) return (header & 1) === 0 ? 'slice' : 'other' // of an enhancement layer above 31
    return type === NAL_VPS || type === NAL_HEVC_SPS || type === NAL_HEVC_PPS ? 'set' : 'other'
  }

  protected override kindOf(header: number): number {
    return typeOf(header)
  }

  protected override isKey(data: Uint8Array): boolean {
    const { unit } = this
    const layer = unit.temporalLayer
    unit.isDisposable = this.#isUnreferred() && layer === this.#highestLayer
    const isAccess = this.#picture >= NAL_TSA_N && this.#picture <= NAL_STSA_R
    unit.refersTo = isAccess ? (1 << layer) - 1 : (2 << layer) - 1
    const above = layersFrom(layer + 1)
    if (this.#isNested || this.#picture === NAL_TSA_N || this.#picture === NAL_TSA_R) unit.opens = above
    if (isAccess) unit.opens |= 1 << layer
    return isHevcKeyframe(data, 4)
  }

  /** From an IDR or BLA picture on nothing of before is needed; of a torn picture its own sub-layer or those above. */
  protected override missingLayers(isTorn: boolean): number {
    if (!isTorn) return this.#picture > LAST_NON_IRAP && this.#picture <= NAL_IDR_N_LP ? 0 : ALL_LAYERS
    if (this.#picture < 0 || this.isAfterHole) return ALL_LAYERS
    const own = this.#isUnreferred() ? this.unit.temporalLayer + 1 : this.unit.temporalLayer
    return layersFrom(own)
  }

  protected override parseSet(kind: number, unit: Uint8Array): ParameterSet {
    if (kind === NAL_VPS) return { id: hevcVpsId(unit), parentId: hevcVpsId(unit), bytes: unit }
    if (kind === NAL_HEVC_SPS) {
      const { id, vpsId } = hevcSpsIds(unit)
      return { id, parentId: vpsId, bytes: unit }
    }
    const { id, spsId } = parseHevcPps(unit)
    return { id, parentId: spsId, bytes: unit }
  }

  protected override activeSps(slice: Uint8Array): number {
    const pps = this.sets.get(NAL_HEVC_PPS, hevcSlicePps(slice))
    if (pps === undefined) throw new MalformedError('HEVC slice', 'its picture parameter set never came')
    return pps.parentId
  }

  protected override build(spsId: number): BuiltConfiguration {
    const sps = this.sets.get(NAL_HEVC_SPS, spsId)
    const vps = sps === undefined ? undefined : this.sets.get(NAL_VPS, sps.parentId)
    if (sps === undefined || vps === undefined) {
      throw new MalformedError('HEVC slice', 'its sequence or video parameter set never came')
    }
    const units = [vps, sps, ...this.sets.upon(NAL_HEVC_PPS, spsId)].map(({ bytes }) => bytes)
    const config = writeHvcC(buildHvcC(units))
    const { temporalIdNested, temporalLayers, width, height } = parseHevcSps(sps.bytes)
    this.#isNested = temporalIdNested && temporalLayers > 1
    this.#highestLayer = temporalLayers - 1
    return { config, units, width, height }
  }

  /** No later picture of its sub-layer refers to it: the `_N` types (§7.4.2.2, Table 7-1). */
  #isUnreferred(): boolean {
    return this.#picture < LAST_NON_IRAP && this.#picture % 2 === 0
  }

  #see(type: number, first: number, second: number): void {
    if (type > LAST_VCL || this.#picture >= 0 || (first & 1) !== 0 || second >> 3 !== 0) return
    this.#picture = type
    this.unit.temporalLayer = Math.max(0, (second & 7) - 1)
  }

  #aggregate(payload: Uint8Array): boolean {
    for (let at = 2; at + 4 <= payload.length; at += 2 + ((payload[at] << 8) | payload[at + 1])) {
      this.#see(typeOf(payload[at + 2]), payload[at + 2], payload[at + 3])
    }
    return this.aggregated(payload, 2)
  }

  #fragment(payload: Uint8Array): boolean {
    if (payload.length < 4) return false
    const header = payload[2]
    const type = header & 0x3f
    if ((header & START) !== 0) {
      if (type >= AGGREGATION || !this.beginNal()) return false
      const first = (payload[0] & 0x81) | (type << 1)
      this.#see(type, first, payload[1])
      this.buffer.bytes[this.buffer.length++] = first
      this.buffer.bytes[this.buffer.length++] = payload[1]
    } else if (!this.isNalOpen) return false
    if (!this.buffer.append(payload, 3, payload.length)) return false
    return (header & END) === 0 || this.endNal()
  }
}

function typeOf(header: number): number {
  return (header >> 1) & 0x3f
}

/** A slice with first_slice_segment_in_pic_flag (§7.3.6.1), or what stands before the first (§7.4.2.4.4). */
function startsPicture(type: number, next: number): boolean {
  if (type <= LAST_VCL) return (next & 0x80) !== 0
  return (type >= NAL_VPS && type <= NAL_HEVC_AUD) || type === NAL_PREFIX_SEI
}
