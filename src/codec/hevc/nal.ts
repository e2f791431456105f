import { nalLength } from '../nal.ts'

// nal_unit_type values, HEVC (H.265) Table 7-1
const NAL_BLA_W_LP = 16
const NAL_CRA = 21
const NAL_LAST_VCL = 31
export const NAL_VPS = 32 // nal_unit_type, Table 7-1
export const NAL_HEVC_SPS = 33
export const NAL_HEVC_PPS = 34
export const NAL_HEVC_AUD = 35

/** nal_unit_type of a NAL unit with its two header bytes. */
export function hevcNalType(unit: Uint8Array): number {
  return (unit[0] >> 1) & 0x3f
}

/** nuh_layer_id; 0 is the base layer, the only one that is decoded here. */
export function hevcLayerId(unit: Uint8Array): number {
  return ((unit[0] & 1) << 5) | (unit[1] >> 3)
}

/**
 * Whether decoding may start at this length-prefixed access unit: its first slice is IRAP (BLA, IDR or CRA, §3.69).
 * After a CRA the leading pictures that refer to what lies before it (RASL) are for the decoder to skip (§8.1.3).
 * Allocates nothing; garbage is no keyframe.
 */
export function isHevcKeyframe(data: Uint8Array, lengthSize: number): boolean {
  let at = 0
  while (at < data.length) {
    const length = nalLength(data, at, lengthSize)
    if (length < 0) return false
    at += lengthSize
    if (length > 0) {
      const type = (data[at] >> 1) & 0x3f
      if (type <= NAL_LAST_VCL) return type >= NAL_BLA_W_LP && type <= NAL_CRA
    }
    at += length
  }
  return false
}
