import type { AudioCodec, Track, VideoCodec } from '../../media/track.ts'

/** Room for whatever `writeVideoHeader` and `writeAudioHeader` write: flags, multitrack, FourCC, track id, composition time. */
export const MAX_BODY_HEADER_BYTES = 16

const FLAC_SIGNATURE = Uint8Array.of(0x66, 0x4c, 0x61, 0x43) // "fLaC", RFC 9639 §6
const FLAC_STREAMINFO_BYTES = 34 // RFC 9639 §8.2
/** Profile 0, level unknown, 8 bit 4:2:0, BT.601 (VP-ISOBMFF §2.2): VP8 can be nothing else. */
const VP8_CONFIG = Uint8Array.of(0, 0, 0x82, 6, 6, 6, 0, 0)
/** Version 1, stereo, pre-skip 0, 48 kHz, no gain, mapping family 0 (RFC 7845 §5.1): where a peer sends an empty header. */
const OPUS_STEREO = Uint8Array.of(0x4f, 0x70, 0x75, 0x73, 0x48, 0x65, 0x61, 0x64, 1, 2, 0, 0, 0x80, 0xbb, 0, 0, 0, 0, 0)

/**
 * `Track.config` from the payload of a `config` packet: FLAC loses its signature, VP9 the FullBox header that some
 * write, an empty Opus header becomes that of plain stereo (E-RTMP v2), and VP8 and the rest have none. A view where possible.
 */
export function configOf(codec: VideoCodec | AudioCodec, payload: Uint8Array): Uint8Array {
  switch (codec) {
    case 'flac':
      return flacConfig(payload)
    case 'vp9':
      // Version 1 and three zero bytes: no record begins so, its third byte is the bit depth.
      return payload[0] === 1 && payload[2] === 0 && payload[3] === 0 ? payload.subarray(4) : payload
    case 'opus':
      return payload.length === 0 ? OPUS_STEREO : payload
    case 'h264':
    case 'hevc':
    case 'av1':
    case 'aac':
      return payload
    default:
      return payload.subarray(0, 0)
  }
}

/** The payload of the `config` packet of a track, behind the body's header; undefined for codecs that have none. */
export function configPayload(track: Track): Uint8Array | undefined {
  if (track.codec === 'flac') return Buffer.concat([FLAC_SIGNATURE, track.config])
  if (track.codec === 'vp8') return VP8_CONFIG
  return track.config.length > 0 ? track.config : undefined
}

function flacConfig(payload: Uint8Array): Uint8Array {
  if (FLAC_SIGNATURE.every((byte, i) => payload[i] === byte)) return payload.subarray(FLAC_SIGNATURE.length)
  if (payload.length !== FLAC_STREAMINFO_BYTES) return payload
  return Buffer.concat([Uint8Array.of(0x80, 0, 0, FLAC_STREAMINFO_BYTES), payload]) // last block, type STREAMINFO, §8.1
}
