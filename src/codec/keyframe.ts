import type { Track } from '../media/track.ts'
import { isH264Keyframe } from './h264/nal.ts'

/**
 * Whether decoding may start at `data`, a sample of `track`, by what its bitstream says. Every audio packet is key.
 * Allocates nothing, and takes garbage for no keyframe.
 */
export function isKeyframe(track: Track, data: Uint8Array): boolean {
  switch (track.codec) {
    case 'h264':
      return isH264Keyframe(data, (track.config[4] & 3) + 1)
    default:
      return track.kind === 'audio'
  }
}
