import { BitReader } from '../../media/bits.ts'
import { unescapeNal } from '../nal.ts'
import { hevcNalType, NAL_HEVC_PPS, NAL_VPS } from './nal.ts'
import { type ProfileTierLevel, parseProfileTierLevel } from './profile-tier-level.ts'
import { parseHevcTiming } from './vui.ts'

/** What a video parameter set says that matters outside a decoder. HEVC §7.3.2.1. */
export type HevcVps = {
  readonly id: number
  readonly temporalLayers: number
  readonly profile: ProfileTierLevel
  /** Pictures per second; absent when the set has no timing. */
  readonly frameRate?: number
}

/** Reads a VPS NAL unit, header bytes included. @throws MalformedError */
export function parseHevcVps(unit: Uint8Array): HevcVps {
  const bits = new BitReader(unescapeNal(unit), 'HEVC VPS')
  if (unit.length < 2 || hevcNalType(unit) !== NAL_VPS) bits.fail('is no VPS NAL unit')
  bits.skip(16)
  const id = bits.bits(4)
  bits.skip(8) // base layer flags, vps_max_layers_minus1
  const maxSubLayersMinus1 = bits.bits(3)
  if (maxSubLayersMinus1 > 6) bits.fail('vps_max_sub_layers_minus1 above 6')
  bits.skip(17) // vps_temporal_id_nesting_flag, vps_reserved_0xffff_16bits
  const profile = parseProfileTierLevel(bits, maxSubLayersMinus1)
  for (let i = bits.flag() ? 0 : maxSubLayersMinus1; i <= maxSubLayersMinus1; i++) {
    bits.ue() // vps_max_dec_pic_buffering_minus1
    bits.ue() // vps_max_num_reorder_pics
    bits.ue() // vps_max_latency_increase_plus1
  }
  const maxLayerId = bits.bits(6)
  const layerSets = bits.ue()
  if (layerSets > 1023) bits.fail('vps_num_layer_sets_minus1 above 1023')
  bits.skip(layerSets * (maxLayerId + 1)) // layer_id_included_flag
  const frameRate = bits.flag() ? parseHevcTiming(bits) : undefined
  const base = { id, temporalLayers: maxSubLayersMinus1 + 1, profile }
  return frameRate === undefined ? base : { ...base, frameRate }
}

/** Reads the identifiers of a PPS NAL unit, §7.3.2.3.1. @throws MalformedError */
export function parseHevcPps(unit: Uint8Array): { readonly id: number; readonly spsId: number } {
  const bits = new BitReader(unescapeNal(unit.subarray(0, 32)), 'HEVC PPS')
  if (unit.length < 2 || hevcNalType(unit) !== NAL_HEVC_PPS) bits.fail('is no PPS NAL unit')
  bits.skip(16)
  const id = bits.ue()
  if (id > 63) bits.fail('pps_pic_parameter_set_id above 63')
  const spsId = bits.ue()
  if (spsId > 15) bits.fail('pps_seq_parameter_set_id above 15')
  return { id, spsId }
}
