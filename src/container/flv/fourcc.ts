import type { AudioCodec, VideoCodec } from '../../media/track.ts'

/** The number that four ASCII characters are on the wire, big-endian (E-RTMP v2 "Enhanced Video", makeFourCc). */
export function fourCcOf(text: string): number {
  return Buffer.from(text, 'latin1').readUInt32BE(0)
}

/** The characters of a FourCC, for people: bytes outside of printable ASCII as dots. */
export function fourCcText(fourCc: number): string {
  let text = ''
  for (let shift = 24; shift >= 0; shift -= 8) {
    const code = (fourCc >>> shift) & 0xff
    text += code >= 0x20 && code < 0x7f ? String.fromCharCode(code) : '.'
  }
  return text
}

/** E-RTMP v2 enum VideoFourCc, without vvc1. */
export const VIDEO_FOURCC: Readonly<Record<VideoCodec, number>> = {
  h264: fourCcOf('avc1'),
  hevc: fourCcOf('hvc1'),
  av1: fourCcOf('av01'),
  vp9: fourCcOf('vp09'),
  vp8: fourCcOf('vp08'),
}

/** E-RTMP v2 enum AudioFourCc. PCM and G.711 have none: they exist in legacy tags alone. */
export const AUDIO_FOURCC: Readonly<Partial<Record<AudioCodec, number>>> = {
  aac: fourCcOf('mp4a'),
  opus: fourCcOf('Opus'),
  mp3: fourCcOf('.mp3'),
  ac3: fourCcOf('ac-3'),
  eac3: fourCcOf('ec-3'),
  flac: fourCcOf('fLaC'),
}

/** The codec of a video FourCC, undefined for those that we do not carry. */
export function videoCodecOf(fourCc: number): VideoCodec | undefined {
  switch (fourCc) {
    case VIDEO_FOURCC.h264:
      return 'h264'
    case VIDEO_FOURCC.hevc:
      return 'hevc'
    case VIDEO_FOURCC.av1:
      return 'av1'
    case VIDEO_FOURCC.vp9:
      return 'vp9'
    case VIDEO_FOURCC.vp8:
      return 'vp8'
    default:
      return undefined
  }
}

/** The codec of an audio FourCC, undefined for those that we do not carry. */
export function audioCodecOf(fourCc: number): AudioCodec | undefined {
  switch (fourCc) {
    case AUDIO_FOURCC.aac:
      return 'aac'
    case AUDIO_FOURCC.opus:
      return 'opus'
    case AUDIO_FOURCC.mp3:
      return 'mp3'
    case AUDIO_FOURCC.ac3:
      return 'ac3'
    case AUDIO_FOURCC.eac3:
      return 'eac3'
    case AUDIO_FOURCC.flac:
      return 'flac'
    default:
      return undefined
  }
}
