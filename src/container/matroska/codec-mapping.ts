import { ByteReader, ByteWriter } from '../../media/bytes.ts'
import { MalformedError, UnsupportedError } from '../../media/errors.ts'
import type { AudioCodec, Track, VideoCodec } from '../../media/track.ts'

/** Which of the two document types a file declares; WebM carries VP8, VP9, AV1 and Opus alone. */
export type DocType = 'matroska' | 'webm'

/** CodecID by codec. RFC 9559 §6, codec mappings of draft-ietf-cellar-codec; AV1: AV1-in-Matroska §2. */
const CODEC_IDS: Readonly<Record<VideoCodec | AudioCodec, string>> = {
  h264: 'V_MPEG4/ISO/AVC',
  hevc: 'V_MPEGH/ISO/HEVC',
  av1: 'V_AV1',
  vp9: 'V_VP9',
  vp8: 'V_VP8',
  aac: 'A_AAC',
  opus: 'A_OPUS',
  mp3: 'A_MPEG/L3',
  ac3: 'A_AC3',
  eac3: 'A_EAC3',
  flac: 'A_FLAC',
  'pcm-s16le': 'A_PCM/INT/LIT',
  'pcm-alaw': 'A_MS/ACM',
  'pcm-mulaw': 'A_MS/ACM',
}

/** What the WebM guidelines allow, but for Vorbis, which no source of ours sends. */
export const WEBM_CODECS: ReadonlySet<string> = new Set(['vp8', 'vp9', 'av1', 'opus'])

const WAVE_FORMAT_ALAW = 6 // wFormatTag, RFC 2361 §A
const WAVE_FORMAT_MULAW = 7 // same
const FLAC_STREAMINFO_BYTES = 34 // RFC 9639 §8.2
const FLAC_LAST_BLOCK = 0x80 // RFC 9639 §8.1

/** The CodecID of `codec`. @throws UnsupportedError when `docType` may not carry it */
export function codecId(codec: VideoCodec | AudioCodec, docType: DocType): string {
  if (docType === 'webm' && !WEBM_CODECS.has(codec)) {
    throw new UnsupportedError(`WebM cannot carry ${codec}: record it as Matroska (mkv) instead`)
  }
  return CODEC_IDS[codec]
}

/** The codec that a CodecID with its CodecPrivate means; undefined when it is none of ours. */
export function codecOf(id: string, codecPrivate: Uint8Array, bitDepth: number): VideoCodec | AudioCodec | undefined {
  switch (id) {
    case 'V_MPEG4/ISO/AVC':
      return 'h264'
    case 'V_MPEGH/ISO/HEVC':
      return 'hevc'
    case 'V_AV1':
      return 'av1'
    case 'V_VP9':
      return 'vp9'
    case 'V_VP8':
      return 'vp8'
    case 'A_OPUS':
      return 'opus'
    case 'A_MPEG/L3':
      return 'mp3'
    case 'A_AC3':
      return 'ac3'
    case 'A_EAC3':
      return 'eac3'
    case 'A_FLAC':
      return 'flac'
    case 'A_PCM/INT/LIT':
      return bitDepth === 16 ? 'pcm-s16le' : undefined
    case 'A_MS/ACM':
      return acmCodec(codecPrivate)
    default:
      return id === 'A_AAC' || id.startsWith('A_AAC/') ? 'aac' : undefined
  }
}

/** What goes into CodecPrivate; empty when there is none. @throws MalformedError when the track's configuration is no such thing */
export function codecPrivate(track: Track): Uint8Array {
  switch (track.codec) {
    case 'flac':
      return new ByteWriter().ascii('fLaC').put(lastBlock(track.config)).done()
    case 'vp9':
      return vp9Features(track.config)
    case 'pcm-alaw':
      return waveFormat(WAVE_FORMAT_ALAW, track.sampleRateHz, track.channels)
    case 'pcm-mulaw':
      return waveFormat(WAVE_FORMAT_MULAW, track.sampleRateHz, track.channels)
    case 'vp8':
    case 'mp3':
    case 'ac3':
    case 'eac3':
    case 'pcm-s16le':
      return new Uint8Array(0)
    default:
      return track.config
  }
}

/** The decoder configuration as `Track.config` has it, from a CodecPrivate; a copy. @throws MalformedError */
export function configOf(codec: VideoCodec | AudioCodec, codecPrivate: Uint8Array): Uint8Array {
  switch (codec) {
    case 'h264':
    case 'hevc':
    case 'av1':
    case 'aac':
    case 'opus':
      return codecPrivate.slice()
    case 'flac':
      return streamInfo(codecPrivate)
    case 'vp9':
      return vpcC(codecPrivate)
    default:
      return new Uint8Array(0)
  }
}

/** A STREAMINFO block marked as the last one: it stands alone. RFC 9639 §8.1 */
function lastBlock(config: Uint8Array): Uint8Array {
  const block = config.slice()
  if (block.length > 0) block[0] |= FLAC_LAST_BLOCK
  return block
}

/** The first metadata block, which must be STREAMINFO, of `fLaC` and all metadata blocks. RFC 9639 §8.2 */
function streamInfo(codecPrivate: Uint8Array): Uint8Array {
  const reader = new ByteReader(codecPrivate, 'Matroska A_FLAC CodecPrivate')
  if (reader.ascii(4) !== 'fLaC') reader.fail('does not start with fLaC')
  const header = reader.u32()
  if ((header & 0x7fffffff) !== FLAC_STREAMINFO_BYTES) reader.fail('first metadata block is no STREAMINFO')
  return lastBlock(codecPrivate.subarray(4, 8 + reader.take(FLAC_STREAMINFO_BYTES).length))
}

/** Feature list of WebM: id, length, value. 1 profile, 2 level, 3 bit depth, 4 chroma subsampling (VP9 codec mapping of WebM). */
function vp9Features(config: Uint8Array): Uint8Array {
  if (config.length < 3) return new Uint8Array(0)
  const [profile, level, depthAndChroma] = config
  const features = new ByteWriter(12).u8(1).u8(1).u8(profile)
  if (level > 0) features.u8(2).u8(1).u8(level)
  const depth = depthAndChroma >> 4
  const chroma = (depthAndChroma >> 1) & 7
  return features.u8(3).u8(1).u8(depth).u8(4).u8(1).u8(chroma).done()
}

/** The vpcC payload that the features tell; colours unspecified (2, ISO 23091-2). Empty where there are none. */
function vpcC(codecPrivate: Uint8Array): Uint8Array {
  if (codecPrivate.length === 0) return new Uint8Array(0)
  const reader = new ByteReader(codecPrivate, 'Matroska V_VP9 CodecPrivate')
  const features = [0, 0, 0, 8, 1]
  while (reader.remaining > 0) {
    const id = reader.u8()
    const value = reader.take(reader.u8())
    if (id < features.length && value.length === 1) features[id] = value[0]
  }
  const [, profile, level, depth, chroma] = features
  if (profile > 3 || depth > 12 || chroma > 3) reader.fail('impossible VP9 features')
  return Uint8Array.of(profile, level, (depth << 4) | (chroma << 1), 2, 2, 2, 0, 0)
}

/** WAVEFORMATEX of 8-bit companded sound (RFC 2361). */
function waveFormat(tag: number, rateHz: number, channels: number): Uint8Array {
  const out = new ByteWriter(18)
    .u16le(tag)
    .u16le(channels)
    .u32le(rateHz)
    .u32le(rateHz * channels)
  return out.u16le(channels).u16le(8).u16le(0).done()
}

function acmCodec(codecPrivate: Uint8Array): AudioCodec | undefined {
  if (codecPrivate.length < 2) throw new MalformedError('Matroska A_MS/ACM CodecPrivate', 'shorter than a format tag')
  const tag = codecPrivate[0] | (codecPrivate[1] << 8)
  if (tag === WAVE_FORMAT_ALAW) return 'pcm-alaw'
  return tag === WAVE_FORMAT_MULAW ? 'pcm-mulaw' : undefined
}
