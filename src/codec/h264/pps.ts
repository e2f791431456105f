import { BitReader } from '../../media/bits.ts'
import { unescapeNal } from '../nal.ts'
import { NAL_PPS } from './nal.ts'

/** What names a picture parameter set. H.264 §7.3.2.2. */
export type H264Pps = { readonly id: number; readonly spsId: number; readonly cabac: boolean }

/** Reads the start of a PPS NAL unit, header byte included. @throws MalformedError */
export function parseH264Pps(unit: Uint8Array): H264Pps {
  const bits = new BitReader(unescapeNal(unit.subarray(0, 32)), 'H.264 PPS')
  if ((bits.bits(8) & 0x1f) !== NAL_PPS) bits.fail('is no PPS NAL unit')
  const id = bits.ue()
  if (id > 255) bits.fail('pic_parameter_set_id above 255')
  const spsId = bits.ue()
  if (spsId > 31) bits.fail('seq_parameter_set_id above 31')
  return { id, spsId, cabac: bits.flag() }
}
