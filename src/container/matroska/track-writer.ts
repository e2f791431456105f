import { parseAudioSpecificConfig } from '../../codec/aac/audio-specific-config.ts'
import { colourOf } from '../../codec/colour.ts'
import { parseAvcC } from '../../codec/h264/avcc.ts'
import { parseH264Sps } from '../../codec/h264/sps.ts'
import { hevcFacts, parseHvcC } from '../../codec/hevc/hvcc.ts'
import { MalformedError, UnsupportedError } from '../../media/errors.ts'
import type { AudioTrack, Track, VideoTrack } from '../../media/track.ts'
import { codecId, codecPrivate, type DocType } from './codec-mapping.ts'
import type { EbmlWriter } from './ebml.ts'
import * as E from './elements.ts'
import { bibliographicLanguage } from './language.ts'

const TRACK_TYPE_VIDEO = 1 // RFC 9559 §5.1.4.1.3
const TRACK_TYPE_AUDIO = 2 // same
const DISPLAY_UNIT_ASPECT_RATIO = 3 // §5.1.4.1.28.14
const BROADCAST_RANGE = 1 // §5.1.4.1.28.25
const FULL_RANGE = 2 // same
const ALPHA_BLOCK_ADDITION_ID = 1 // WebM guidelines, AlphaMode
const OPUS_SEEK_PRE_ROLL_NS = 80_000_000 // RFC 7845 §4.6, RFC 9559 §5.1.4.1.26
const OPUS_RATE_HZ = 48_000 // RFC 7845 §5.1: pre-skip counts at this rate

/** Sound at the start of a track that a decoder throws away, ns: the pre-skip of Opus (RFC 9559 §5.1.4.1.25). 0 for other codecs. */
export function codecDelayNs(track: Track): number {
  if (track.codec !== 'opus' || track.config.length < 12) return 0
  const preSkip = track.config[10] | (track.config[11] << 8) // RFC 7845 §5.1
  return Math.round((preSkip * 1e9) / OPUS_RATE_HZ)
}

/**
 * Writes a TrackEntry (RFC 9559 §5.1.4.1). There is no DefaultDuration: no live source promises a constant rate.
 * @throws UnsupportedError when `docType` may not carry the codec
 */
export function writeTrackEntry(out: EbmlWriter, number: number, track: Track, docType: DocType): void {
  const id = codecId(track.codec, docType)
  const setup = codecPrivate(track)
  out.master(E.TRACK_ENTRY, (entry) => {
    entry.uint(E.TRACK_NUMBER, number).uint(E.TRACK_UID, number)
    entry.uint(E.TRACK_TYPE, track.kind === 'video' ? TRACK_TYPE_VIDEO : TRACK_TYPE_AUDIO)
    entry.uint(E.FLAG_LACING, 0)
    if (track.kind === 'video' && track.hasAlpha) entry.uint(E.MAX_BLOCK_ADDITION_ID, ALPHA_BLOCK_ADDITION_ID)
    if (track.label !== undefined) entry.text(E.NAME, track.label)
    entry.text(E.LANGUAGE, bibliographicLanguage(track.language))
    entry.text(E.CODEC_ID, id)
    if (setup.length > 0) entry.binary(E.CODEC_PRIVATE, setup)
    if (track.codec === 'opus') {
      entry.uint(E.CODEC_DELAY, codecDelayNs(track)).uint(E.SEEK_PRE_ROLL, OPUS_SEEK_PRE_ROLL_NS)
    }
    if (track.kind === 'video') entry.master(E.VIDEO, (video) => writeVideo(video, track))
    else entry.master(E.AUDIO, (audio) => writeAudio(audio, track))
  })
}

function writeVideo(out: EbmlWriter, track: VideoTrack): void {
  // Both are mandatory and not 0 (§5.1.4.1.28.6); they are mended once a frame has told them.
  out.uint(E.PIXEL_WIDTH, track.width || 1).uint(E.PIXEL_HEIGHT, track.height || 1)
  if (track.hasAlpha) out.uint(E.ALPHA_MODE, 1)
  writeColour(out, track)
  const aspect = sampleAspect(track)
  if (aspect === undefined || aspect.width === aspect.height || track.width === 0) return
  const width = track.width * aspect.width
  const height = track.height * aspect.height
  if (width % aspect.height === 0) {
    out.uint(E.DISPLAY_WIDTH, width / aspect.height).uint(E.DISPLAY_HEIGHT, track.height)
    return
  }
  const divisor = greatestDivisor(width, height)
  out.uint(E.DISPLAY_WIDTH, width / divisor).uint(E.DISPLAY_HEIGHT, height / divisor)
  out.uint(E.DISPLAY_UNIT, DISPLAY_UNIT_ASPECT_RATIO)
}

/** As the sender says; VP9 in WebM says it nowhere else. */
function writeColour(out: EbmlWriter, track: VideoTrack): void {
  const colour = colourOf(track)
  if (colour === undefined) return
  out.master(E.COLOUR, (element) => {
    element.uint(E.MATRIX_COEFFICIENTS, colour.matrix).uint(E.RANGE, colour.fullRange ? FULL_RANGE : BROADCAST_RANGE)
    element.uint(E.TRANSFER_CHARACTERISTICS, colour.transfer).uint(E.PRIMARIES, colour.primaries)
  })
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b)
}

function writeAudio(out: EbmlWriter, track: AudioTrack): void {
  const rateHz = track.sampleRateHz
  if (rateHz > 0) {
    const coreHz = coreRateHz(track)
    out.float(E.SAMPLING_FREQUENCY, coreHz)
    if (coreHz !== rateHz) out.float(E.OUTPUT_SAMPLING_FREQUENCY, rateHz)
  }
  out.uint(E.CHANNELS, track.channels || 1)
  if (track.codec === 'pcm-s16le') out.uint(E.BIT_DEPTH, 16)
}

/** Shape of one picture sample by the bitstream: without it players would believe the container, which says square. */
function sampleAspect(track: VideoTrack): { width: number; height: number } | undefined {
  return unlessUnreadable(() => {
    if (track.codec === 'hevc') return hevcFacts(parseHvcC(track.config)).sps.vui?.sampleAspect
    const [sps] = track.codec === 'h264' ? parseAvcC(track.config).sps : []
    return sps === undefined ? undefined : parseH264Sps(sps).vui?.sampleAspect
  })
}

/** Rate before spectral band replication, which SamplingFrequency means (§5.1.4.1.29.1). */
function coreRateHz(track: AudioTrack): number {
  if (track.codec !== 'aac') return track.sampleRateHz
  return unlessUnreadable(() => parseAudioSpecificConfig(track.config).sampleRateHz) ?? track.sampleRateHz
}

/** The configuration goes into the file as it is, also one that cannot be read here: then what it would tell is left out. */
function unlessUnreadable<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof MalformedError || error instanceof UnsupportedError) return undefined
    throw error
  }
}
