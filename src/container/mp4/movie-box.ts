import type { ByteWriter } from '../../media/bytes.ts'
import type { Chapter } from '../../media/ports.ts'
import { beginBox, beginFullBox, endBox } from './box-writer.ts'

/** Seconds from 1904-01-01, the beginning of MP4's time, to 1970-01-01, ISO 14496-12 §8.2.2.3 */
export const MP4_EPOCH_SECONDS = 2_082_844_800
const MAX_U32 = 0xffffffff
/** Rate, volume and scale of 1.0 as 16.16 and 8.8, §8.2.2 */
const ONE_16_16 = 0x00010000
const ONE_8_8 = 0x0100
/** Track is enabled and in the presentation, §8.3.2.3 */
const TKHD_FLAGS = 0x3
/** Media is in this very file, §8.7.2 */
const SELF_CONTAINED = 0x1
/** Ticks of `chpl` per ms: it counts 100 ns (Nero). */
const CHPL_TICKS_PER_MS = 10_000
/** Its count, and the length of a title, are one byte each. */
const CHPL_MOST = 255
/** Well-known data type UTF-8, QuickTime File Format "Well-known types" */
const DATA_UTF8 = 1

/** What a `moov` says of the whole. */
export interface MovieFacts {
  /** Ticks per second of durations and of empty edits. */
  readonly timescale: number
  readonly durationTicks: number
  /** Wall clock, ms since 1970. */
  readonly creationTimeMs?: number
  readonly title?: string
  readonly nextTrackId: number
}

/** One line of an edit list (§8.6.6): `mediaTicks` -1 is a pause before the media begins. */
export interface Edit {
  /** In the movie's timescale; 0 means to the end, whatever fragments still come. */
  readonly durationTicks: number
  /** In the track's timescale. */
  readonly mediaTicks: number
}

/** What a `trak` says of its track, apart from the samples. */
export interface TrackFacts {
  /** track_ID, from 1. */
  readonly id: number
  readonly kind: 'video' | 'audio'
  readonly timescale: number
  readonly width: number
  readonly height: number
  readonly label?: string
  readonly language?: string
  /** Sample entries, whole boxes, in the order of `stsd`. */
  readonly entries: readonly Uint8Array[]
}

/** When a track's media is shown. */
export interface TrackTimes {
  /** Of the media, in the track's timescale. */
  readonly mediaTicks: number
  /** Of the presentation, in the movie's timescale. */
  readonly presentationTicks: number
  readonly edits: readonly Edit[]
}

/** `mvhd`, §8.2.2. */
export function writeMovieHeader(out: ByteWriter, movie: MovieFacts): void {
  const created = mp4Seconds(movie.creationTimeMs)
  const wide = created > MAX_U32 || movie.durationTicks > MAX_U32
  const at = beginFullBox(out, 'mvhd', wide ? 1 : 0, 0)
  writeTime(out, wide, created)
  writeTime(out, wide, created)
  out.u32(movie.timescale)
  writeTime(out, wide, movie.durationTicks)
  out.u32(ONE_16_16).u16(ONE_8_8).zero(10)
  writeUnityMatrix(out)
  out.zero(24).u32(movie.nextTrackId)
  endBox(out, at)
}

/**
 * Opens a `trak` and everything in it up to and including `stsd`; `tableBytes` of sample tables, the rest of the `stbl`,
 * come right behind. They end the `trak`.
 */
export function writeTrackHead(
  out: ByteWriter,
  movie: MovieFacts,
  track: TrackFacts,
  times: TrackTimes,
  tableBytes: number,
): void {
  const trak = beginBox(out, 'trak')
  writeTrackHeader(out, movie, track, times)
  if (times.edits.length > 0) writeEditList(out, times.edits)
  writeTrackLabel(out, track.label)
  const mdia = beginBox(out, 'mdia')
  writeMediaHeader(out, movie, track, times)
  writeHandler(out, track.kind === 'video' ? 'vide' : 'soun', track.label ?? `tapedeck ${track.kind}`)
  const minf = beginBox(out, 'minf')
  writeMediaInformation(out, track.kind)
  const stbl = beginBox(out, 'stbl')
  const stsd = beginFullBox(out, 'stsd', 0, 0)
  out.u32(track.entries.length)
  for (const entry of track.entries) out.put(entry)
  endBox(out, stsd)
  endBox(out, stbl, tableBytes)
  endBox(out, minf, tableBytes)
  endBox(out, mdia, tableBytes)
  endBox(out, trak, tableBytes)
}

/** `udta` of a movie with its title, as iTunes and ffmpeg write it, and chapters, as Nero and ffmpeg do. */
export function writeMovieTags(out: ByteWriter, title: string | undefined, chapters: readonly Chapter[] = []): void {
  if (title === undefined && chapters.length === 0) return
  const udta = beginBox(out, 'udta')
  if (title !== undefined) writeTitle(out, title)
  if (chapters.length > 0) writeChapters(out, chapters.slice(0, CHPL_MOST))
  endBox(out, udta)
}

function writeChapters(out: ByteWriter, chapters: readonly Chapter[]): void {
  const chpl = beginFullBox(out, 'chpl', 1, 0)
  out.u32(0).u8(chapters.length)
  for (const { startMs, title } of chapters) {
    const text = Buffer.from(cutToBytes(title, CHPL_MOST))
    out
      .u64(Math.round(startMs * CHPL_TICKS_PER_MS))
      .u8(text.length)
      .put(text)
  }
  endBox(out, chpl)
}

/** The longest beginning of `text` of at most `maxBytes` in UTF-8, whole characters only. */
function cutToBytes(text: string, maxBytes: number): string {
  let kept = text.toWellFormed()
  while (Buffer.byteLength(kept) > maxBytes)
    kept = kept
      .slice(0, -1)
      .toWellFormed()
      .replace(/\ufffd$/, '')
  return kept
}

function writeTitle(out: ByteWriter, title: string): void {
  const meta = beginFullBox(out, 'meta', 0, 0)
  writeHandler(out, 'mdir', '')
  const ilst = beginBox(out, 'ilst')
  const name = beginBox(out, '\xa9nam')
  const data = beginBox(out, 'data')
  out.u32(DATA_UTF8).u32(0).utf8(title)
  endBox(out, data)
  endBox(out, name)
  endBox(out, ilst)
  endBox(out, meta)
}

function writeTrackHeader(out: ByteWriter, movie: MovieFacts, track: TrackFacts, times: TrackTimes): void {
  const created = mp4Seconds(movie.creationTimeMs)
  const wide = created > MAX_U32 || times.presentationTicks > MAX_U32
  const at = beginFullBox(out, 'tkhd', wide ? 1 : 0, TKHD_FLAGS)
  writeTime(out, wide, created)
  writeTime(out, wide, created)
  out.u32(track.id).u32(0)
  writeTime(out, wide, times.presentationTicks)
  const isAudio = track.kind === 'audio'
  out
    .zero(8)
    .u16(0)
    .u16(isAudio ? 1 : 0) // layer, alternate_group: of several sound tracks a player plays one
  out.u16(isAudio ? ONE_8_8 : 0).u16(0)
  writeUnityMatrix(out)
  out.u32(track.width * 0x10000).u32(track.height * 0x10000)
  endBox(out, at)
}

function writeEditList(out: ByteWriter, edits: readonly Edit[]): void {
  const edts = beginBox(out, 'edts')
  const elst = beginFullBox(out, 'elst', 1, 0)
  out.u32(edits.length)
  for (const edit of edits) out.u64(edit.durationTicks).i64(edit.mediaTicks).u32(ONE_16_16)
  endBox(out, elst)
  endBox(out, edts)
}

function writeTrackLabel(out: ByteWriter, label: string | undefined): void {
  if (label === undefined) return
  const udta = beginBox(out, 'udta')
  const name = beginBox(out, 'name')
  out.utf8(label)
  endBox(out, name)
  endBox(out, udta)
}

function writeMediaHeader(out: ByteWriter, movie: MovieFacts, track: TrackFacts, times: TrackTimes): void {
  const created = mp4Seconds(movie.creationTimeMs)
  const wide = created > MAX_U32 || times.mediaTicks > MAX_U32
  const at = beginFullBox(out, 'mdhd', wide ? 1 : 0, 0)
  writeTime(out, wide, created)
  writeTime(out, wide, created)
  out.u32(track.timescale)
  writeTime(out, wide, times.mediaTicks)
  out.u16(packLanguage(track.language)).u16(0)
  endBox(out, at)
}

/** `hdlr`, §8.4.3. */
function writeHandler(out: ByteWriter, type: string, name: string): void {
  const at = beginFullBox(out, 'hdlr', 0, 0)
  out.u32(0).ascii(type).zero(12).utf8(name.replaceAll('\0', '')).u8(0)
  endBox(out, at)
}

function writeMediaInformation(out: ByteWriter, kind: 'video' | 'audio'): void {
  const header = kind === 'video' ? beginFullBox(out, 'vmhd', 0, 1) : beginFullBox(out, 'smhd', 0, 0)
  out.zero(kind === 'video' ? 8 : 4)
  endBox(out, header)
  const dinf = beginBox(out, 'dinf')
  const dref = beginFullBox(out, 'dref', 0, 0)
  out.u32(1)
  endBox(out, beginFullBox(out, 'url ', 0, SELF_CONTAINED))
  endBox(out, dref)
  endBox(out, dinf)
}

function writeTime(out: ByteWriter, wide: boolean, value: number): void {
  if (wide) out.u64(value)
  else out.u32(value)
}

function mp4Seconds(ms: number | undefined): number {
  return ms === undefined ? 0 : Math.floor(ms / 1000) + MP4_EPOCH_SECONDS
}

/** ISO 639-2/T in three times five bits, §8.4.2.3; `und` for what is none. */
function packLanguage(language: string | undefined): number {
  const code = language !== undefined && /^[a-z]{3}$/.test(language) ? language : 'und'
  return ((code.charCodeAt(0) & 31) << 10) | ((code.charCodeAt(1) & 31) << 5) | (code.charCodeAt(2) & 31)
}

function writeUnityMatrix(out: ByteWriter): void {
  out.u32(ONE_16_16).zero(12).u32(ONE_16_16).zero(12).u32(0x40000000)
}
