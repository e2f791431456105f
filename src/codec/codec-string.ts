import type { Track } from '../media/track.ts'
import { AOT_PS, AOT_SBR, parseAudioSpecificConfig } from './aac/audio-specific-config.ts'
import { type Av1C, parseAv1C } from './av1/av1c.ts'
import { findObu, OBU_SEQUENCE_HEADER } from './av1/obu.ts'
import { parseAv1SequenceHeader } from './av1/sequence-header.ts'
import { parseHvcC } from './hevc/hvcc.ts'
import { parseVpcC } from './vpcc.ts'

/**
 * The `codecs` parameter of RFC 6381 for a track, as MP4 players and `MediaSource.isTypeSupported` take it; for PCM the
 * names of WebCodecs. Codecs that lack their configuration so far go by their bare name.
 * @throws MalformedError for a configuration that `describeTrack` would not have taken
 */
export function codecString(track: Track): string {
  const { codec, config } = track
  switch (codec) {
    case 'h264':
      return `avc1.${hex(config[1])}${hex(config[2])}${hex(config[3])}`
    case 'hevc':
      return hevcString(config)
    case 'av1':
      return config.length === 0 ? 'av01' : av1String(parseAv1C(config))
    case 'vp9':
      return config.length === 0 ? 'vp09' : vp9String(config)
    case 'vp8':
    case 'opus':
    case 'flac':
      return codec
    case 'aac':
      return aacString(config)
    case 'mp3':
      return mp3String(track)
    case 'ac3':
      return 'ac-3'
    case 'eac3':
      return 'ec-3'
    case 'pcm-s16le':
      return 'pcm-s16'
    case 'pcm-alaw':
      return 'alaw'
    case 'pcm-mulaw':
      return 'ulaw'
    default:
      return codec satisfies never
  }
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0')
}

function decimal(value: number): string {
  return value.toString().padStart(2, '0')
}

/** ISO 14496-15 §E.3: profile, compatibility flags in reverse bit order, tier and level, constraint bytes. */
function hevcString(config: Uint8Array): string {
  const { profileSpace, profileIdc, compatibilityFlags, tier, levelIdc, constraintFlags } = parseHvcC(config).profile
  let reversed = 0
  for (let i = 0; i < 32; i++) if (((compatibilityFlags >>> i) & 1) === 1) reversed += 2 ** (31 - i)
  const space = ['', 'A', 'B', 'C'][profileSpace]
  const parts = [`hvc1.${space}${profileIdc}`, reversed.toString(16), `${tier === 0 ? 'L' : 'H'}${levelIdc}`]
  for (let rest = constraintFlags; rest > 0; rest = (rest % 2 ** 40) * 256) {
    parts.push(Math.floor(rest / 2 ** 40).toString(16))
  }
  return parts.join('.')
}

/** AV1-ISOBMFF §5: the long form only where something differs from its defaults. */
function av1String(av1C: Av1C): string {
  const { profile, level, tier, bitDepth, monochrome, subsamplingX, subsamplingY, chromaSamplePosition } = av1C
  const short = `av01.${profile}.${decimal(level)}${tier === 0 ? 'M' : 'H'}.${decimal(bitDepth)}`
  const header = findObu(av1C.configObus, OBU_SEQUENCE_HEADER)
  const colour = header === undefined ? undefined : parseAv1SequenceHeader(header).colour
  const { primaries, transfer, matrix } = described(colour)
  const chroma = `${subsamplingX}${subsamplingY}${subsamplingX + subsamplingY === 2 ? chromaSamplePosition : 0}`
  const range = colour?.fullRange === true ? 1 : 0
  const long = [monochrome ? 1 : 0, chroma, decimal(primaries), decimal(transfer), decimal(matrix), range].join('.')
  return long === '0.110.01.01.01.0' ? short : `${short}.${long}`
}

type Colour = { readonly primaries: number; readonly transfer: number; readonly matrix: number }

/** Unspecified colours are taken for BT.709, the default of the string. */
function described(colour: Colour | undefined): Colour {
  const fix = (value: number | undefined) => (value === undefined || value === 2 ? 1 : value)
  return { primaries: fix(colour?.primaries), transfer: fix(colour?.transfer), matrix: fix(colour?.matrix) }
}

/** VP-ISOBMFF §2.6: the short form, to which players add their defaults. */
function vp9String(config: Uint8Array): string {
  const { profile, level, bitDepth } = parseVpcC(config)
  return `vp09.${decimal(profile)}.${decimal(level)}.${decimal(bitDepth)}`
}

function aacString(config: Uint8Array): string {
  const { objectType, sbr } = parseAudioSpecificConfig(config)
  if (sbr?.present !== true) return `mp4a.40.${objectType}`
  return `mp4a.40.${sbr.ps === true ? AOT_PS : AOT_SBR}`
}

/** Object type indications of MPEG-1 and MPEG-2 audio, mp4ra.org. */
function mp3String(track: Track): string {
  return isLowRate(track) ? 'mp4a.69' : 'mp4a.6B'
}

function isLowRate(track: Track): boolean {
  return track.kind === 'audio' && track.sampleRateHz > 0 && track.sampleRateHz < 32_000
}
