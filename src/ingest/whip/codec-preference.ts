import { canHold } from '../../container/formats.ts'
import type { Format } from '../../container/reader.ts'
import type { AudioCodec, VideoCodec } from '../../media/track.ts'

/**
 * Best first where nothing else decides. H.264 is what hardware encodes, what every player plays, from MP4 and live, and what
 * needs no work afterwards.
 */
const VIDEO: readonly VideoCodec[] = ['h264', 'vp9', 'vp8', 'av1', 'hevc']
/** For WebM: VP8 is what browsers prefer themselves, and send in layers without being told. */
const WEBM_VIDEO: readonly VideoCodec[] = ['vp8', 'vp9', 'av1']
const AUDIO: readonly AudioCodec[] = ['opus', 'pcm-alaw', 'pcm-mulaw', 'pcm-s16le']

/** What a publisher is asked for, best first; what is not in it is refused. */
export interface CodecPreference {
  readonly video: readonly VideoCodec[]
  readonly audio: readonly AudioCodec[]
}

/**
 * Codecs for a room that is recorded in `format`: first those that it holds. The others follow, since what cannot be had
 * otherwise is better kept in another container than not at all.
 */
export function codecPreference(format: Format | 'auto'): CodecPreference {
  if (format === 'auto') return { video: VIDEO, audio: AUDIO }
  const order = format === 'webm' ? [...WEBM_VIDEO, ...VIDEO.filter((codec) => !WEBM_VIDEO.includes(codec))] : VIDEO
  const held = <Codec extends VideoCodec | AudioCodec>(codecs: readonly Codec[]): readonly Codec[] => [
    ...codecs.filter((codec) => canHold(format, codec)),
    ...codecs.filter((codec) => !canHold(format, codec)),
  ]
  return { video: held(order), audio: held(AUDIO) }
}
