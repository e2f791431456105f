import { z } from 'zod'

const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array, 'must be a Uint8Array')
const timescale = z.number().int().min(1).max(1_000_000_000)
const text = z.string().max(255)

/** Checks `FileMuxerOptions`. */
export const fileMuxerSchema = z.object({
  format: z.enum(['mp4', 'flv', 'mkv', 'webm', 'ogg']).optional(),
  title: text.optional(),
  creationTimeMs: z.number().int().nonnegative().optional(),
  fsync: z.enum(['interval', 'always', 'never']).default('interval'),
})

/** `format`, otherwise told by the file's extension; `title`; `creationTimeMs` since 1970, now by default; `fsync`. */
export type FileMuxerOptions = z.input<typeof fileMuxerSchema>

/** Checks `VideoTrackOptions`. */
export const videoTrackSchema = z.object({
  codec: z.enum(['h264', 'hevc', 'av1', 'vp9', 'vp8']),
  config: bytes.default(() => new Uint8Array(0)),
  timescale: timescale.default(90_000),
  width: z.number().int().min(1).max(65_535).optional(),
  height: z.number().int().min(1).max(65_535).optional(),
  label: text.exactOptional(),
  language: text.exactOptional(),
})

/**
 * A video track: `config` as in `Track.config` (avcC, hvcC, av1C, vpcC; none for VP8); `timescale` in ticks per second,
 * 90000 by default; `width` and `height` only where the bitstream does not say them.
 */
export type VideoTrackOptions = z.input<typeof videoTrackSchema>

/** Checks `AudioTrackOptions`. */
export const audioTrackSchema = z.object({
  codec: z.enum(['aac', 'opus', 'mp3', 'ac3', 'eac3', 'flac', 'pcm-s16le', 'pcm-alaw', 'pcm-mulaw']),
  config: bytes.default(() => new Uint8Array(0)),
  timescale: timescale.optional(),
  sampleRateHz: z.number().int().min(1000).max(768_000).exactOptional(),
  channels: z.number().int().min(1).max(255).exactOptional(),
  label: text.exactOptional(),
  language: text.exactOptional(),
})

/**
 * An audio track: `config` as in `Track.config` (AudioSpecificConfig, OpusHead, STREAMINFO); `timescale` in ticks per
 * second, by default `sampleRateHz`, otherwise 1000; `sampleRateHz` and `channels` for PCM.
 */
export type AudioTrackOptions = z.input<typeof audioTrackSchema>

/** Codecs whose frames say everything: no configuration is waited for. */
export const SELF_DESCRIBING: ReadonlySet<string> = new Set([
  'vp8',
  'vp9',
  'mp3',
  'ac3',
  'eac3',
  'pcm-s16le',
  'pcm-alaw',
  'pcm-mulaw',
])
