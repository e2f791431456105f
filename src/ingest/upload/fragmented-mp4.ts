import { type BoxAt, readBoxHeader } from '../../container/mp4/box-reader.ts'
import { readFragment, runSamples, type SampleRun, type TrackEnds } from '../../container/mp4/fragment-reader.ts'
import { type Movie, readMovie } from '../../container/mp4/movie-reader.ts'
import { SourceWindow } from '../../container/mp4/source-window.ts'
import type { Fault } from '../../container/reader.ts'
import { LimitError, MalformedError, UnsupportedError } from '../../media/errors.ts'
import type { DemuxStart, UploadSample } from './demux-start.ts'
import { comeSoFar, type GrowingBytes } from './growing-bytes.ts'

/** `moov` and `moof` of live media have some kilobytes, bytes. */
const MAX_HEADER_BYTES = 4 * 1024 * 1024
const BOX_HEADER_BYTES = 16 // with a 64-bit size, ISO 14496-12 §4.2
/** In one fragment: a minute of picture and sound has some 6000. */
const MAX_SAMPLES = 50_000
/** Boxes before the header; there are one or two. */
const MAX_BOXES = 64

/** Fragmented MP4 while it comes (ISO 14496-12 §8.8). A fragment counts once it is whole. @throws MalformedError, UnsupportedError, LimitError */
export async function* fragmentedMp4Samples(bytes: GrowingBytes, start: DemuxStart): AsyncGenerator<UploadSample> {
  const moov = await findHeader(bytes)
  if (moov === undefined) return
  const faults: Fault[] = []
  const movie = await readMovie(new SourceWindow(comeSoFar(bytes)), moov, faults)
  if (!movie.hasFragments)
    throw new UnsupportedError('upload: an MP4 that is not fragmented cannot be read while it comes')
  if (movie.tracks.length === 0) throw new MalformedError('upload', 'no track of it can be read')
  start.onHeader(moov.endOffset)
  yield* fragments(bytes, movie, Math.max(moov.endOffset, start.unitOffset))
}

async function* fragments(bytes: GrowingBytes, movie: Movie, from: number): AsyncGenerator<UploadSample> {
  const tracks = new Map(movie.tracks.map((track) => [track.id, track]))
  const ends: TrackEnds = new Map()
  let moof: BoxAt | undefined
  let box = await boxAt(bytes, from)
  for (; box !== undefined; box = await boxAt(bytes, box.endOffset)) {
    if (box.type === 'moof') moof = box
    if (box.type !== 'mdat' || moof === undefined) continue
    const { offset, headerBytes } = moof
    const content = (await bytes.read(offset + headerBytes, moof.endOffset - offset - headerBytes)).slice()
    const fragment = { offset, endOffset: box.endOffset, moof: content }
    moof = undefined
    yield* inTime(readFragment(fragment, tracks, ends, box.endOffset), offset)
  }
}

/** Samples of all tracks by their time: in the file the whole sound of a fragment may stand before its picture. */
function inTime(runs: readonly SampleRun[], unitOffset: number): UploadSample[] {
  const samples: UploadSample[] = []
  for (const run of runs) {
    if (samples.length + run.count > MAX_SAMPLES) throw new LimitError('samples in a fragment', { limit: MAX_SAMPLES })
    const { epochs, shiftTicks } = run.track
    const track = epochs[run.defaults.description - 1] ?? epochs[0]
    for (const { dts, pts, key, offset, size } of runSamples(run)) {
      samples.push({ track, dts: dts + shiftTicks, pts: pts + shiftTicks, key, offset, size, unitOffset })
    }
  }
  return samples.sort((a, b) => a.dts / a.track.timescale - b.dts / b.track.timescale)
}

async function findHeader(bytes: GrowingBytes): Promise<BoxAt | undefined> {
  let box = await boxAt(bytes, 0)
  for (let count = 0; box !== undefined && count < MAX_BOXES; count++) {
    if (box.type === 'moov') return box
    if (box.type === 'mdat') break
    box = await boxAt(bytes, box.endOffset)
  }
  if (box === undefined) return undefined
  throw new UnsupportedError('upload: an MP4 whose header does not come first cannot be read while it comes')
}

/** The box at `offset` once all of it has come; undefined when it never will. */
async function boxAt(bytes: GrowingBytes, offset: number): Promise<BoxAt | undefined> {
  await bytes.reach(offset + BOX_HEADER_BYTES)
  if (bytes.end <= offset) return undefined
  const window = new SourceWindow(comeSoFar(bytes), BOX_HEADER_BYTES)
  const box = await readBoxHeader(window, offset, Number.MAX_SAFE_INTEGER)
  if (box === undefined && bytes.end - offset < BOX_HEADER_BYTES) return undefined
  if (box === undefined) throw new MalformedError('upload', 'no MP4 box where one should be', offset)
  const sizeBytes = box.endOffset - offset
  if (box.type !== 'mdat' && sizeBytes > MAX_HEADER_BYTES) {
    throw new LimitError(`mp4 box ${box.type} of an upload, bytes`, { limit: MAX_HEADER_BYTES, asked: sizeBytes })
  }
  return (await bytes.reach(box.endOffset)) ? box : undefined
}
