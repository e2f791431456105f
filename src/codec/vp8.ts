import { MalformedError } from '../media/errors.ts'
import type { VpcC } from './vpcc.ts'

/** The start of a VP8 keyframe, RFC 6386 §9.1. */
export type Vp8KeyframeHeader = {
  /** 0 to 3: which reconstruction filter. */
  readonly version: number
  readonly width: number
  readonly height: number
}

const KEYFRAME_BYTES = 10 // frame tag, start code, sizes, §9.1

/** Whether decoding may start at this frame: frame type 0, then the start code 9d 01 2a. Allocates nothing. */
export function isVp8Keyframe(data: Uint8Array): boolean {
  return (
    data.length >= KEYFRAME_BYTES && (data[0] & 1) === 0 && data[3] === 0x9d && data[4] === 0x01 && data[5] === 0x2a
  )
}

/** Reads the header of a keyframe. @throws MalformedError for anything else */
export function parseVp8Keyframe(data: Uint8Array): Vp8KeyframeHeader {
  if (!isVp8Keyframe(data)) throw new MalformedError('VP8 frame', 'is no keyframe')
  const width = (data[6] | (data[7] << 8)) & 0x3fff // the upper 2 bits are a wish to be scaled
  const height = (data[8] | (data[9] << 8)) & 0x3fff
  return { version: (data[0] >> 1) & 7, width, height }
}

/** The configuration of any VP8 track, for containers that want one. */
export function vpcCForVp8(version = 0): VpcC {
  return {
    profile: version,
    level: 0,
    bitDepth: 8,
    chromaSubsampling: 1,
    fullRange: false,
    primaries: 2,
    transfer: 2,
    matrix: 2,
    initData: new Uint8Array(0),
  }
}
