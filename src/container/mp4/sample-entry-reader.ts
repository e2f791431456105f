import { withColour } from '../../codec/colour.ts'
import { parseDOps, writeOpusHead } from '../../codec/opus.ts'
import { describeTrack } from '../../codec/track.ts'
import { ByteReader } from '../../media/bytes.ts'
import { MalformedError, TapedeckError } from '../../media/errors.ts'
import type { AudioCodec, Colour, Track, VideoCodec } from '../../media/track.ts'
import { type Box, parseBoxes, readFullBox } from './box-reader.ts'
import { parseEsds } from './elementary-stream.ts'

/** Bytes of a sample entry before its boxes, ISO 14496-12 §12.1.3 and §12.2.3; the box header not counted */
const VISUAL_ENTRY_BYTES = 78
const AUDIO_ENTRY_BYTES = 28
/** What QuickTime's sound description versions 1 and 2 add, QuickTime File Format "Sound Sample Descriptions" */
const SOUND_V1_BYTES = 16
const SOUND_V2_BYTES = 36

/** objectTypeIndication, ISO 14496-1 §7.2.6.6 and the MP4 registration authority */
const CODECS_BY_OBJECT_TYPE = new Map<number, AudioCodec>([
  [0x40, 'aac'],
  [0x66, 'aac'],
  [0x67, 'aac'],
  [0x68, 'aac'],
  [0x69, 'mp3'],
  [0x6b, 'mp3'],
  [0xa5, 'ac3'],
  [0xa6, 'eac3'],
])

/** What the track around a sample entry knows. */
export interface EntryOrigin {
  readonly id: number
  /** Place in `stsd`, from 0. */
  readonly epoch: number
  readonly timescale: number
  readonly label?: string
  readonly language?: string
}

/** The track that a sample entry describes; undefined for a codec that tapedeck does not know. @throws MalformedError */
export function readSampleEntry(entry: Box, origin: EntryOrigin): Track | undefined {
  switch (entry.type) {
    case 'avc1':
    case 'avc3':
      return videoTrack(entry, origin, 'h264', 'avcC')
    case 'hvc1':
    case 'hev1':
      return videoTrack(entry, origin, 'hevc', 'hvcC')
    case 'av01':
      return videoTrack(entry, origin, 'av1', 'av1C')
    case 'vp09':
      return videoTrack(entry, origin, 'vp9', 'vpcC')
    case 'vp08':
      return videoTrack(entry, origin, 'vp8', undefined)
    case 'mp4a':
      return elementaryTrack(entry, origin)
    case 'Opus':
      return audioTrack(entry, origin, 'opus', (boxes) => writeOpusHead(parseDOps(need(boxes, 'dOps'))))
    case 'fLaC':
      return audioTrack(entry, origin, 'flac', (boxes) => readFullBox(need(boxes, 'dfLa'), 'dfLa').reader.rest())
    case '.mp3':
      return audioTrack(entry, origin, 'mp3', noConfig)
    case 'ac-3':
      return audioTrack(entry, origin, 'ac3', noConfig)
    case 'ec-3':
      return audioTrack(entry, origin, 'eac3', noConfig)
    case 'sowt':
      return audioTrack(entry, origin, 'pcm-s16le', noConfig)
    case 'alaw':
      return audioTrack(entry, origin, 'pcm-alaw', noConfig)
    case 'ulaw':
      return audioTrack(entry, origin, 'pcm-mulaw', noConfig)
    default:
      return undefined
  }
}

function videoTrack(entry: Box, origin: EntryOrigin, codec: VideoCodec, configType: string | undefined): Track {
  const reader = new ByteReader(entry.payload, entry.type)
  reader.skip(24)
  const width = reader.u16()
  const height = reader.u16()
  reader.skip(VISUAL_ENTRY_BYTES - 28)
  const boxes = parseBoxes(reader.rest(), entry.type)
  const payload = configType === undefined ? new Uint8Array(0) : need(boxes, configType)
  const config = configType === 'vpcC' ? readFullBox(payload, 'vpcC').reader.rest() : payload
  const track = describe({ ...origin, codec, config })
  const colour = readColour(boxes)
  if (track?.kind === 'video' && track.width > 0) return withColour(track, colour)
  return withColour({ ...origin, kind: 'video', codec, config: config.slice(), width, height }, colour)
}

/** `colr` as code points (ISO 14496-12 §12.1.5), or QuickTime's, which has no range; a profile tells nothing here. */
function readColour(boxes: readonly Box[]): Colour | undefined {
  const colr = boxes.find(({ type }) => type === 'colr')
  if (colr === undefined) return undefined
  const reader = new ByteReader(colr.payload, 'colr')
  const type = reader.remaining >= 10 ? reader.ascii(4) : ''
  if (type !== 'nclx' && type !== 'nclc') return undefined
  const [primaries, transfer, matrix] = [reader.u16(), reader.u16(), reader.u16()]
  return { primaries, transfer, matrix, fullRange: type === 'nclx' && reader.remaining > 0 && reader.u8() >= 0x80 }
}

function elementaryTrack(entry: Box, origin: EntryOrigin): Track | undefined {
  const { boxes } = audioEntry(entry)
  const esds = boxes.find(({ type }) => type === 'esds')
  // QuickTime wraps it, and lets AAC without any configuration pass
  const wave = boxes.find(({ type }) => type === 'wave')
  const payload = esds?.payload ?? need(wave === undefined ? [] : parseBoxes(wave.payload, 'wave'), 'esds')
  const { objectType, specificInfo } = parseEsds(readFullBox(payload, 'esds').reader.rest())
  const codec = CODECS_BY_OBJECT_TYPE.get(objectType)
  return codec === undefined ? undefined : audioTrack(entry, origin, codec, () => specificInfo)
}

function audioTrack(
  entry: Box,
  origin: EntryOrigin,
  codec: AudioCodec,
  configOf: (boxes: readonly Box[]) => Uint8Array,
): Track {
  const { boxes, channels, sampleRateHz } = audioEntry(entry)
  const config = configOf(boxes)
  const track = describe({ ...origin, codec, config, channels, sampleRateHz })
  if (track?.kind === 'audio' && track.sampleRateHz > 0) return track
  return { ...origin, kind: 'audio', codec, config: config.slice(), channels, sampleRateHz }
}

function audioEntry(entry: Box): { boxes: Box[]; channels: number; sampleRateHz: number } {
  const reader = new ByteReader(entry.payload, entry.type)
  reader.skip(8)
  const version = reader.u16()
  reader.skip(6)
  const channels = reader.u16()
  reader.skip(6)
  const sampleRateHz = reader.u16()
  reader.skip(AUDIO_ENTRY_BYTES - 26)
  if (version === 1) reader.skip(SOUND_V1_BYTES)
  else if (version === 2) reader.skip(SOUND_V2_BYTES)
  return { boxes: parseBoxes(reader.rest(), entry.type), channels, sampleRateHz }
}

/** What the configuration says; undefined when it cannot be read, for the entry's own fields are left then. */
function describe(origin: Parameters<typeof describeTrack>[0]): Track | undefined {
  try {
    return describeTrack(origin)
  } catch (error) {
    if (error instanceof TapedeckError) return undefined
    throw error
  }
}

function need(boxes: readonly Box[], type: string): Uint8Array {
  const box = boxes.find((candidate) => candidate.type === type)
  if (box === undefined) throw new MalformedError('mp4', `sample entry without ${type}`)
  return box.payload
}

function noConfig(): Uint8Array {
  return new Uint8Array(0)
}
