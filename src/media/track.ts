/** Video codecs that tracks carry. Names are the field's, lower case. */
export type VideoCodec = 'h264' | 'hevc' | 'av1' | 'vp9' | 'vp8'
/** Audio codecs that tracks carry. `pcm-s16le` is little-endian interleaved. */
export type AudioCodec = 'aac' | 'opus' | 'mp3' | 'ac3' | 'eac3' | 'flac' | 'pcm-s16le' | 'pcm-alaw' | 'pcm-mulaw'

/** What the numbers of a picture mean, by the code points of ISO 23091-2. */
export interface Colour {
  readonly primaries: number
  readonly transfer: number
  readonly matrix: number
  readonly fullRange: boolean
}

interface TrackBase {
  /** Unique within its stream, from 1, stable over epochs. */
  readonly id: number
  /** Counts configurations of this track from 0; a new configuration is a new `Track` object with the next epoch. */
  readonly epoch: number
  /** Ticks per second of `Frame.dts` and `Frame.pts`. The same in every epoch. */
  readonly timescale: number
  /** What a person would call it: camera, screen, microphone. */
  readonly label?: string
  /** ISO 639-2/T. */
  readonly language?: string
  /**
   * The decoder configuration record as the codec defines it, without any container's box around it:
   * avcC (ISO 14496-15 §5.3.3), hvcC (§8.3.3), av1C (AV1-ISOBMFF §2.3), vpcC payload after the FullBox header
   * (VP-ISOBMFF §2.2), AudioSpecificConfig (14496-3 §1.6), OpusHead (RFC 7845 §5.1), FLAC STREAMINFO metadata block
   * with its 4-byte header (RFC 9639 §8). Empty for VP8, MP3, AC-3, E-AC-3, PCM.
   */
  readonly config: Uint8Array
}

/** One elementary video stream. Sizes come from the bitstream; 0 while a codec without configuration has sent no keyframe. */
export interface VideoTrack extends TrackBase {
  readonly kind: 'video'
  readonly codec: VideoCodec
  readonly width: number
  readonly height: number
  /** Frames per second as the bitstream states it; absent when it does not. */
  readonly frameRate?: number
  /** As the sender's container states it, where the configuration says nothing of it or something else. */
  readonly colour?: Colour
  /** Frames may have `alpha`. Only of VP8 and VP9, and in Matroska alone. */
  readonly hasAlpha?: true
}

/** One elementary audio stream. */
export interface AudioTrack extends TrackBase {
  readonly kind: 'audio'
  readonly codec: AudioCodec
  /** Of the decoded sound: the doubled rate for HE-AAC, 48000 for Opus. */
  readonly sampleRateHz: number
  readonly channels: number
}

/** One elementary stream in one configuration. Immutable: a frame's `track` tells which configuration it needs. */
export type Track = VideoTrack | AudioTrack
