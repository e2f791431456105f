import type { Track } from '../media/track.ts'
import { AOT_PS, AOT_SBR, parseAudioSpecificConfig } from './aac/audio-specific-config.ts'

/** The `codecs` parameter of RFC 6381 for a track, as MP4 players and `MediaSource.isTypeSupported` take it. */
export function codecString(track: Track): string {
  switch (track.codec) {
    case 'h264':
      return `avc1.${hex(track.config[1])}${hex(track.config[2])}${hex(track.config[3])}`
    case 'aac':
      return aacString(track.config)
    default:
      return track.codec
  }
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0')
}

function aacString(config: Uint8Array): string {
  const { objectType, sbr } = parseAudioSpecificConfig(config)
  if (sbr?.present !== true) return `mp4a.40.${objectType}`
  return `mp4a.40.${sbr.ps === true ? AOT_PS : AOT_SBR}`
}
