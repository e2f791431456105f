import type { BitReader } from '../../media/bits.ts'

/** Passes over scaling_list_data(), HEVC §7.3.4. */
export function skipScalingLists(bits: BitReader): void {
  for (let sizeId = 0; sizeId < 4; sizeId++) {
    for (let matrixId = 0; matrixId < 6; matrixId += sizeId === 3 ? 3 : 1) {
      if (!bits.flag()) {
        bits.ue() // scaling_list_pred_matrix_id_delta
        continue
      }
      if (sizeId > 1) bits.se() // scaling_list_dc_coef_minus8
      const coefficients = sizeId === 0 ? 16 : 64
      for (let i = 0; i < coefficients; i++) bits.se()
    }
  }
}

/** Passes over num_short_term_ref_pic_sets and the sets, HEVC §7.3.7. @throws MalformedError */
export function skipShortTermSets(bits: BitReader): void {
  const sets = bits.ue()
  if (sets > 64) bits.fail('num_short_term_ref_pic_sets above 64')
  let previous = 0
  for (let i = 0; i < sets; i++) {
    const predicted = i > 0 && bits.flag()
    previous = predicted ? skipPredictedSet(bits, previous) : skipExplicitSet(bits)
  }
}

/** Returns NumDeltaPocs, as does the next one. */
function skipPredictedSet(bits: BitReader, previous: number): number {
  bits.skip(1) // delta_rps_sign
  bits.ue() // abs_delta_rps_minus1
  let pictures = 0
  for (let i = 0; i <= previous; i++) {
    const used = bits.flag()
    if (used || bits.flag()) pictures++
  }
  return pictures
}

function skipExplicitSet(bits: BitReader): number {
  const pictures = bits.ue() + bits.ue()
  if (pictures > 32) bits.fail('short-term reference picture set above 32 pictures')
  for (let i = 0; i < pictures; i++) {
    bits.ue() // delta_poc_minus1
    bits.skip(1) // used_by_curr_pic_flag
  }
  return pictures
}

/** Passes over lt_ref_pic_poc_lsb_sps and its flags; `pocBits` is log2_max_pic_order_cnt_lsb. @throws MalformedError */
export function skipLongTermRefs(bits: BitReader, pocBits: number): void {
  const count = bits.ue()
  if (count > 32) bits.fail('num_long_term_ref_pics_sps above 32')
  bits.skip(count * (pocBits + 1))
}
