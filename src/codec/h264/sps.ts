import { BitReader } from '../../media/bits.ts'
import { unescapeNal } from '../nal.ts'
import { NAL_SPS } from './nal.ts'
import { parseVui, type Vui } from './vui.ts'

/** What a sequence parameter set says that matters outside a decoder. H.264 §7.3.2.1.1. */
export type H264Sps = {
  readonly profileIdc: number
  /** constraint_set0_flag … constraint_set5_flag and two zero bits, as one byte. */
  readonly constraintFlags: number
  readonly levelIdc: number
  readonly id: number
  /** 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4. */
  readonly chromaFormat: number
  readonly bitDepthLuma: number
  readonly bitDepthChroma: number
  readonly pocType: number
  readonly maxRefFrames: number
  /** False where pictures may be fields. */
  readonly frameMbsOnly: boolean
  /** What is shown: luma samples after cropping. */
  readonly width: number
  readonly height: number
  /** Absent when the set has no usability information. */
  readonly vui?: Vui
}

/** profile_idc values whose SPS has the chroma and scaling fields, and whose avcC has the extension. §7.3.2.1.1 */
export const HIGH_PROFILES: ReadonlySet<number> = new Set([
  100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135,
])

/** 4 · MaxFS of level 6.2 would be 16 864 luma samples (§A.3.1); what is wider is no picture. */
const MAX_SIDE = 32_768

/**
 * Reads an SPS NAL unit, header byte included.
 * @throws MalformedError
 */
export function parseH264Sps(unit: Uint8Array): H264Sps {
  const bits = new BitReader(unescapeNal(unit), 'H.264 SPS')
  if ((bits.bits(8) & 0x1f) !== NAL_SPS) bits.fail('is no SPS NAL unit')
  const profileIdc = bits.bits(8)
  const constraintFlags = bits.bits(8)
  const levelIdc = bits.bits(8)
  const id = bits.ue()
  if (id > 31) bits.fail('seq_parameter_set_id above 31')
  const { chromaFormat, bitDepthLuma, bitDepthChroma, separatePlanes } = parseChroma(bits, profileIdc)
  bits.ue() // log2_max_frame_num_minus4
  const pocType = parsePictureOrder(bits)
  const maxRefFrames = bits.ue()
  bits.skip(1) // gaps_in_frame_num_value_allowed_flag
  const widthMbs = bits.ue() + 1
  const heightMapUnits = bits.ue() + 1
  const frameMbsOnly = bits.flag()
  if (!frameMbsOnly) bits.skip(1) // mb_adaptive_frame_field_flag
  bits.skip(1) // direct_8x8_inference_flag
  const crop = parseCropping(bits, separatePlanes ? 0 : chromaFormat, frameMbsOnly)
  const width = widthMbs * 16 - crop.width
  const height = heightMapUnits * 16 * (frameMbsOnly ? 1 : 2) - crop.height
  if (width <= 0 || height <= 0 || width > MAX_SIDE || height > MAX_SIDE) {
    bits.fail(`impossible picture size ${width}x${height}`)
  }
  const vui = bits.flag() ? parseVui(bits) : undefined
  return {
    profileIdc,
    constraintFlags,
    levelIdc,
    id,
    chromaFormat,
    bitDepthLuma,
    bitDepthChroma,
    pocType,
    maxRefFrames,
    frameMbsOnly,
    width,
    height,
    ...(vui === undefined ? {} : { vui }),
  }
}

type Chroma = { chromaFormat: number; bitDepthLuma: number; bitDepthChroma: number; separatePlanes: boolean }

function parseChroma(bits: BitReader, profileIdc: number): Chroma {
  if (!HIGH_PROFILES.has(profileIdc)) {
    return { chromaFormat: 1, bitDepthLuma: 8, bitDepthChroma: 8, separatePlanes: false }
  }
  const chromaFormat = bits.ue()
  if (chromaFormat > 3) bits.fail('chroma_format_idc above 3')
  const separatePlanes = chromaFormat === 3 && bits.flag()
  const bitDepthLuma = 8 + bits.ue()
  const bitDepthChroma = 8 + bits.ue()
  if (bitDepthLuma > 14 || bitDepthChroma > 14) bits.fail('bit depth above 14')
  bits.skip(1) // qpprime_y_zero_transform_bypass_flag
  if (bits.flag()) {
    const lists = chromaFormat === 3 ? 12 : 8
    for (let i = 0; i < lists; i++) if (bits.flag()) skipScalingList(bits, i < 6 ? 16 : 64)
  }
  return { chromaFormat, bitDepthLuma, bitDepthChroma, separatePlanes }
}

/** §7.3.2.1.1.1 */
function skipScalingList(bits: BitReader, size: number): void {
  let last = 8
  let next = 8
  for (let i = 0; i < size; i++) {
    if (next !== 0) next = (last + bits.se() + 256) & 255
    if (next !== 0) last = next
  }
}

function parsePictureOrder(bits: BitReader): number {
  const type = bits.ue()
  if (type > 2) bits.fail('pic_order_cnt_type above 2')
  if (type === 0) bits.ue() // log2_max_pic_order_cnt_lsb_minus4
  if (type === 1) {
    bits.skip(1) // delta_pic_order_always_zero_flag
    bits.se() // offset_for_non_ref_pic
    bits.se() // offset_for_top_to_bottom_field
    const cycle = bits.ue()
    if (cycle > 255) bits.fail('num_ref_frames_in_pic_order_cnt_cycle above 255')
    for (let i = 0; i < cycle; i++) bits.se()
  }
  return type
}

/** Luma samples cut off in all; the units are those of equations 7-19 to 7-22. */
function parseCropping(
  bits: BitReader,
  chromaArrayType: number,
  frameMbsOnly: boolean,
): { width: number; height: number } {
  if (!bits.flag()) return { width: 0, height: 0 }
  const unitX = chromaArrayType === 1 || chromaArrayType === 2 ? 2 : 1
  const unitY = (chromaArrayType === 1 ? 2 : 1) * (frameMbsOnly ? 1 : 2)
  const width = (bits.ue() + bits.ue()) * unitX
  const height = (bits.ue() + bits.ue()) * unitY
  return { width, height }
}
