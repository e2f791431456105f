import { toMs } from '../../media/clock.ts'
import { MalformedError, TapedeckError } from '../../media/errors.ts'
import type { EditableFile } from '../../media/ports.ts'
import type { Fault, Progress, RepairReport } from '../reader.ts'
import type { SampleBound } from '../sample-bound.ts'
import { noteFault } from './faults.ts'
import { mediaHead, reservedHead } from './file-head.ts'
import { readFragment, runSamples, type SampleRun, type TrackEnds } from './fragment-reader.ts'
import { FragmentScan } from './fragment-scan.ts'
import { findLayout, type Layout } from './layout.ts'
import { type IndexedTrack, movieIndex } from './movie-index.ts'
import { type Movie, readMovie } from './movie-reader.ts'
import { SampleLog } from './sample-log.ts'
import { SourceWindow } from './source-window.ts'
import { countSamples } from './table-reader.ts'

/** Progress is told every so many bytes. */
const PROGRESS_BYTES = 8 * 1024 * 1024

/**
 * Makes an ordinary movie of a file that `Mp4Muxer` could not finish: cuts it after its last whole fragment (at most half
 * a second of media goes), appends an index of all fragments, and puts it to use. The order of steps is that of
 * `Mp4Muxer.finish`, so a repair that is cut off itself leaves a file that plays, and can be repeated.
 *
 * Files of others that are in fragments only lose their torn tail. What is whole, or has no header yet, is left alone.
 * Samples beyond `bound` are not in the index; their bytes stay.
 */
export async function repairMp4(file: EditableFile, onProgress?: Progress, bound?: SampleBound): Promise<RepairReport> {
  const faults: Fault[] = []
  const window = new SourceWindow(file)
  const layout = await findLayout(window, faults)
  if (layout === undefined) {
    noteFault(faults, 'missing-header', 0, 'the file was cut off before its first fragment')
    return { changed: false, frames: 0, durationMs: 0, lostBytes: 0, faults }
  }
  const movie = await readMovie(window, layout.moov, faults)
  if (!movie.hasFragments) {
    const frames = await countSamples(window, movie)
    return { changed: false, frames, durationMs: toMs(movie.durationTicks, movie.timescale), lostBytes: 0, faults }
  }
  const scan = new FragmentScan(window, layout.moov.endOffset, faults)
  const { tracks, dataEnd } = await logFragments(window, scan, movie, { faults, onProgress, bound })
  const frames = tracks.reduce((sum, { log }) => sum + log.sampleCount, 0)
  const durationMs = tracks.reduce((longest, track) => Math.max(longest, endMs(track)), 0)
  const keptEnd = Math.max(scan.goodEnd, dataEnd) // nothing that a fragment speaks of goes
  const lostBytes = Math.max(0, (scan.appendedIndexAt ?? window.sizeBytes) - keptEnd)
  const isOurs = layout.reservedAt !== undefined && frames > 0 && (await countSamples(window, movie)) === 0
  if (isOurs) await finalise(file, layout, movie, tracks, keptEnd)
  else if (lostBytes > 0) {
    await file.truncate(keptEnd)
    await file.sync()
  }
  onProgress?.(window.sizeBytes, window.sizeBytes)
  return { changed: isOurs || lostBytes > 0, frames, durationMs, lostBytes, faults }
}

/** Appends the index, and only when it is on stable storage puts it to use. */
async function finalise(
  file: EditableFile,
  layout: Layout,
  movie: Movie,
  tracks: readonly IndexedTrack[],
  mediaEnd: number,
): Promise<void> {
  const reservedAt = layout.reservedAt ?? 0
  if (layout.hasLostIndex) {
    await file.write(reservedAt, reservedHead())
    await file.sync()
  }
  if (mediaEnd < file.sizeBytes) await file.truncate(mediaEnd)
  const { title, creationTimeMs } = movie
  const facts = {
    ...(title === undefined ? {} : { title }),
    ...(creationTimeMs === undefined ? {} : { creationTimeMs }),
  }
  let offset = mediaEnd
  for (const piece of movieIndex(facts, tracks)) {
    await file.write(offset, piece)
    offset += piece.length
  }
  await file.sync()
  await file.write(reservedAt, mediaHead(mediaEnd - reservedAt))
  await file.sync()
}

/** All samples of a file in fragments, and where the last of them ends. */
interface Logged {
  readonly tracks: readonly IndexedTrack[]
  readonly dataEnd: number
}

/** What goes along with a scan of fragments. */
interface Logging {
  readonly faults: Fault[]
  readonly onProgress: Progress | undefined
  readonly bound: SampleBound | undefined
}

/** Goes through all fragments. One that cannot be read is passed over, with a fault. */
async function logFragments(
  window: SourceWindow,
  scan: FragmentScan,
  movie: Movie,
  { faults, onProgress, bound }: Logging,
): Promise<Logged> {
  const tracks = new Map(movie.tracks.map((track) => [track.id, track]))
  const logs = new Map(movie.tracks.map((track) => [track.id, new SampleLog(track.timescale)]))
  const mostOf = (trackId: number) => bound?.get(trackId) ?? Number.POSITIVE_INFINITY
  const ends: TrackEnds = new Map()
  let toldAt = 0
  let dataEnd = 0
  for (let fragment = await scan.next(); fragment !== undefined; fragment = await scan.next()) {
    try {
      dataEnd = Math.max(dataEnd, logFragment(readFragment(fragment, tracks, ends, window.sizeBytes), logs, mostOf))
    } catch (error) {
      if (!(error instanceof TapedeckError)) throw error
      noteFault(faults, 'bad-fragment', fragment.offset, error.message)
    }
    if (fragment.endOffset - toldAt < PROGRESS_BYTES) continue
    toldAt = fragment.endOffset
    onProgress?.(toldAt, window.sizeBytes)
  }
  const logged = movie.tracks.map((track) => ({ ...track, log: logs.get(track.id) ?? new SampleLog(track.timescale) }))
  return { tracks: logged, dataEnd }
}

/** Returns where the last sample ends that is logged. */
function logFragment(
  runs: readonly SampleRun[],
  logs: ReadonlyMap<number, SampleLog>,
  mostOf: (trackId: number) => number,
): number {
  let dataEnd = 0
  for (const run of runs) {
    const { id, shiftTicks, entries } = run.track
    const log = logs.get(id)
    if (log === undefined || run.count === 0) continue
    if (run.defaults.description > entries.length) throw new MalformedError('tfhd', 'no such sample entry')
    const before = log.sampleCount
    const most = mostOf(id)
    for (const sample of runSamples(run)) {
      if (log.sampleCount >= most) break
      log.add(sample.dts + shiftTicks, sample.pts + shiftTicks, sample.key, sample.size)
      dataEnd = Math.max(dataEnd, sample.offset + sample.size)
    }
    const count = log.sampleCount - before
    if (count > 0) log.chunk(run.dataOffset, count, run.defaults.description)
  }
  return dataEnd
}

function endMs({ log, timescale }: IndexedTrack): number {
  return log.sampleCount === 0 ? 0 : toMs(log.maxPts + log.lastDuration, timescale)
}
