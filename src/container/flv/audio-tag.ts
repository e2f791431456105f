import { MalformedError } from '../../media/errors.ts'
import type { AudioCodec, AudioTrack } from '../../media/track.ts'
import {
  type EnhancedVisitor,
  MULTITRACK,
  PACKET_TYPE,
  walkEnhanced,
  writeFourCc,
  writeOneTrack,
} from './enhanced-body.ts'
import { AUDIO_FOURCC, audioCodecOf, fourCcText } from './fourcc.ts'

/** Sound formats (FLV v10.1 §E.4.2.1). */
const FORMAT = {
  PCM_PLATFORM: 0, // little-endian on every machine that ever wrote it
  MP3: 2,
  PCM_LE: 3,
  G711_A: 7,
  G711_MU: 8,
  EX_HEADER: 9, // E-RTMP v2 "Enhanced Audio"
  AAC: 10,
  MP3_8K: 14,
} as const
/** Sound formats that no decoder of today is asked to play (§E.4.2.1). */
const REFUSED: Readonly<Record<number, string>> = {
  1: 'ADPCM',
  4: 'Nellymoser 16 kHz',
  5: 'Nellymoser 8 kHz',
  6: 'Nellymoser',
  11: 'Speex',
  15: 'device-specific sound',
}
/** By the two SoundRate bits, Hz (§E.4.2.1). */
const SOUND_RATES_HZ: readonly number[] = [5512, 11025, 22050, 44100]
const G711_RATE_HZ = 8000
/** SoundFormat AAC, 44 kHz, 16 bit, stereo: what §E.4.2.1 asks for, whatever the AudioSpecificConfig says. */
const AAC_FLAGS = 0xaf

/**
 * What one track's part of an audio body is. `config`: a decoder configuration (see `configOf`). `frame`: one packet of
 * the codec. `end`: the sequence ends. `channels`: a speaker layout (MultichannelConfig). `unsupported`: cannot be kept.
 */
export type AudioPacketKind = 'config' | 'frame' | 'end' | 'channels' | 'unsupported'

/** One track's part of an audio body. Belongs to its `AudioTag` and is used again by the next `parse`. */
export class AudioPacket {
  kind: AudioPacketKind = 'end'
  /** Means nothing with `unsupported`. */
  codec: AudioCodec = 'aac'
  /** E-RTMP multitrack id, 0 to 255; 0 without multitrack. A number space of its own beside that of video. */
  trackId = 0
  /** To be added to the message's time (ModEx), 0 to 999 999. */
  timestampOffsetNs = 0
  /** As the tag claims; 0 in enhanced bodies. True for PCM and G.711, to be taken from the bitstream for everything else. */
  sampleRateHz = 0
  /** As the tag claims, 1 or 2; 0 in enhanced bodies. */
  channels = 0
  /** Its data are the bytes of the body from `start`… */
  start = 0
  /** …up to `end`. */
  end = 0
  /** What is unsupported, for people; empty otherwise. */
  problem = ''
}

/**
 * Takes the bodies of FLV audio tags, which are RTMP audio messages, apart: legacy (FLV v10.1 §E.4.2) and enhanced
 * (E-RTMP v2 "Enhanced Audio"). One object for many bodies: nothing is allocated per frame.
 */
export class AudioTag implements EnhancedVisitor {
  /** The first `count` of them are of the last body. */
  readonly packets: AudioPacket[] = [new AudioPacket()]
  count = 0
  timestampOffsetNs = 0

  /**
   * Returns `count`: 1 almost always, 0 for empty bodies ("silence"), more with multitrack.
   * @throws MalformedError where the body ends within its headers
   */
  parse(body: Uint8Array): number {
    this.count = 0
    if (body.length === 0) return 0
    const format = body[0] >> 4
    if (format === FORMAT.EX_HEADER) walkEnhanced(body, 'audio', this)
    else this.#legacy(body, format)
    return this.count
  }

  #legacy(body: Uint8Array, format: number): void {
    this.timestampOffsetNs = 0
    const codec = legacyCodec(format, (body[0] & 0x02) !== 0)
    if (codec === undefined) {
      const is8BitPcm = format === FORMAT.PCM_PLATFORM || format === FORMAT.PCM_LE
      const what = is8BitPcm ? '8-bit PCM' : (REFUSED[format] ?? `audio with the unknown sound format ${format}`)
      this.#add('unsupported', 0, 1, body.length).problem = what
      return
    }
    if (codec === 'aac') {
      if (body.length < 2) throw new MalformedError('audio tag', 'ends in its header', body.length)
      if (body[1] > PACKET_TYPE.CODED_FRAMES) return
      this.#add(body[1] === PACKET_TYPE.SEQUENCE_START ? 'config' : 'frame', 0, 2, body.length).codec = codec
    } else {
      this.#add('frame', 0, 1, body.length).codec = codec
    }
    const packet = this.packets[0]
    packet.channels = 1 + (body[0] & 0x01)
    packet.sampleRateHz = SOUND_RATES_HZ[(body[0] >> 2) & 3]
    if (format === FORMAT.MP3_8K || codec === 'pcm-alaw' || codec === 'pcm-mulaw') packet.sampleRateHz = G711_RATE_HZ
  }

  /** For `walkEnhanced`. */
  packet(_body: Uint8Array, fourCc: number, packetType: number, trackId: number, start: number, end: number): void {
    const codec = audioCodecOf(fourCc)
    if (codec === undefined) {
      this.#add('unsupported', trackId, start, end).problem = `audio codec '${fourCcText(fourCc)}'`
      return
    }
    if (packetType > PACKET_TYPE.METADATA || packetType === PACKET_TYPE.CODED_FRAMES_X) return
    this.#add(kindOf(packetType), trackId, start, end).codec = codec
  }

  #add(kind: AudioPacketKind, trackId: number, start: number, end: number): AudioPacket {
    let packet = this.packets[this.count++]
    if (packet === undefined) this.packets.push((packet = new AudioPacket()))
    packet.kind = kind
    packet.trackId = trackId
    packet.timestampOffsetNs = this.timestampOffsetNs
    packet.sampleRateHz = 0
    packet.channels = 0
    packet.start = start
    packet.end = end
    packet.problem = ''
    return packet
  }
}

function kindOf(packetType: number): AudioPacketKind {
  if (packetType === PACKET_TYPE.CODED_FRAMES) return 'frame'
  if (packetType === PACKET_TYPE.SEQUENCE_START) return 'config'
  return packetType === PACKET_TYPE.METADATA ? 'channels' : 'end'
}

function legacyCodec(format: number, is16Bit: boolean): AudioCodec | undefined {
  switch (format) {
    case FORMAT.AAC:
      return 'aac'
    case FORMAT.MP3:
    case FORMAT.MP3_8K:
      return 'mp3'
    case FORMAT.G711_A:
      return 'pcm-alaw'
    case FORMAT.G711_MU:
      return 'pcm-mulaw'
    case FORMAT.PCM_LE:
    case FORMAT.PCM_PLATFORM:
      return is16Bit ? 'pcm-s16le' : undefined
    default:
      return undefined
  }
}

/**
 * Whether audio tags can carry the track: PCM at 5.5, 11, 22 or 44.1 kHz and G.711 at 8 kHz only, with one or two
 * channels, and only as the default track (`trackId` 0); every other codec always.
 */
export function audioTagHolds(track: AudioTrack, trackId: number): boolean {
  if (AUDIO_FOURCC[track.codec] !== undefined) return true
  if (trackId !== 0 || track.channels < 1 || track.channels > 2) return false
  return track.codec === 'pcm-s16le' ? SOUND_RATES_HZ.includes(track.sampleRateHz) : track.sampleRateHz === G711_RATE_HZ
}

/**
 * Writes what stands before the data in an audio body: legacy for AAC, MP3 and PCM with `trackId` 0, enhanced for
 * everything else, with a multitrack header for track ids above 0. At most `MAX_BODY_HEADER_BYTES`; returns where it ends.
 */
export function writeAudioHeader(
  into: Uint8Array,
  at: number,
  track: AudioTrack,
  kind: 'config' | 'frame',
  trackId: number,
): number {
  const { codec } = track
  const packetType = kind === 'config' ? PACKET_TYPE.SEQUENCE_START : PACKET_TYPE.CODED_FRAMES
  if (trackId === 0) {
    if (codec === 'aac') {
      into[at] = AAC_FLAGS
      into[at + 1] = packetType
      return at + 2
    }
    if (codec === 'mp3' || AUDIO_FOURCC[codec] === undefined) {
      into[at] = legacyFlags(track)
      return at + 1
    }
  }
  const fourCc = AUDIO_FOURCC[codec] ?? 0
  if (trackId === 0) {
    into[at] = (FORMAT.EX_HEADER << 4) | packetType
    return writeFourCc(into, at + 1, fourCc)
  }
  into[at] = (FORMAT.EX_HEADER << 4) | MULTITRACK.audio
  return writeOneTrack(into, at + 1, packetType, fourCc, trackId)
}

/** The nearest rate not above the true one: decoders of MP3 take it from the bitstream, as for 48 kHz, which has no bits. */
function legacyFlags(track: AudioTrack): number {
  const stereo = track.channels > 1 ? 1 : 0
  let rate = SOUND_RATES_HZ.length - 1
  while (rate > 0 && SOUND_RATES_HZ[rate] > track.sampleRateHz) rate--
  let format: number = FORMAT.MP3
  if (track.codec === 'pcm-s16le') format = FORMAT.PCM_LE
  else if (track.codec === 'pcm-alaw') format = FORMAT.G711_A
  else if (track.codec === 'pcm-mulaw') format = FORMAT.G711_MU
  else if (track.sampleRateHz === 8000) format = FORMAT.MP3_8K
  return (format << 4) | (rate << 2) | 0x02 | stereo
}
