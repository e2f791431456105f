import { extname } from 'node:path'
import { MalformedError } from '../media/errors.ts'
import type { ByteSink, ByteSource, EditableFile, Muxer } from '../media/ports.ts'
import type { AudioCodec, VideoCodec } from '../media/track.ts'
import { FlvMuxer } from './flv/muxer.ts'
import { openFlv } from './flv/reader.ts'
import { repairFlv } from './flv/repair.ts'
import { WEBM_CODECS } from './matroska/codec-mapping.ts'
import { MatroskaMuxer } from './matroska/muxer.ts'
import { isWebmHead, openMatroska } from './matroska/reader.ts'
import { repairMatroska } from './matroska/repair.ts'
import { Mp4Muxer } from './mp4/muxer.ts'
import { openMp4 } from './mp4/reader.ts'
import { repairMp4 } from './mp4/repair.ts'
import { OggMuxer } from './ogg/muxer.ts'
import { openOgg } from './ogg/reader.ts'
import { repairOgg } from './ogg/repair.ts'
import type { ContainerReader, Format, Progress, RepairReport } from './reader.ts'
import type { SampleBound } from './sample-bound.ts'

/** What every muxer can be told about the file it makes. */
export interface MuxerOptions {
  /** Shown by players as the title. */
  readonly title?: string
  /** Wall clock, ms since 1970: when the recording began. */
  readonly creationTimeMs?: number
  /** No picture is ever to come into this file: Matroska refuses it then, as Ogg always does. */
  readonly isSoundAlone?: boolean
  /**
   * Every keyframe of H.264 and HEVC carries its parameter sets, from the first on: for sources whose pictures change size, so
   * that players can jump back over a change.
   */
  readonly inBandSets?: boolean
}

const VIDEO: readonly VideoCodec[] = ['h264', 'hevc', 'av1', 'vp9', 'vp8']
const AUDIO: readonly AudioCodec[] = ['aac', 'opus', 'mp3', 'ac3', 'eac3', 'flac']
const HELD: Readonly<Record<Format, ReadonlySet<string>>> = {
  mp4: new Set([...VIDEO, ...AUDIO, 'pcm-s16le', 'pcm-alaw', 'pcm-mulaw']),
  flv: new Set([...VIDEO, ...AUDIO, 'pcm-alaw', 'pcm-mulaw']),
  mkv: new Set([...VIDEO, ...AUDIO, 'pcm-s16le', 'pcm-alaw', 'pcm-mulaw']),
  webm: WEBM_CODECS,
  ogg: new Set(['opus']),
}

/** Whether files of `format` can carry `codec`. */
export function canHold(format: Format, codec: VideoCodec | AudioCodec): boolean {
  return HELD[format].has(codec)
}

/** 24 days: FLV has 32 bits of milliseconds, which many readers take as signed (Adobe FLV v10.1 §E.4.1, SI32). */
const MAX_FLV_MS = 24 * 24 * 3_600_000

/** How long a file of `format` may be so that every player follows its clock, ms. */
export function maxFileMs(format: Format): number {
  return format === 'flv' ? MAX_FLV_MS : Number.POSITIVE_INFINITY
}

/** The ending of file names, with its dot; WebM of sound alone has one of its own. */
export function extensionOf(format: Format, isSoundAlone = false): `.${Format | 'weba'}` {
  return format === 'webm' && isSoundAlone ? '.weba' : `.${format}`
}

/** The format that the ending of `path` stands for; undefined for any other ending. */
export function formatOfPath(path: string): Format | undefined {
  switch (extname(path).toLowerCase()) {
    case '.mp4':
    case '.m4a':
    case '.m4v':
    case '.mov':
      return 'mp4'
    case '.flv':
      return 'flv'
    case '.mkv':
    case '.mka':
      return 'mkv'
    case '.webm':
    case '.weba':
      return 'webm'
    case '.ogg':
    case '.oga':
    case '.opus':
      return 'ogg'
    default:
      return undefined
  }
}

/** The muxer of `format`, writing to `out`. */
export function createMuxer(format: Format, out: ByteSink, options: MuxerOptions = {}): Muxer {
  switch (format) {
    case 'mp4':
      return new Mp4Muxer(out, options)
    case 'flv':
      return new FlvMuxer(out, options)
    case 'mkv':
      return new MatroskaMuxer(out, options)
    case 'webm':
      return new MatroskaMuxer(out, { ...options, docType: 'webm' })
    case 'ogg':
      return new OggMuxer(out, options)
    default:
      return format satisfies never
  }
}

/** Bytes that every format shows itself in: an EBML header has at most some 60 in practice. */
const SNIFFED_BYTES = 256
/** Box types that an MP4 of ours or anybody's begins with (ISO 14496-12 §4.3, §8.1, and QuickTime's). */
const FIRST_BOXES = new Set(['ftyp', 'styp', 'moov', 'moof', 'free', 'skip', 'mdat', 'wide', 'sidx'])

/**
 * Tells the format by content, never by name.
 * @throws MalformedError when it is none of ours
 */
export async function sniffFormat(source: ByteSource): Promise<Format> {
  const head = Buffer.from(await source.read(0, SNIFFED_BYTES))
  if (head.length >= 3 && head.toString('latin1', 0, 3) === 'FLV') return 'flv' // Adobe FLV v10.1 §E.2
  if (head.length >= 4 && head.readUInt32BE(0) === 0x4f676753) return 'ogg' // OggS, RFC 3533 §6
  if (head.length >= 4 && head.readUInt32BE(0) === 0x1a45dfa3) return isWebmHead(head) ? 'webm' : 'mkv' // EBML header, RFC 8794 §11.2.1
  if (head.length >= 8 && FIRST_BOXES.has(head.toString('latin1', 4, 8))) return 'mp4'
  throw new MalformedError(
    'file',
    `is neither MP4, FLV, Matroska nor Ogg; it begins with ${head.toString('hex', 0, 12) || 'nothing'}`,
    0,
  )
}

/**
 * Opens a file of any of our formats for looking.
 * @throws MalformedError when it is none, or its header cannot be read
 */
export async function openContainer(source: ByteSource): Promise<ContainerReader> {
  const format = await sniffFormat(source)
  switch (format) {
    case 'mp4':
      return openMp4(source)
    case 'flv':
      return openFlv(source)
    case 'mkv':
    case 'webm':
      return openMatroska(source)
    case 'ogg':
      return openOgg(source)
    default:
      return format satisfies never
  }
}

/**
 * Mends a torn file in place: cuts what is torn, completes index and duration. A whole file is left as it is. Of formats that
 * can be bounded (`BOUNDED_FORMATS`) samples beyond `bound` are left out.
 * @throws MalformedError when it is none of our formats
 */
export async function repairContainer(
  file: EditableFile,
  onProgress?: Progress,
  bound?: SampleBound,
): Promise<RepairReport> {
  const format = await sniffFormat(file)
  switch (format) {
    case 'mp4':
      return repairMp4(file, onProgress, bound)
    case 'flv':
      return repairFlv(file, onProgress)
    case 'mkv':
    case 'webm':
      return repairMatroska(file, onProgress, bound)
    case 'ogg':
      return repairOgg(file, onProgress)
    default:
      return format satisfies never
  }
}
