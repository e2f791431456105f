import { TapedeckError } from '../media/errors.ts'
import type { AudioCodec, AudioTrack, Track, VideoCodec, VideoTrack } from '../media/track.ts'
import { parseAc3Header } from './ac3.ts'
import { buildAv1C, writeAv1C } from './av1/av1c.ts'
import { isAv1Keyframe } from './av1/keyframe.ts'
import { findObu, OBU_SEQUENCE_HEADER } from './av1/obu.ts'
import { parseEac3Packet } from './eac3.ts'
import { type AudioFacts, audioFacts, av1Facts, type VideoFacts, videoFacts } from './facts.ts'
import { flacConfig } from './flac.ts'
import { parseMp3Header } from './mp3.ts'
import { isVp8Keyframe, parseVp8Keyframe } from './vp8.ts'
import { isVp9Keyframe, parseVp9Keyframe, splitSuperframe, vpcCFromVp9 } from './vp9.ts'
import { parseVpcC, writeVpcC } from './vpcc.ts'

/** What somebody who has a decoder configuration knows of its track; the rest is read from the configuration. */
export type TrackOrigin = {
  readonly id: number
  readonly epoch: number
  /** Ticks per second. */
  readonly timescale: number
  readonly codec: VideoCodec | AudioCodec
  /**
   * As in `Track.config`; copied, so it may be a view into anything. Empty where AV1 or VP9 came without one.
   * FLAC may have its `fLaC` marker and further metadata blocks: both are taken off.
   */
  readonly config: Uint8Array
  readonly label?: string
  readonly language?: string
  /** PCM alone: no other codec takes these from hearsay. */
  readonly sampleRateHz?: number
  /** PCM alone. */
  readonly channels?: number
}

/**
 * A track with the facts that its configuration states. Codecs whose facts are in their frames (VP8, VP9, MP3, AC-3,
 * E-AC-3; AV1 without a sequence header in its av1C) start with zeros, until `refineTrack` has seen a frame.
 *
 * AAC: where the configuration does not announce SBR, rate and channels are the core's (implicit signalling is unknown).
 * @throws MalformedError when the configuration cannot be read
 * @throws UnsupportedError when it is one that no live source sends (AAC error protection)
 */
export function describeTrack(origin: TrackOrigin): Track {
  const { id, epoch, timescale, label, language, codec } = origin
  const config = codec === 'flac' ? flacConfig(origin.config) : Uint8Array.from(origin.config)
  const base = {
    id,
    epoch,
    timescale,
    config,
    ...(label === undefined ? {} : { label }),
    ...(language === undefined ? {} : { language }),
  }
  switch (codec) {
    case 'h264':
    case 'hevc':
    case 'av1':
    case 'vp9':
    case 'vp8':
      return { ...base, kind: 'video', codec, ...videoFacts(codec, config) }
    default:
      return { ...base, kind: 'audio', codec, ...audioFacts(codec, config, origin) }
  }
}

/**
 * The track as a frame of it shows it to be: the same object when nothing is new. First facts keep the epoch; facts that
 * changed in mid-stream (a new picture size in a VP8 keyframe, another rate in an MP3 frame) make the next epoch.
 *
 * VP9 and AV1 without a configuration get one from their first keyframe. Frames that cannot be read change nothing.
 * For codecs whose configuration states everything (H.264, HEVC, AAC, Opus, FLAC) the track stays what it is.
 */
export function refineTrack(track: Track, data: Uint8Array): Track {
  try {
    switch (track.codec) {
      case 'vp8':
        return isVp8Keyframe(data) ? withVideo(track, parseVp8Keyframe(data), track.config) : track
      case 'vp9':
        return isVp9Keyframe(data) ? refineVp9(track, data) : track
      case 'av1':
        return isAv1Keyframe(data, track.config) ? refineAv1(track, data) : track
      case 'mp3':
        return withAudio(track, parseMp3Header(data))
      case 'ac3':
        return withAudio(track, parseAc3Header(data))
      case 'eac3':
        return withAudio(track, parseEac3Packet(data))
      default:
        return track
    }
  } catch (error) {
    if (error instanceof TapedeckError) return track
    throw error
  }
}

/** `config` replaces the track's own only where there is something new. */
function withVideo(track: VideoTrack, size: VideoFacts, config: Uint8Array): Track {
  const { width, height, frameRate } = size
  if (track.width === width && track.height === height && config === track.config) return track
  if (width === 0 || height === 0) return track
  const epoch = track.width === 0 ? track.epoch : track.epoch + 1
  return { ...track, epoch, width, height, config, ...(frameRate === undefined ? {} : { frameRate }) }
}

function withAudio(track: AudioTrack, facts: AudioFacts): Track {
  const { sampleRateHz, channels } = facts
  if (track.sampleRateHz === sampleRateHz && track.channels === channels) return track
  const epoch = track.sampleRateHz === 0 ? track.epoch : track.epoch + 1
  return { ...track, epoch, sampleRateHz, channels }
}

function refineVp9(track: VideoTrack, data: Uint8Array): Track {
  const header = parseVp9Keyframe(data)
  const size = isLowestLayer(header, track, data) ? track : header
  const sameSize = track.width === size.width && track.height === size.height
  const known = track.config.length > 0 ? parseVpcC(track.config) : undefined
  const sameCoding = known?.profile === header.profile && known.bitDepth === header.bitDepth
  if (sameCoding && (sameSize || track.width === 0)) return withVideo(track, size, track.config)
  return withVideo(track, size, writeVpcC(vpcCFromVp9(data, track.frameRate)))
}

/** A superframe begins with its smallest layer: how large the picture is, the sender has said. */
function isLowestLayer({ width, height }: VideoFacts, track: VideoTrack, data: Uint8Array): boolean {
  return width <= track.width && height <= track.height && splitSuperframe(data).length > 1
}

function refineAv1(track: VideoTrack, data: Uint8Array): Track {
  const sequenceHeader = findObu(data, OBU_SEQUENCE_HEADER)
  if (sequenceHeader === undefined) return track
  const facts = av1Facts(sequenceHeader)
  const fresh = buildAv1C(data)
  const sameCoding = track.config[1] >> 5 === fresh.profile && (track.config[2] & 0x7f) === (writeAv1C(fresh)[2] & 0x7f)
  const described = track.config.length > 4
  if (track.width === facts.width && track.height === facts.height && sameCoding && described) return track
  return withVideo(track, facts, writeAv1C(fresh))
}
