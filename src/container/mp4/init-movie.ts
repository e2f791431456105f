import type { ByteWriter } from '../../media/bytes.ts'
import { beginBox, beginFullBox, endBox } from './box-writer.ts'
import { type MovieFacts, type TrackFacts, writeMovieHeader, writeMovieTags, writeTrackHead } from './movie-box.ts'

/** Empty `stts`, `stsc`, `stsz` and `stco` */
const EMPTY_TABLE_BYTES = 16 + 16 + 20 + 16

/** A track of a movie in fragments. */
export interface FragmentedTrack extends TrackFacts {
  /** Media time at which the presentation begins, ticks: more than 0 where decoding starts before it. */
  readonly leadTicks: number
}

/** The `moov` of a movie whose samples are all in fragments (ISO 14496-12 §8.8). */
export function writeInitMovie(out: ByteWriter, movie: MovieFacts, tracks: readonly FragmentedTrack[]): void {
  const moov = beginBox(out, 'moov')
  writeMovieHeader(out, movie)
  for (const track of tracks) {
    const edits = track.leadTicks > 0 ? [{ durationTicks: 0, mediaTicks: track.leadTicks }] : []
    writeTrackHead(out, movie, track, { mediaTicks: 0, presentationTicks: 0, edits }, EMPTY_TABLE_BYTES)
    for (const table of ['stts', 'stsc']) {
      const at = beginFullBox(out, table, 0, 0)
      out.u32(0)
      endBox(out, at)
    }
    const stsz = beginFullBox(out, 'stsz', 0, 0)
    out.u32(0).u32(0)
    endBox(out, stsz)
    const stco = beginFullBox(out, 'stco', 0, 0)
    out.u32(0)
    endBox(out, stco)
  }
  const mvex = beginBox(out, 'mvex')
  for (const track of tracks) {
    const trex = beginFullBox(out, 'trex', 0, 0)
    out.u32(track.id).u32(1).zero(12) // default_sample_description_index 1, the rest is in each fragment
    endBox(out, trex)
  }
  endBox(out, mvex)
  writeMovieTags(out, movie.title)
  endBox(out, moov)
}
