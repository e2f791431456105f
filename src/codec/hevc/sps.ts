import { BitReader } from '../../media/bits.ts'
import { unescapeNal } from '../nal.ts'
import { hevcNalType, NAL_HEVC_SPS } from './nal.ts'
import { type ProfileTierLevel, parseProfileTierLevel } from './profile-tier-level.ts'
import { skipLongTermRefs, skipScalingLists, skipShortTermSets } from './sps-lists.ts'
import { type HevcVui, parseHevcVui } from './vui.ts'

/** What a sequence parameter set says that matters outside a decoder. HEVC §7.3.2.2.1. */
export type HevcSps = {
  readonly vpsId: number
  readonly id: number
  readonly temporalLayers: number
  readonly temporalIdNested: boolean
  readonly profile: ProfileTierLevel
  /** 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4. */
  readonly chromaFormat: number
  readonly bitDepthLuma: number
  readonly bitDepthChroma: number
  /** What is shown: luma samples inside the conformance window. */
  readonly width: number
  readonly height: number
  /** sps_max_num_reorder_pics of the highest sub-layer. */
  readonly maxReorderFrames: number
  /** Absent when the set has no usability information. */
  readonly vui?: HevcVui
}

/** The largest side that level 6.2 allows is 16 888 (§A.4.1); what is wider is no picture. */
const MAX_SIDE = 32_768

/**
 * Reads an SPS NAL unit of the base layer, header bytes included.
 * @throws MalformedError
 */
export function parseHevcSps(unit: Uint8Array): HevcSps {
  const bits = new BitReader(unescapeNal(unit), 'HEVC SPS')
  if (unit.length < 2 || hevcNalType(unit) !== NAL_HEVC_SPS) bits.fail('is no SPS NAL unit')
  bits.skip(16)
  const vpsId = bits.bits(4)
  const maxSubLayersMinus1 = bits.bits(3)
  if (maxSubLayersMinus1 > 6) bits.fail('sps_max_sub_layers_minus1 above 6')
  const temporalIdNested = bits.flag()
  const profile = parseProfileTierLevel(bits, maxSubLayersMinus1)
  const id = bits.ue()
  if (id > 15) bits.fail('sps_seq_parameter_set_id above 15')
  const picture = parsePicture(bits)
  const pocBits = bits.ue() + 4
  if (pocBits > 16) bits.fail('log2_max_pic_order_cnt_lsb above 16')
  const maxReorderFrames = parseOrdering(bits, maxSubLayersMinus1)
  skipCodingTools(bits)
  skipShortTermSets(bits)
  if (bits.flag()) skipLongTermRefs(bits, pocBits)
  bits.skip(2) // sps_temporal_mvp_enabled_flag, strong_intra_smoothing_enabled_flag
  const vui = bits.flag() ? parseHevcVui(bits) : undefined
  return {
    vpsId,
    id,
    temporalLayers: maxSubLayersMinus1 + 1,
    temporalIdNested,
    profile,
    ...picture,
    maxReorderFrames,
    ...(vui === undefined ? {} : { vui }),
  }
}

type Picture = Pick<HevcSps, 'chromaFormat' | 'bitDepthLuma' | 'bitDepthChroma' | 'width' | 'height'>

function parsePicture(bits: BitReader): Picture {
  const chromaFormat = bits.ue()
  if (chromaFormat > 3) bits.fail('chroma_format_idc above 3')
  if (chromaFormat === 3) bits.skip(1) // separate_colour_plane_flag
  let width = bits.ue()
  let height = bits.ue()
  if (bits.flag()) {
    const unitX = chromaFormat === 1 || chromaFormat === 2 ? 2 : 1 // SubWidthC, Table 6-1
    const unitY = chromaFormat === 1 ? 2 : 1
    width -= unitX * (bits.ue() + bits.ue())
    height -= unitY * (bits.ue() + bits.ue())
  }
  if (width <= 0 || height <= 0 || width > MAX_SIDE || height > MAX_SIDE) {
    bits.fail(`impossible picture size ${width}x${height}`)
  }
  const bitDepthLuma = bits.ue() + 8
  const bitDepthChroma = bits.ue() + 8
  if (bitDepthLuma > 16 || bitDepthChroma > 16) bits.fail('bit depth above 16')
  return { chromaFormat, bitDepthLuma, bitDepthChroma, width, height }
}

/** sps_max_dec_pic_buffering_minus1 and company; returns the reorder depth of the highest sub-layer. */
function parseOrdering(bits: BitReader, maxSubLayersMinus1: number): number {
  let reorder = 0
  for (let i = bits.flag() ? 0 : maxSubLayersMinus1; i <= maxSubLayersMinus1; i++) {
    bits.ue()
    reorder = bits.ue()
    bits.ue()
  }
  return reorder
}

function skipCodingTools(bits: BitReader): void {
  for (let i = 0; i < 6; i++) bits.ue() // block and transform sizes and depths
  if (bits.flag() && bits.flag()) skipScalingLists(bits)
  bits.skip(2) // amp_enabled_flag, sample_adaptive_offset_enabled_flag
  if (bits.flag()) {
    bits.skip(8) // pcm bit depths
    bits.ue()
    bits.ue()
    bits.skip(1) // pcm_loop_filter_disabled_flag
  }
}
