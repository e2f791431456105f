import { withColour } from '../../codec/colour.ts'
import { describeTrack, type TrackOrigin } from '../../codec/track.ts'
import { parseVpcC, writeVpcC } from '../../codec/vpcc.ts'
import { MalformedError, UnsupportedError } from '../../media/errors.ts'
import type { AudioCodec, Colour, Track, VideoCodec, VideoTrack } from '../../media/track.ts'
import { codecOf, configOf } from './codec-mapping.ts'
import { childrenOf, type Element, readFloat, readText, readUint } from './ebml.ts'
import * as E from './elements.ts'
import { terminologicLanguage } from './language.ts'

const WHERE = 'Matroska TrackEntry'
const COMPRESSION_HEADER_STRIPPING = 3 // ContentCompAlgo, RFC 9559 §5.1.4.1.31.6
const UNSPECIFIED = 2 // of primaries, transfer and matrix, ISO 23091-2 §8
const MAX_CODE_POINT = 255 // one byte in vpcC, VP-ISOBMFF §2.2
const FULL_RANGE = 2 // §5.1.4.1.28.25
const SCOPE_FRAMES = 1 // ContentEncodingScope, §5.1.4.1.31.3

/** A track of a file, with what its blocks need to be understood. */
export type FileTrack = {
  readonly number: number
  /** Undefined when tapedeck has no such codec; then `remark` says so and its blocks are passed over. */
  readonly track: Track | undefined
  /** Of one frame in a lace, ns; undefined when the file does not say. */
  readonly defaultDurationNs: number | undefined
  /** To be subtracted from each timestamp, ns (RFC 9559 §5.1.4.1.25). */
  readonly codecDelayNs: number
  /** Something noteworthy: the kind and message of a fault. */
  readonly remark: { readonly kind: string; readonly message: string } | undefined
}

/**
 * Reads a TrackEntry (RFC 9559 §5.1.4.1). A track's id is its place among the tracks, from 1.
 * @throws MalformedError when the element is broken as such
 */
export function readTrackEntry(element: Element, id: number, timescale: number): FileTrack {
  const entry = readFields(element)
  const { number, defaultDurationNs, codecDelayNs } = entry
  const common = { number, defaultDurationNs, codecDelayNs }
  if (entry.encoding === 'opaque') {
    const message = `track ${number} is compressed or encrypted (ContentEncodings): its frames cannot be read`
    return { ...common, track: undefined, remark: { kind: 'unsupported-track', message } }
  }
  const codec = codecOf(entry.codecId, entry.codecPrivate, entry.bitDepth)
  if (codec === undefined) {
    const message = `track ${number} has codec ${JSON.stringify(entry.codecId)}, which tapedeck does not know`
    return { ...common, track: undefined, remark: { kind: 'unsupported-track', message } }
  }
  const described = describe(entry, codec, id, timescale)
  if (entry.encoding !== 'stripped' || described.remark !== undefined) return { ...common, ...described }
  const message = `track ${number}: the first bytes of each frame are stripped off and stand in the header (ContentCompAlgo 3)`
  return { ...common, ...described, remark: { kind: 'stripped-headers', message } }
}

type Fields = {
  number: number
  codecId: string
  codecPrivate: Uint8Array
  defaultDurationNs: number | undefined
  codecDelayNs: number
  label: string | undefined
  language: string | undefined
  encoding: 'none' | 'stripped' | 'opaque'
  width: number
  height: number
  sampleRateHz: number
  channels: number
  bitDepth: number
  colour: Colour | undefined
  hasAlpha: boolean
}

function readFields(element: Element): Fields {
  const fields: Fields = {
    number: 0,
    codecId: '',
    codecPrivate: new Uint8Array(0),
    defaultDurationNs: undefined,
    codecDelayNs: 0,
    label: undefined,
    language: 'eng', // default, §5.1.4.1.19
    encoding: 'none',
    width: 0,
    height: 0,
    sampleRateHz: 8000, // default, §5.1.4.1.29.1
    channels: 1, // default, §5.1.4.1.29.3
    bitDepth: 0,
    colour: undefined,
    hasAlpha: false,
  }
  for (const child of childrenOf(element, WHERE)) readField(fields, child)
  if (fields.number === 0) throw new MalformedError(WHERE, 'has no TrackNumber', element.offset)
  return fields
}

function readField(fields: Fields, child: Element): void {
  switch (child.id) {
    case E.TRACK_NUMBER:
      fields.number = readUint(child)
      break
    case E.CODEC_ID:
      fields.codecId = readText(child)
      break
    case E.CODEC_PRIVATE:
      fields.codecPrivate = child.data
      break
    case E.DEFAULT_DURATION:
      fields.defaultDurationNs = readUint(child)
      break
    case E.CODEC_DELAY:
      fields.codecDelayNs = readUint(child)
      break
    case E.NAME:
      fields.label = readText(child)
      break
    case E.LANGUAGE:
      fields.language = terminologicLanguage(readText(child))
      break
    case E.VIDEO:
    case E.AUDIO:
      for (const fact of childrenOf(child, WHERE)) readFact(fields, fact)
      break
    case E.CONTENT_ENCODINGS:
      fields.encoding = readEncodings(child)
      break
  }
}

function readFact(fields: Fields, fact: Element): void {
  switch (fact.id) {
    case E.PIXEL_WIDTH:
      fields.width = readUint(fact)
      break
    case E.PIXEL_HEIGHT:
      fields.height = readUint(fact)
      break
    case E.SAMPLING_FREQUENCY:
    case E.OUTPUT_SAMPLING_FREQUENCY:
      fields.sampleRateHz = Math.round(readFloat(fact))
      break
    case E.ALPHA_MODE:
      fields.hasAlpha = readUint(fact) === 1
      break
    case E.CHANNELS:
      fields.channels = readUint(fact)
      break
    case E.COLOUR:
      fields.colour = readColour(fact)
      break
    case E.BIT_DEPTH:
      fields.bitDepth = readUint(fact)
      break
  }
}

function readColour(element: Element): Colour {
  const codes = new Map<number, number>()
  for (const child of childrenOf(element, WHERE)) codes.set(child.id, readUint(child))
  return {
    primaries: codes.get(E.PRIMARIES) ?? UNSPECIFIED,
    transfer: codes.get(E.TRANSFER_CHARACTERISTICS) ?? UNSPECIFIED,
    matrix: codes.get(E.MATRIX_COEFFICIENTS) ?? UNSPECIFIED,
    fullRange: codes.get(E.RANGE) === FULL_RANGE,
  }
}

/** The configuration as `Track.config` has it; of VP9 with the colours that WebM states beside it. @throws MalformedError */
function configFrom(entry: Fields, codec: VideoCodec | AudioCodec): Uint8Array {
  const config = configOf(codec, entry.codecPrivate)
  const { colour } = entry
  if (codec !== 'vp9' || config.length === 0 || colour === undefined) return config
  const { primaries, transfer, matrix, fullRange } = colour
  if (Math.max(primaries, transfer, matrix) > MAX_CODE_POINT) return config
  return writeVpcC({ ...parseVpcC(config), primaries, transfer, matrix, fullRange })
}

/** `opaque` as soon as one encoding of the frames is anything but header stripping. */
function readEncodings(element: Element): Fields['encoding'] {
  let result: Fields['encoding'] = 'none'
  for (const encoding of childrenOf(element, WHERE)) {
    if (encoding.id !== E.CONTENT_ENCODING) continue
    let scope = SCOPE_FRAMES // default
    let type = 0 // compression, default
    let algorithm = 0 // zlib, default
    for (const child of childrenOf(encoding, WHERE)) {
      if (child.id === E.CONTENT_ENCODING_SCOPE) scope = readUint(child)
      else if (child.id === E.CONTENT_ENCODING_TYPE) type = readUint(child)
      else if (child.id === E.CONTENT_COMPRESSION) {
        for (const part of childrenOf(child, WHERE)) if (part.id === E.CONTENT_COMP_ALGO) algorithm = readUint(part)
      }
    }
    if ((scope & SCOPE_FRAMES) === 0) continue
    if (type !== 0 || algorithm !== COMPRESSION_HEADER_STRIPPING) return 'opaque'
    result = 'stripped'
  }
  return result
}

/** The track by its configuration; where that says nothing or cannot be read, by what the container says. */
function describe(
  entry: Fields,
  codec: VideoCodec | AudioCodec,
  id: number,
  timescale: number,
): Pick<FileTrack, 'track' | 'remark'> {
  const { label, language, sampleRateHz, channels } = entry
  const named = { ...(label === undefined ? {} : { label }), ...(language === undefined ? {} : { language }) }
  const origin = { id, epoch: 0, timescale, codec, sampleRateHz, channels, ...named }
  try {
    const track = describeTrack({ ...origin, config: configFrom(entry, codec) })
    return { track: withContainerFacts(track, entry), remark: undefined }
  } catch (error) {
    if (!(error instanceof MalformedError || error instanceof UnsupportedError)) throw error
    const message = `track ${entry.number}: its configuration cannot be read: ${error.message}`
    return {
      track: hearsay({ ...origin, config: entry.codecPrivate.slice() }, entry),
      remark: { kind: 'bad-config', message },
    }
  }
}

function withContainerFacts(track: Track, entry: Fields): Track {
  if (track.kind === 'video') return withPictureFacts(track, entry)
  return track.sampleRateHz > 0 ? track : { ...track, sampleRateHz: entry.sampleRateHz, channels: entry.channels }
}

function withPictureFacts(track: VideoTrack, { width, height, colour, hasAlpha }: Fields): VideoTrack {
  const sized = track.width > 0 ? track : { ...track, width, height }
  const coloured = withColour(sized, colour)
  return hasAlpha && (track.codec === 'vp8' || track.codec === 'vp9') ? { ...coloured, hasAlpha: true } : coloured
}

function hearsay(origin: TrackOrigin, entry: Fields): Track {
  const { codec, sampleRateHz: _rate, channels: _channels, ...base } = origin
  switch (codec) {
    case 'h264':
    case 'hevc':
    case 'av1':
    case 'vp9':
    case 'vp8':
      return { ...base, kind: 'video', codec, width: entry.width, height: entry.height }
    default:
      return { ...base, kind: 'audio', codec, sampleRateHz: entry.sampleRateHz, channels: entry.channels }
  }
}
