import { ByteWriter } from '../../media/bytes.ts'
import { rescale } from '../../media/clock.ts'
import type { Chapter } from '../../media/ports.ts'
import { beginBox, endBox } from './box-writer.ts'
import {
  type Edit,
  type MovieFacts,
  type TrackFacts,
  type TrackTimes,
  writeMovieHeader,
  writeMovieTags,
  writeTrackHead,
} from './movie-box.ts'
import type { SampleLog } from './sample-log.ts'
import { countTables, type TableCounts, tableBytes, tablePieces } from './sample-tables.ts'

/** The finest movie timescale: 44.1 and 48 kHz have theirs below, and 17 years of it are a safe integer. */
const MAX_MOVIE_TIMESCALE = 10_000_000
const FALLBACK_TIMESCALE = 1000

/** A track and all its samples. */
export interface IndexedTrack extends TrackFacts {
  readonly log: SampleLog
}

/** What the index says of the whole. */
export interface IndexFacts {
  readonly title?: string
  readonly creationTimeMs?: number
  readonly chapters?: readonly Chapter[]
}

/**
 * The least common multiple of the tracks' timescales, so that edit lists are exact; milliseconds where that would be
 * too fine.
 */
export function movieTimescale(timescales: readonly number[]): number {
  let common = 1
  for (const timescale of timescales) {
    common = (common / greatestDivisor(common, timescale)) * timescale
    if (common > MAX_MOVIE_TIMESCALE) return FALLBACK_TIMESCALE
  }
  return timescales.length === 0 ? FALLBACK_TIMESCALE : common
}

/**
 * The `moov` of an ordinary movie, in pieces of some hundred kilobytes. Each piece is a view that lives until the next one is
 * asked for. Tracks without samples are left out.
 */
export function* movieIndex(facts: IndexFacts, tracks: readonly IndexedTrack[]): Generator<Uint8Array> {
  const full = tracks.filter((track) => track.log.sampleCount > 0)
  const timescale = movieTimescale(full.map((track) => track.timescale))
  const times = full.map((track) => presentationTimes(track, timescale))
  const counts = full.map((track) => countTables(track.log))
  const movie: MovieFacts = {
    ...facts,
    timescale,
    durationTicks: times.reduce((longest, { presentationTicks }) => Math.max(longest, presentationTicks), 0),
    nextTrackId: full.reduce((highest, { id }) => Math.max(highest, id), 0) + 1,
  }
  const heads = full.map((track, i) => trackHead(movie, track, times[i], counts[i]))
  const tags = new ByteWriter()
  writeMovieTags(tags, movie.title, facts.chapters)
  const out = new ByteWriter(4096)
  const moov = beginBox(out, 'moov')
  writeMovieHeader(out, movie)
  const following = heads.reduce((sum, head, i) => sum + head.length + tableBytes(counts[i]), tags.length)
  endBox(out, moov, following)
  for (let i = 0; i < full.length; i++) {
    out.put(heads[i])
    yield* tablePieces(out, full[i].log, counts[i])
  }
  out.put(tags.view())
  yield out.view()
}

function trackHead(movie: MovieFacts, track: IndexedTrack, times: TrackTimes, counts: TableCounts): Uint8Array {
  const out = new ByteWriter(1024)
  writeTrackHead(out, movie, track, times, tableBytes(counts))
  return out.done()
}

/**
 * In the tables the first sample is decoded at 0, and is shown `maxReorder` later than the log says, so that no
 * composition offset is negative. The edit list takes both back: the presentation has the times of the log.
 */
function presentationTimes(track: IndexedTrack, movieScale: number): TrackTimes {
  const { log, timescale } = track
  const shift = log.maxReorder - log.firstDts
  const endPts = log.maxPts + log.lastDuration
  const edits: Edit[] = []
  const startPts = Math.max(0, log.minPts)
  const shownTicks = Math.max(0, rescale(endPts, timescale, movieScale) - rescale(startPts, timescale, movieScale))
  if (shift !== 0) {
    const emptyTicks = rescale(startPts, timescale, movieScale)
    if (emptyTicks > 0) edits.push({ durationTicks: emptyTicks, mediaTicks: -1 })
    edits.push({ durationTicks: shownTicks, mediaTicks: startPts + shift })
  }
  return {
    mediaTicks: log.lastDts - log.firstDts + log.lastDuration,
    presentationTicks: rescale(startPts, timescale, movieScale) + shownTicks,
    edits,
  }
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b)
}
