import { ByteReader } from '../../media/bytes.ts'
import { rescale } from '../../media/clock.ts'
import { LimitError, MalformedError, TapedeckError } from '../../media/errors.ts'
import type { Track } from '../../media/track.ts'
import type { Fault } from '../reader.ts'
import { type BoxAt, listBoxes, parseBoxes, readFullBox, readPayload } from './box-reader.ts'
import { noteFault } from './faults.ts'
import { MP4_EPOCH_SECONDS } from './movie-box.ts'
import { readSampleEntry } from './sample-entry-reader.ts'
import type { SourceWindow } from './source-window.ts'

const MAX_TRACKS = 256
/** Boxes that are read whole: headers, sample entries, tags. */
const MAX_BOX_BYTES = 1024 * 1024
const MAX_ENTRIES = 1024

/** Where a fragment says nothing of its samples, these hold (`trex`, ISO 14496-12 §8.8.3). */
export interface SampleDefaults {
  readonly description: number
  readonly duration: number
  readonly size: number
  readonly flags: number
}

/** One `trak` of a movie in a file. */
export interface MovieTrack {
  readonly id: number
  readonly kind: 'video' | 'audio'
  readonly timescale: number
  readonly width: number
  readonly height: number
  readonly label?: string
  readonly language?: string
  /** Sample entries as they stand in `stsd`, whole boxes. */
  readonly entries: readonly Uint8Array[]
  /** What each of them describes. */
  readonly epochs: readonly Track[]
  /** Added to media times this gives presentation times, ticks: the edit list. */
  readonly shiftTicks: number
  /** Sample tables by type. */
  readonly tables: ReadonlyMap<string, BoxAt>
  readonly defaults: SampleDefaults
}

/** A `moov` in a file. */
export interface Movie {
  readonly timescale: number
  readonly durationTicks: number
  readonly creationTimeMs: number | undefined
  readonly title: string | undefined
  /** There is an `mvex`: samples may be in fragments. */
  readonly hasFragments: boolean
  /** Video and sound of codecs that tapedeck knows. */
  readonly tracks: readonly MovieTrack[]
}

/** Reads a `moov`, all but its sample tables. Tracks that cannot be read are left out, with a fault. @throws MalformedError */
export async function readMovie(window: SourceWindow, moov: BoxAt, faults: Fault[]): Promise<Movie> {
  const boxes = await listBoxes(window, moov.offset + moov.headerBytes, moov.endOffset)
  const mvhd = boxes.find(({ type }) => type === 'mvhd')
  if (mvhd === undefined) throw new MalformedError('mp4', 'moov without mvhd', moov.offset)
  const header = parseTimes(await readPayload(window, mvhd, MAX_BOX_BYTES), 'mvhd')
  const mvex = boxes.find(({ type }) => type === 'mvex')
  const defaults = mvex === undefined ? new Map() : await readDefaults(window, mvex)
  const traks = boxes.filter(({ type }) => type === 'trak')
  if (traks.length > MAX_TRACKS) throw new LimitError('mp4 tracks', { limit: MAX_TRACKS, asked: traks.length })
  const tracks = new Map<number, MovieTrack>()
  for (const trak of traks) {
    try {
      const track = await readTrack(window, trak, header.timescale, defaults)
      if (track === undefined)
        noteFault(faults, 'unsupported-track', trak.offset, 'a track of a kind or codec not known here')
      else tracks.set(track.id, track)
    } catch (error) {
      if (!(error instanceof TapedeckError)) throw error
      noteFault(faults, 'bad-track', trak.offset, error.message)
    }
  }
  const udta = boxes.find(({ type }) => type === 'udta')
  return {
    timescale: header.timescale,
    durationTicks: header.durationTicks,
    creationTimeMs: header.created === 0 ? undefined : (header.created - MP4_EPOCH_SECONDS) * 1000,
    title: udta === undefined ? undefined : await readTitle(window, udta),
    hasFragments: mvex !== undefined,
    tracks: [...tracks.values()],
  }
}

async function readTrack(
  window: SourceWindow,
  trak: BoxAt,
  movieScale: number,
  defaults: ReadonlyMap<number, SampleDefaults>,
): Promise<MovieTrack | undefined> {
  const boxes = await childrenOf(window, trak)
  const mdia = await childrenOf(window, need(boxes, 'mdia'))
  const handler = await readPayload(window, need(mdia, 'hdlr'), MAX_BOX_BYTES)
  const kind = HANDLER_KINDS.get(new ByteReader(handler.subarray(8), 'hdlr').ascii(4))
  if (kind === undefined) return undefined
  const { id, width, height } = parseTrackHeader(await readPayload(window, need(boxes, 'tkhd'), MAX_BOX_BYTES))
  const media = parseTimes(await readPayload(window, need(mdia, 'mdhd'), MAX_BOX_BYTES), 'mdhd')
  const label = await readLabel(window, boxes)
  const language = unpackLanguage(media.reader.u16())
  const named = { ...(label === undefined ? {} : { label }), ...(language === undefined ? {} : { language }) }
  const stbl = await childrenOf(window, need(await childrenOf(window, need(mdia, 'minf')), 'stbl'))
  const entries = parseEntries(await readPayload(window, need(stbl, 'stsd'), MAX_BOX_BYTES))
  const origin = { id, timescale: media.timescale, ...named }
  const epochs = entries.flatMap((entry, epoch) => readSampleEntry(entry, { ...origin, epoch }) ?? [])
  if (epochs.length === 0 || epochs.length < entries.length) return undefined
  return {
    ...origin,
    kind,
    width,
    height,
    entries: entries.map(({ bytes }) => bytes),
    epochs,
    shiftTicks: await readEditShift(window, boxes, movieScale, media.timescale),
    tables: new Map(stbl.map((box) => [box.type, box])),
    defaults: defaults.get(id) ?? { description: 1, duration: 0, size: 0, flags: 0 },
  }
}

const HANDLER_KINDS = new Map<string, 'video' | 'audio'>([
  ['vide', 'video'],
  ['soun', 'audio'],
])

/** The beginning of `mvhd` (§8.2.2) and `mdhd` (§8.4.2), which are alike; `reader` stands behind the duration. */
function parseTimes(payload: Uint8Array, type: string) {
  const { version, reader } = readFullBox(payload, type)
  const created = version === 1 ? reader.u64() : reader.u32()
  reader.skip(version === 1 ? 8 : 4)
  const timescale = reader.u32()
  if (timescale === 0) reader.fail('timescale 0')
  // all ones stand for a duration not known; in 64 bits they are no safe integer
  const high = version === 1 ? reader.u32() : 0
  const low = reader.u32()
  const isKnown = version === 1 ? high < 0x200000 : low !== 0xffffffff
  return { created, timescale, durationTicks: isKnown ? high * 2 ** 32 + low : 0, reader }
}

/** `tkhd`, §8.3.2. */
function parseTrackHeader(payload: Uint8Array): { id: number; width: number; height: number } {
  const { version, reader } = readFullBox(payload, 'tkhd')
  reader.skip(version === 1 ? 16 : 8)
  const id = reader.u32()
  reader.skip(version === 1 ? 12 : 8)
  reader.skip(52)
  const width = reader.u32() / 0x10000
  const height = reader.u32() / 0x10000
  return { id, width: Math.floor(width), height: Math.floor(height) }
}

function parseEntries(payload: Uint8Array) {
  const { reader } = readFullBox(payload, 'stsd')
  const count = reader.u32()
  if (count > MAX_ENTRIES) throw new LimitError('mp4 sample entries', { limit: MAX_ENTRIES, asked: count })
  return parseBoxes(reader.rest(), 'stsd').slice(0, count)
}

/** A pause at the start, and where in the media the presentation begins: all of an edit list that live media needs. */
async function readEditShift(
  window: SourceWindow,
  trak: readonly BoxAt[],
  movieScale: number,
  timescale: number,
): Promise<number> {
  const edts = trak.find(({ type }) => type === 'edts')
  const elst = edts && (await childrenOf(window, edts)).find(({ type }) => type === 'elst')
  if (elst === undefined) return 0
  const { version, reader } = readFullBox(await readPayload(window, elst, MAX_BOX_BYTES), 'elst')
  let pauseTicks = 0
  for (let left = reader.u32(); left > 0; left--) {
    const duration = version === 1 ? reader.u64() : reader.u32()
    const high = version === 1 ? reader.i32() : 0
    const low = version === 1 ? reader.u32() : reader.i32()
    const mediaTicks = version === 1 ? high * 2 ** 32 + low : low
    reader.skip(4)
    if (mediaTicks >= 0) return rescale(pauseTicks, movieScale, timescale) - mediaTicks
    pauseTicks += duration
  }
  return rescale(pauseTicks, movieScale, timescale)
}

async function readDefaults(window: SourceWindow, mvex: BoxAt): Promise<Map<number, SampleDefaults>> {
  const defaults = new Map<number, SampleDefaults>()
  for (const box of await childrenOf(window, mvex)) {
    if (box.type !== 'trex') continue
    const { reader } = readFullBox(await readPayload(window, box, MAX_BOX_BYTES), 'trex')
    const id = reader.u32()
    defaults.set(id, { description: reader.u32(), duration: reader.u32(), size: reader.u32(), flags: reader.u32() })
  }
  return defaults
}

/** The name that a person gave the track: `udta/name`. */
async function readLabel(window: SourceWindow, trak: readonly BoxAt[]): Promise<string | undefined> {
  const udta = trak.find(({ type }) => type === 'udta')
  if (udta === undefined) return undefined
  const name = parseBoxes(await readPayload(window, udta, MAX_BOX_BYTES), 'udta').find(({ type }) => type === 'name')
  return name === undefined ? undefined : new TextDecoder().decode(name.payload)
}

/** `udta/meta/ilst/©nam/data`; whatever else tags look like is none of our business. */
async function readTitle(window: SourceWindow, udta: BoxAt): Promise<string | undefined> {
  try {
    const payload = await readPayload(window, udta, MAX_BOX_BYTES)
    const meta = parseBoxes(payload, 'udta').find(({ type }) => type === 'meta')
    if (meta === undefined) return undefined
    const ilst = parseBoxes(meta.payload.subarray(4), 'meta').find(({ type }) => type === 'ilst')
    const name = ilst && parseBoxes(ilst.payload, 'ilst').find(({ type }) => type === '\xa9nam')
    const data = name && parseBoxes(name.payload, 'name').find(({ type }) => type === 'data')
    return data === undefined ? undefined : new TextDecoder().decode(data.payload.subarray(8))
  } catch (error) {
    if (error instanceof TapedeckError) return undefined
    throw error
  }
}

function unpackLanguage(packed: number): string | undefined {
  const code = String.fromCharCode(96 + ((packed >> 10) & 31), 96 + ((packed >> 5) & 31), 96 + (packed & 31))
  return code === 'und' || !/^[a-z]{3}$/.test(code) ? undefined : code
}

function childrenOf(window: SourceWindow, box: BoxAt): Promise<BoxAt[]> {
  return listBoxes(window, box.offset + box.headerBytes, box.endOffset)
}

function need(boxes: readonly BoxAt[], type: string): BoxAt {
  const box = boxes.find((candidate) => candidate.type === type)
  if (box === undefined) throw new MalformedError('mp4', `${type} is missing`)
  return box
}
