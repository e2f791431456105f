import type { Track } from '../media/track.ts'
import { isAv1Keyframe } from './av1/keyframe.ts'
import { isH264Keyframe } from './h264/nal.ts'
import { isHevcKeyframe } from './hevc/nal.ts'
import { isVp8Keyframe } from './vp8.ts'
import { isVp9Keyframe } from './vp9.ts'

const AVCC_LENGTH_SIZE_AT = 4 // ISO 14496-15 §5.3.3.1
const HVCC_LENGTH_SIZE_AT = 21 // ISO 14496-15 §8.3.3.1

/**
 * Whether decoding may start at `data`, a sample of `track`, by what its bitstream says. Every audio packet is key.
 * Allocates nothing, and takes garbage for no keyframe.
 */
export function isKeyframe(track: Track, data: Uint8Array): boolean {
  switch (track.codec) {
    case 'h264':
      return isH264Keyframe(data, (track.config[AVCC_LENGTH_SIZE_AT] & 3) + 1)
    case 'hevc':
      return isHevcKeyframe(data, (track.config[HVCC_LENGTH_SIZE_AT] & 3) + 1)
    case 'av1':
      return isAv1Keyframe(data, track.config)
    case 'vp9':
      return isVp9Keyframe(data)
    case 'vp8':
      return isVp8Keyframe(data)
    default:
      return true
  }
}
