import { BitReader } from '../../media/bits.ts'
import { unescapeNal } from '../nal.ts'
import { hevcNalType } from './nal.ts'
import { parseProfileTierLevel } from './profile-tier-level.ts'

/** vps_video_parameter_set_id of a VPS NAL unit, §7.3.2.1. @throws MalformedError */
export function hevcVpsId(unit: Uint8Array): number {
  return new BitReader(unit.subarray(2, 3), 'HEVC VPS').bits(4)
}

/** The identifiers of an SPS NAL unit, §7.3.2.2.1. @throws MalformedError */
export function hevcSpsIds(unit: Uint8Array): { readonly id: number; readonly vpsId: number } {
  const bits = new BitReader(unescapeNal(unit.subarray(0, 128)), 'HEVC SPS')
  bits.skip(16)
  const vpsId = bits.bits(4)
  const maxSubLayersMinus1 = bits.bits(3)
  if (maxSubLayersMinus1 > 6) bits.fail('sps_max_sub_layers_minus1 above 6')
  bits.skip(1) // sps_temporal_id_nesting_flag
  parseProfileTierLevel(bits, maxSubLayersMinus1)
  const id = bits.ue()
  if (id > 15) bits.fail('sps_seq_parameter_set_id above 15')
  return { id, vpsId }
}

/** slice_pic_parameter_set_id of a slice segment NAL unit, §7.3.6.1. @throws MalformedError */
export function hevcSlicePps(unit: Uint8Array): number {
  const bits = new BitReader(unescapeNal(unit.subarray(0, 16)), 'HEVC slice')
  const type = hevcNalType(unit)
  bits.skip(type >= 16 && type <= 23 ? 18 : 17) // header, first_slice_segment_in_pic_flag, no_output_of_prior_pics_flag
  const id = bits.ue()
  if (id > 63) bits.fail('slice_pic_parameter_set_id above 63')
  return id
}
