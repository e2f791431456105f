import { buildAvcC, writeAvcC } from '../../codec/h264/avcc.ts'
import { isH264Keyframe, NAL_PPS, NAL_SPS, NAL_SPS_EXT } from '../../codec/h264/nal.ts'
import { h264SlicePps, h264SpsId } from '../../codec/h264/parameter-ids.ts'
import { parseH264Pps } from '../../codec/h264/pps.ts'
import { parseH264Sps } from '../../codec/h264/sps.ts'
import { MalformedError } from '../../media/errors.ts'
import { type AccessUnitSink, ALL_LAYERS } from '../access-unit.ts'
import { type BuiltConfiguration, NalUnitCutter } from './nal-unit-cutter.ts'
import type { ParameterSet } from './parameter-sets.ts'

// Packet types, RFC 6184 Table 1; those of interleaved mode (STAP-B, MTAP16, MTAP24, FU-B) are never offered.
const STAP_A = 24
const FU_A = 28
const START = 0x80 // FU header, RFC 6184 §5.8
const END = 0x40
// nal_unit_type, H.264 Table 7-1
const NAL_SLICE = 1
const NAL_PARTITION_A = 2
const NAL_PARTITION_C = 4
const NAL_IDR = 5
const NAL_SEI = 6
const NAL_AUD = 9
const LAST_NAL = 23

/** H.264 in packetization modes 0 and 1 (RFC 6184) to length-prefixed access units, parameter sets in avcC. */
export class H264Depacketizer extends NalUnitCutter {
  #hasSlice = false
  #isReferred = false
  #isIdr = false

  /** `parameterSets`: `sprop-parameter-sets` of the session description (§8.1), base64 with commas. */
  constructor(sink: AccessUnitSink, parameterSets = '') {
    super(sink)
    for (const unit of parameterSets.split(',', 64)) this.offer(Buffer.from(unit, 'base64'))
  }

  protected override start(): void {
    super.start()
    this.#hasSlice = false
    this.#isReferred = false
    this.#isIdr = false
  }

  protected override read(payload: Uint8Array): boolean {
    const type = payload[0] & 0x1f
    if ((payload[0] & 0x80) !== 0) return false // forbidden_zero_bit
    if (type === FU_A) return this.#fragment(payload)
    if (type === STAP_A) return this.aggregated(payload, 1)
    if (type > LAST_NAL && type < 30) return false
    if (type === 0 || type > LAST_NAL) return true // undefined: to be ignored, §5.2
    return this.wholeNal(payload, 0, payload.length)
  }

  protected override begins(payload: Uint8Array): boolean {
    const type = payload[0] & 0x1f
    if (type === STAP_A) return payload.length > 4 && startsPicture(payload[3] & 0x1f, payload[4])
    if (type !== FU_A) return payload.length > 1 && startsPicture(type, payload[1])
    return payload.length > 2 && (payload[1] & START) !== 0 && startsPicture(payload[1] & 0x1f, payload[2])
  }

  protected override role(header: number, _at: number): 'slice' | 'set' | 'other' {
    const type = header & 0x1f
    if (type >= NAL_SLICE && type <= NAL_IDR) {
      this.#hasSlice = true
      if ((header & 0x60) !== 0) this.#isReferred = true // nal_ref_idc
      if (type === NAL_IDR) this.#isIdr = true
      return type > NAL_PARTITION_A && type <= NAL_PARTITION_C ? 'other' : 'slice'
    }
    return type === NAL_SPS || type === NAL_PPS || type === NAL_SPS_EXT ? 'set' : 'other'
  }

  protected override kindOf(header: number): number {
    return header & 0x1f
  }

  protected override isKey(data: Uint8Array): boolean {
    this.unit.isDisposable = !this.#isReferred
    return isH264Keyframe(data, 4)
  }

  /** An IDR picture needs nothing of before, nor does what comes after it. */
  protected override missingLayers(isTorn: boolean): number {
    if (!isTorn) return this.#isIdr ? 0 : ALL_LAYERS
    return this.#hasSlice && !this.isAfterHole && !this.#isReferred ? 0 : ALL_LAYERS
  }

  protected override parseSet(kind: number, unit: Uint8Array): ParameterSet {
    if (kind === NAL_PPS) {
      const { id, spsId } = parseH264Pps(unit)
      return { id, parentId: spsId, bytes: unit }
    }
    const id = h264SpsId(unit)
    return { id, parentId: id, bytes: unit }
  }

  protected override activeSps(slice: Uint8Array): number {
    const pps = this.sets.get(NAL_PPS, h264SlicePps(slice))
    if (pps === undefined) throw new MalformedError('H.264 slice', 'its picture parameter set never came')
    return pps.parentId
  }

  protected override build(spsId: number): BuiltConfiguration {
    const sps = this.sets.get(NAL_SPS, spsId)
    if (sps === undefined) throw new MalformedError('H.264 slice', 'its sequence parameter set never came')
    const sets = [sps, ...this.sets.upon(NAL_PPS, spsId), ...this.sets.upon(NAL_SPS_EXT, spsId)]
    const units = sets.map(({ bytes }) => bytes)
    const { width, height } = parseH264Sps(sps.bytes)
    return { config: writeAvcC(buildAvcC(units)), units, width, height }
  }

  #fragment(payload: Uint8Array): boolean {
    if (payload.length < 3) return false
    const header = payload[1]
    const type = header & 0x1f
    if ((header & START) !== 0) {
      if (type === 0 || type > LAST_NAL || !this.beginNal()) return false
      this.buffer.bytes[this.buffer.length++] = (payload[0] & 0x60) | type
      this.role((payload[0] & 0x60) | type, -1) // also of a picture that stays torn
    } else if (!this.isNalOpen) return false
    if (!this.buffer.append(payload, 2, payload.length)) return false
    return (header & END) === 0 || this.endNal()
  }
}

/** A slice with first_mb_in_slice 0 (§7.3.3), whose first bit is 1 then; or what stands before the first (§7.4.1.2.3). */
function startsPicture(type: number, next: number): boolean {
  if (type === NAL_SLICE || type === NAL_PARTITION_A || type === NAL_IDR) return (next & 0x80) !== 0
  return type === NAL_SEI || type === NAL_SPS || type === NAL_PPS || type === NAL_AUD
}
