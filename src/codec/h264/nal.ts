import { nalLength } from '../nal.ts'

// nal_unit_type values, H.264 Table 7-1
const NAL_SLICE = 1
const NAL_PARTITION_C = 4
const NAL_IDR = 5
const NAL_SEI = 6
export const NAL_SPS = 7 // nal_unit_type, Table 7-1
export const NAL_PPS = 8
export const NAL_AUD = 9
export const NAL_SPS_EXT = 13

const SEI_RECOVERY_POINT = 6 // payloadType, §D.1.1

/** nal_unit_type of a NAL unit with its header byte. */
export function h264NalType(unit: Uint8Array): number {
  return unit[0] & 0x1f
}

/**
 * Whether decoding may start at this length-prefixed access unit. Allocates nothing; garbage is no keyframe.
 *
 * The rule: its picture is IDR, or a recovery point SEI with recovery_frame_cnt 0 stands before it (open GOPs: every
 * picture from there on in output order is exact, §D.2.8). An I picture without either is not known to be an entry, since
 * later pictures may refer to what lies before it; nor is a gradual refresh, which needs recovery_frame_cnt frames first.
 */
export function isH264Keyframe(data: Uint8Array, lengthSize: number): boolean {
  let recovery = false
  let at = 0
  while (at < data.length) {
    const length = nalLength(data, at, lengthSize)
    if (length < 0) return false
    at += lengthSize
    if (length > 0) {
      const type = data[at] & 0x1f
      if (type === NAL_IDR) return true
      if (type >= NAL_SLICE && type <= NAL_PARTITION_C) return recovery
      if (type === NAL_SEI) recovery ||= hasExactRecoveryPoint(data, at + 1, at + length)
    }
    at += length
  }
  return false
}

/** Walks sei_message() (§7.3.2.3.1) in place, passing over emulation prevention bytes. */
function hasExactRecoveryPoint(data: Uint8Array, start: number, end: number): boolean {
  let zeros = 0
  let field: 'type' | 'size' | 'payload' = 'type'
  let type = 0
  let size = 0
  for (let at = start; at < end; at++) {
    const byte = data[at]
    if (zeros >= 2 && byte === 3) {
      zeros = 0
      continue
    }
    zeros = byte === 0 ? zeros + 1 : 0
    if (field === 'type') {
      type += byte
      if (byte !== 0xff) field = 'size'
    } else if (field === 'size') {
      size += byte
      if (byte === 0xff) continue
      field = size === 0 ? 'type' : 'payload'
      if (size === 0) type = 0
    } else {
      if (type === SEI_RECOVERY_POINT) return (byte & 0x80) !== 0 // recovery_frame_cnt ue(v): a leading 1 is 0
      if (--size === 0) {
        field = 'type'
        type = 0
      }
    }
  }
  return false
}
