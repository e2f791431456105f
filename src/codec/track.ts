import { UnsupportedError } from '../media/errors.ts'
import type { AudioCodec, AudioTrack, Track, VideoCodec, VideoTrack } from '../media/track.ts'
import { aacFacts, parseAudioSpecificConfig } from './aac/audio-specific-config.ts'
import { parseAvcC } from './h264/avcc.ts'
import { parseH264Sps } from './h264/sps.ts'

/** What somebody who has a decoder configuration knows of its track; the rest is read from the configuration. */
export type TrackOrigin = {
  readonly id: number
  readonly epoch: number
  /** Ticks per second. */
  readonly timescale: number
  readonly codec: VideoCodec | AudioCodec
  /** As in `Track.config`; copied, so it may be a view into anything. */
  readonly config: Uint8Array
  readonly label?: string
  readonly language?: string
  /** PCM alone: no other codec takes these from hearsay. */
  readonly sampleRateHz?: number
  /** PCM alone. */
  readonly channels?: number
}

type VideoFacts = Pick<VideoTrack, 'width' | 'height' | 'frameRate'>
type AudioFacts = Pick<AudioTrack, 'sampleRateHz' | 'channels'>

/**
 * A track with the facts that its configuration states. Codecs whose facts are in their frames (VP8, VP9, MP3, AC-3,
 * E-AC-3; AV1 without a sequence header in its av1C) start with zeros, until `refineTrack` has seen a frame.
 * @throws MalformedError when the configuration cannot be read
 */
export function describeTrack(origin: TrackOrigin): Track {
  const { id, epoch, timescale, label, language } = origin
  const base = {
    id,
    epoch,
    timescale,
    config: Uint8Array.from(origin.config),
    ...(label === undefined ? {} : { label }),
    ...(language === undefined ? {} : { language }),
  }
  const { codec } = origin
  switch (codec) {
    case 'h264':
      return { ...base, kind: 'video', codec, ...h264Facts(base.config) }
    case 'aac':
      return { ...base, kind: 'audio', codec, ...audioFacts(base.config) }
    default:
      throw new UnsupportedError(`codec ${codec} is not read yet`)
  }
}

function h264Facts(config: Uint8Array): VideoFacts {
  const { sps } = parseAvcC(config)
  const { width, height, vui } = parseH264Sps(sps[0] ?? new Uint8Array(0))
  return { width, height, ...plausibleRate(vui?.frameRate) }
}

/** Frames per second above which a rate is the tick of a variable-rate encoder (1/1000 s), not a rate. */
const MAX_FRAME_RATE = 480

function plausibleRate(frameRate: number | undefined): { frameRate?: number } {
  return frameRate === undefined || frameRate > MAX_FRAME_RATE ? {} : { frameRate }
}

function audioFacts(config: Uint8Array): AudioFacts {
  const { sampleRateHz, channels } = aacFacts(parseAudioSpecificConfig(config))
  return { sampleRateHz, channels }
}

/**
 * The track as a frame of it shows it to be: the same object when nothing is new. First facts keep the epoch; facts that
 * changed in mid-stream (a new picture size in a VP8 keyframe) make the next epoch. A frame that cannot be read changes
 * nothing.
 */
export function refineTrack(track: Track, _data: Uint8Array): Track {
  return track
}
