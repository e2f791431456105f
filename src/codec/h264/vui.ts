import type { BitReader } from '../../media/bits.ts'

/** Video usability information of an SPS, as far as it matters here. H.264 §E.1.1. */
export type Vui = {
  /** Width : height of one sample; absent when unspecified. */
  readonly sampleAspect?: { readonly width: number; readonly height: number }
  readonly fullRange?: boolean
  readonly colour?: { readonly primaries: number; readonly transfer: number; readonly matrix: number }
  /** time_scale / (2 · num_units_in_tick), frames per second. */
  readonly frameRate?: number
  readonly fixedFrameRate?: boolean
  /** max_num_reorder_frames: frames that may precede another in decoding order and follow it when shown. */
  readonly maxReorderFrames?: number
}

/** aspect_ratio_idc 1 … 16, Table E-1. HEVC's Table E.1 is the same. */
const SAMPLE_ASPECTS: readonly (readonly [number, number])[] = [
  [1, 1],
  [12, 11],
  [10, 11],
  [16, 11],
  [40, 33],
  [24, 11],
  [20, 11],
  [32, 11],
  [80, 33],
  [18, 11],
  [15, 11],
  [64, 33],
  [160, 99],
  [4, 3],
  [3, 2],
  [2, 1],
]

const EXTENDED_SAR = 255 // aspect_ratio_idc, Table E-1

/** Reads vui_parameters(). @throws MalformedError */
export function parseVui(bits: BitReader): Vui {
  const sampleAspect = bits.flag() ? parseSampleAspect(bits) : undefined
  if (bits.flag()) bits.skip(1) // overscan_appropriate_flag
  const signal = bits.flag() ? parseVideoSignal(bits) : {}
  if (bits.flag()) {
    bits.ue() // chroma_sample_loc_type_top_field
    bits.ue() // chroma_sample_loc_type_bottom_field
  }
  const timing = bits.flag() ? parseTiming(bits) : {}
  const nalHrd = bits.flag()
  if (nalHrd) skipHrd(bits)
  const vclHrd = bits.flag()
  if (vclHrd) skipHrd(bits)
  if (nalHrd || vclHrd) bits.skip(1) // low_delay_hrd_flag
  bits.skip(1) // pic_struct_present_flag
  const reorder = bits.flag() ? parseRestriction(bits) : {}
  return { ...(sampleAspect === undefined ? {} : { sampleAspect }), ...signal, ...timing, ...reorder }
}

/** aspect_ratio_idc and what follows it; HEVC has the same fields. */
export function parseSampleAspect(bits: BitReader): { width: number; height: number } | undefined {
  const idc = bits.bits(8)
  if (idc === EXTENDED_SAR) {
    const width = bits.bits(16)
    const height = bits.bits(16)
    return width > 0 && height > 0 ? { width, height } : undefined
  }
  if (idc === 0 || idc > SAMPLE_ASPECTS.length) return undefined
  const [width, height] = SAMPLE_ASPECTS[idc - 1]
  return { width, height }
}

/** video_format to matrix_coefficients; HEVC has the same fields. */
export function parseVideoSignal(bits: BitReader): Pick<Vui, 'fullRange' | 'colour'> {
  bits.skip(3) // video_format
  const fullRange = bits.flag()
  if (!bits.flag()) return { fullRange }
  return { fullRange, colour: { primaries: bits.bits(8), transfer: bits.bits(8), matrix: bits.bits(8) } }
}

function parseTiming(bits: BitReader): Pick<Vui, 'frameRate' | 'fixedFrameRate'> {
  const unitsInTick = bits.bits(32)
  const timeScale = bits.bits(32)
  const fixedFrameRate = bits.flag()
  if (unitsInTick === 0 || timeScale === 0) return { fixedFrameRate }
  return { fixedFrameRate, frameRate: timeScale / (2 * unitsInTick) }
}

/** §E.1.2 */
function skipHrd(bits: BitReader): void {
  const count = bits.ue() + 1
  if (count > 32) bits.fail('cpb_cnt_minus1 above 31')
  bits.skip(8) // bit_rate_scale, cpb_size_scale
  for (let i = 0; i < count; i++) {
    bits.ue() // bit_rate_value_minus1
    bits.ue() // cpb_size_value_minus1
    bits.skip(1) // cbr_flag
  }
  bits.skip(20) // four lengths of 5 bits
}

function parseRestriction(bits: BitReader): Pick<Vui, 'maxReorderFrames'> {
  bits.skip(1) // motion_vectors_over_pic_boundaries_flag
  for (let i = 0; i < 4; i++) bits.ue() // max_bytes_per_pic_denom … log2_max_mv_length_vertical
  const maxReorderFrames = bits.ue()
  bits.ue() // max_dec_frame_buffering
  return { maxReorderFrames }
}
