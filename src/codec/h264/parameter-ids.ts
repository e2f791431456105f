import { BitReader } from '../../media/bits.ts'
import { unescapeNal } from '../nal.ts'

/** seq_parameter_set_id of an SPS NAL unit (§7.3.2.1.1) or of its extension (§7.3.2.1.2). @throws MalformedError */
export function h264SpsId(unit: Uint8Array): number {
  const bits = new BitReader(unescapeNal(unit.subarray(0, 16)), 'H.264 SPS')
  bits.skip((unit[0] & 0x1f) === 13 ? 8 : 32) // header; profile, constraints, level
  const id = bits.ue()
  if (id > 31) bits.fail('seq_parameter_set_id above 31')
  return id
}

/** pic_parameter_set_id of a slice NAL unit, §7.3.3. @throws MalformedError */
export function h264SlicePps(unit: Uint8Array): number {
  const bits = new BitReader(unescapeNal(unit.subarray(0, 24)), 'H.264 slice')
  bits.skip(8)
  bits.ue() // first_mb_in_slice
  bits.ue() // slice_type
  const id = bits.ue()
  if (id > 255) bits.fail('pic_parameter_set_id above 255')
  return id
}
