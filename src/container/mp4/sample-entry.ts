import { dac3FromFrame } from '../../codec/ac3.ts'
import { colourOf } from '../../codec/colour.ts'
import { dec3FromFrame } from '../../codec/eac3.ts'
import { parseOpusHead, writeDOps } from '../../codec/opus.ts'
import { refineTrack } from '../../codec/track.ts'
import { vpcCForVp8 } from '../../codec/vp8.ts'
import { writeVpcC } from '../../codec/vpcc.ts'
import { ByteWriter } from '../../media/bytes.ts'
import { UnsupportedError } from '../../media/errors.ts'
import type { AudioTrack, Track, VideoTrack } from '../../media/track.ts'
import { beginBox, beginFullBox, endBox } from './box-writer.ts'
import { writeEsds } from './elementary-stream.ts'

/** 72 dpi as 16.16, ISO 14496-12 §12.1.3 */
const RESOLUTION_72_DPI = 0x00480000
/** Colour without alpha, §12.1.3 */
const DEPTH_COLOUR = 0x18
/** objectTypeIndication, ISO 14496-1 §7.2.6.6: AAC, MPEG-1 audio (ISO 11172-3), MPEG-2 audio (ISO 13818-3). */
const OTI_AAC = 0x40
const OTI_MPEG1_AUDIO = 0x6b
const OTI_MPEG2_AUDIO = 0x69
/** From here on MP3 is MPEG-1, Hz, ISO 11172-3 §2.4.2.3 */
const MPEG1_MIN_RATE_HZ = 32_000
/** About as long as an `av1C`, `dac3` or `dec3` that only a frame can tell. */
const UNKNOWN_CONFIG_BYTES = 64

/**
 * The sample entry (an element of `stsd`) of a track. Codecs that say in their frames what they are (VP8, AV1 and VP9
 * without a configuration, MP3, AC-3, E-AC-3) need `firstFrame`: without it the entry has the right size, no more.
 * @throws UnsupportedError when the codec needs a configuration and has none
 * @throws MalformedError when the configuration cannot be read
 */
export function makeSampleEntry(track: Track, firstFrame?: Uint8Array): Uint8Array {
  const out = new ByteWriter(256)
  const known = firstFrame === undefined ? track : refineTrack(track, firstFrame)
  if (known.kind === 'video') writeVisualEntry(out, known, firstFrame === undefined)
  else writeAudioEntry(out, known, firstFrame)
  return out.done()
}

function writeVisualEntry(out: ByteWriter, track: VideoTrack, isDraft: boolean): void {
  const { codec } = track
  const at = beginBox(out, VISUAL_TYPES[codec])
  out.zero(6).u16(1) // data_reference_index
  out.zero(16).u16(track.width).u16(track.height)
  out.u32(RESOLUTION_72_DPI).u32(RESOLUTION_72_DPI).u32(0)
  out.u16(1) // frame_count
  out.zero(32) // compressorname
  out.u16(DEPTH_COLOUR).u16(0xffff)
  switch (codec) {
    case 'h264':
      writeConfigBox(out, 'avcC', track)
      break
    case 'hevc':
      writeConfigBox(out, 'hvcC', track)
      break
    case 'av1':
      writeConfigBox(out, 'av1C', track, isDraft)
      break
    case 'vp9':
      writeVpcConfig(out, track, isDraft)
      break
    case 'vp8':
      writeVpcConfig(out, { ...track, config: writeVpcC(vpcCForVp8()) }, isDraft)
      break
    default:
      codec satisfies never
  }
  writeColour(out, track)
  endBox(out, at)
}

/** `colr`, ISO 14496-12 §12.1.5: as the bitstream says. */
function writeColour(out: ByteWriter, track: VideoTrack): void {
  const colour = colourOf(track)
  if (colour === undefined) return
  const at = beginBox(out, 'colr')
  out.ascii('nclx').u16(colour.primaries).u16(colour.transfer).u16(colour.matrix)
  out.u8(colour.fullRange ? 0x80 : 0)
  endBox(out, at)
}

const VISUAL_TYPES = { h264: 'avc1', hevc: 'hvc1', av1: 'av01', vp9: 'vp09', vp8: 'vp08' } as const

function writeConfigBox(out: ByteWriter, type: string, track: Track, isDraft = false): void {
  const at = beginBox(out, type)
  if (isDraft && track.config.length === 0) out.zero(UNKNOWN_CONFIG_BYTES)
  else out.put(needConfig(track))
  endBox(out, at)
}

function needConfig(track: Track): Uint8Array {
  if (track.config.length > 0) return track.config
  throw new UnsupportedError(
    `mp4: track ${track.id} (${track.codec}) has no decoder configuration; announce it with one`,
  )
}

/** VP Codec ISO Media File Format Binding §2.2. */
function writeVpcConfig(out: ByteWriter, track: VideoTrack, isDraft: boolean): void {
  const at = beginFullBox(out, 'vpcC', 1, 0)
  if (isDraft && track.config.length === 0) out.zero(UNKNOWN_CONFIG_BYTES)
  else out.put(needConfig(track))
  endBox(out, at)
}

const AUDIO_TYPES = {
  aac: 'mp4a',
  mp3: 'mp4a',
  opus: 'Opus',
  ac3: 'ac-3',
  eac3: 'ec-3',
  flac: 'fLaC',
  'pcm-s16le': 'sowt',
  'pcm-alaw': 'alaw',
  'pcm-mulaw': 'ulaw',
} as const

function writeAudioEntry(out: ByteWriter, track: AudioTrack, firstFrame: Uint8Array | undefined): void {
  const { codec } = track
  const at = beginBox(out, AUDIO_TYPES[codec])
  out.zero(6).u16(1) // data_reference_index
  out.zero(8).u16(Math.max(1, track.channels)).u16(16).zero(4)
  out.u16(track.sampleRateHz <= 0xffff ? track.sampleRateHz : 0).u16(0) // 16.16
  switch (codec) {
    case 'aac':
      writeEsds(out, OTI_AAC, needConfig(track))
      break
    case 'mp3':
      writeEsds(out, track.sampleRateHz >= MPEG1_MIN_RATE_HZ ? OTI_MPEG1_AUDIO : OTI_MPEG2_AUDIO, undefined)
      break
    case 'opus':
      writeDops(out, needConfig(track))
      break
    case 'ac3':
    case 'eac3':
      writeDolby(out, codec, firstFrame)
      break
    case 'flac':
      writeDfla(out, needConfig(track))
      break
    case 'pcm-s16le':
    case 'pcm-alaw':
    case 'pcm-mulaw':
      break
    default:
      codec satisfies never
  }
  endBox(out, at)
}

/** Opus in ISO Base Media File Format §4.3.2. */
function writeDops(out: ByteWriter, config: Uint8Array): void {
  const at = beginBox(out, 'dOps')
  out.put(writeDOps(parseOpusHead(config)))
  endBox(out, at)
}

/** AC-3 and E-AC-3: ETSI TS 102 366 §F.4 and §F.6. */
function writeDolby(out: ByteWriter, codec: 'ac3' | 'eac3', firstFrame: Uint8Array | undefined): void {
  const at = beginBox(out, codec === 'ac3' ? 'dac3' : 'dec3')
  if (firstFrame === undefined) out.zero(UNKNOWN_CONFIG_BYTES)
  else out.put(codec === 'ac3' ? dac3FromFrame(firstFrame) : dec3FromFrame(firstFrame))
  endBox(out, at)
}

/** Encapsulation of FLAC in ISO-BMFF §3.3.2. */
function writeDfla(out: ByteWriter, config: Uint8Array): void {
  const at = beginFullBox(out, 'dfLa', 0, 0)
  out.put(config)
  endBox(out, at)
}
