import { MalformedError } from '../media/errors.ts'
import type { AudioCodec, AudioTrack, VideoCodec, VideoTrack } from '../media/track.ts'
import { aacFacts, parseAudioSpecificConfig } from './aac/audio-specific-config.ts'
import { parseAv1C } from './av1/av1c.ts'
import { findObu, OBU_SEQUENCE_HEADER } from './av1/obu.ts'
import { parseAv1SequenceHeader } from './av1/sequence-header.ts'
import { parseFlacStreamInfo } from './flac.ts'
import { parseAvcC } from './h264/avcc.ts'
import { parseH264Sps } from './h264/sps.ts'
import { hevcFacts, parseHvcC } from './hevc/hvcc.ts'
import { OPUS_RATE_HZ, parseOpusHead } from './opus.ts'
import { parseVpcC } from './vpcc.ts'

/** What a video configuration states. */
export type VideoFacts = Pick<VideoTrack, 'width' | 'height' | 'frameRate'>
/** What an audio configuration states. */
export type AudioFacts = Pick<AudioTrack, 'sampleRateHz' | 'channels'>

/** Frames per second above which a rate is the tick of a variable-rate encoder (1/1000 s), not a rate. */
const MAX_FRAME_RATE = 480

/** Size and rate by a configuration; zeros where only frames tell. @throws MalformedError */
export function videoFacts(codec: VideoCodec, config: Uint8Array): VideoFacts {
  switch (codec) {
    case 'h264': {
      const { width, height, vui } = parseH264Sps(first(parseAvcC(config).sps))
      return { width, height, ...plausibleRate(vui?.frameRate) }
    }
    case 'hevc': {
      const { sps, frameRate } = hevcFacts(parseHvcC(config))
      return { width: sps.width, height: sps.height, ...plausibleRate(frameRate) }
    }
    case 'av1': {
      const obus = config.length === 0 ? config : parseAv1C(config).configObus
      const header = findObu(obus, OBU_SEQUENCE_HEADER)
      return header === undefined ? { width: 0, height: 0 } : av1Facts(header)
    }
    case 'vp9':
      if (config.length > 0) parseVpcC(config)
      return { width: 0, height: 0 }
    case 'vp8':
      return { width: 0, height: 0 }
    default:
      return codec satisfies never
  }
}

function first(units: readonly Uint8Array[]): Uint8Array {
  if (units.length === 0) throw new MalformedError('avcC', 'has no SPS')
  return units[0]
}

/** The facts that a sequence header states. @throws MalformedError */
export function av1Facts(sequenceHeader: Uint8Array): VideoFacts {
  const { width, height, frameRate } = parseAv1SequenceHeader(sequenceHeader)
  return { width, height, ...plausibleRate(frameRate) }
}

function plausibleRate(frameRate: number | undefined): { frameRate?: number } {
  return frameRate === undefined || frameRate > MAX_FRAME_RATE ? {} : { frameRate }
}

/** Rate and channels by a configuration; zeros where only frames tell. PCM has what `told` says. @throws MalformedError */
export function audioFacts(codec: AudioCodec, config: Uint8Array, told: Partial<AudioFacts>): AudioFacts {
  switch (codec) {
    case 'aac': {
      const { sampleRateHz, channels } = aacFacts(parseAudioSpecificConfig(config))
      return { sampleRateHz, channels }
    }
    case 'opus':
      return { sampleRateHz: OPUS_RATE_HZ, channels: parseOpusHead(config).channels }
    case 'flac': {
      const { sampleRateHz, channels } = parseFlacStreamInfo(config)
      return { sampleRateHz, channels }
    }
    case 'mp3':
    case 'ac3':
    case 'eac3':
      return { sampleRateHz: 0, channels: 0 }
    default:
      return { sampleRateHz: told.sampleRateHz ?? 0, channels: told.channels ?? 0 }
  }
}
