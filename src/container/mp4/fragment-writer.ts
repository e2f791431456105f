import type { ByteWriter } from '../../media/bytes.ts'
import { beginBox, beginFullBox, endBox } from './box-writer.ts'
import {
  DEFAULT_BASE_IS_MOOF,
  SAMPLE_IS_DEPENDENT,
  SAMPLE_IS_SYNC,
  TFHD_DEFAULT_FLAGS,
  TFHD_DESCRIPTION,
  TRUN_DATA_OFFSET,
  TRUN_DURATIONS,
  TRUN_FLAGS,
  TRUN_OFFSETS,
  TRUN_SIZES,
} from './fragment-flags.ts'
import type { MuxedTrack } from './muxed-track.ts'

/** Size and type of an `mdat` */
const MDAT_HEADER_BYTES = 8

/** What is known of the track whose next frame closes a fragment. */
export interface NextFrame {
  readonly track: MuxedTrack
  readonly dts: number
}

/**
 * Writes the `moof` (ISO 14496-12 §8.8.4) of all frames that the tracks have gathered, and the header of the `mdat` in
 * which their data follow, track by track. The samples must be in the tracks' logs already.
 */
export function writeFragmentHead(
  out: ByteWriter,
  sequence: number,
  tracks: readonly MuxedTrack[],
  mediaBytes: number,
  next: NextFrame | undefined,
): void {
  const moof = beginBox(out, 'moof')
  const mfhd = beginFullBox(out, 'mfhd', 0, 0)
  out.u32(sequence)
  endBox(out, mfhd)
  const moofBytes = 8 + 16 + tracks.reduce((sum, track) => sum + trafBytes(track), 0)
  let dataOffset = moofBytes + MDAT_HEADER_BYTES
  for (const track of tracks) {
    writeTrackFragment(out, track, dataOffset, next?.track === track ? next.dts : undefined)
    for (let i = 0; i < track.frames.length; i++) dataOffset += track.frames[i].data.length
  }
  endBox(out, moof)
  out.u32(MDAT_HEADER_BYTES + mediaBytes).ascii('mdat')
}

function trafBytes(track: MuxedTrack): number {
  const tfhd = 20 + (track.description > 1 ? 4 : 0)
  return 8 + tfhd + 20 + 20 + sampleBytes(runFlags(track)) * track.frames.length
}

/** `traf`, §8.8.6, with one `tfhd`, `tfdt` and `trun`. */
function writeTrackFragment(out: ByteWriter, track: MuxedTrack, dataOffset: number, nextDts: number | undefined): void {
  const traf = beginBox(out, 'traf')
  const hasDescription = track.description > 1
  const flags = DEFAULT_BASE_IS_MOOF | TFHD_DEFAULT_FLAGS | (hasDescription ? TFHD_DESCRIPTION : 0)
  const tfhd = beginFullBox(out, 'tfhd', 0, flags)
  out.u32(track.id)
  if (hasDescription) out.u32(track.description)
  out.u32(SAMPLE_IS_SYNC)
  endBox(out, tfhd)
  const tfdt = beginFullBox(out, 'tfdt', 1, 0)
  out.u64(Math.max(0, track.frames[0].dts + track.decodeShift))
  endBox(out, tfdt)
  writeRun(out, track, dataOffset, nextDts)
  endBox(out, traf)
}

/** `trun`, §8.8.8: version 1, so that composition offsets may be negative. */
function writeRun(out: ByteWriter, track: MuxedTrack, dataOffset: number, nextDts: number | undefined): void {
  const { frames, reorderShift } = track
  const flags = runFlags(track)
  const trun = beginFullBox(out, 'trun', 1, flags)
  out.u32(frames.length).u32(dataOffset)
  for (let i = 0; i < frames.length; i++) {
    const frame = frames[i]
    const following = i + 1 < frames.length ? frames[i + 1].dts : nextDts
    const duration = following === undefined ? track.log.lastDuration : following - frame.dts
    out.u32(Math.max(0, duration)).u32(frame.data.length)
    if ((flags & TRUN_FLAGS) !== 0) out.u32(frame.key ? SAMPLE_IS_SYNC : SAMPLE_IS_DEPENDENT)
    if ((flags & TRUN_OFFSETS) !== 0) out.i32(frame.pts - frame.dts + reorderShift)
  }
  endBox(out, trun)
}

/** Which fields each sample of a track's run has. */
function runFlags(track: MuxedTrack): number {
  const { frames, reorderShift } = track
  let flags = TRUN_DATA_OFFSET | TRUN_DURATIONS | TRUN_SIZES
  for (let i = 0; i < frames.length; i++) {
    const frame = frames[i]
    if (!frame.key) flags |= TRUN_FLAGS
    if (frame.pts !== frame.dts || reorderShift !== 0) flags |= TRUN_OFFSETS
  }
  return flags
}

function sampleBytes(flags: number): number {
  return 8 + ((flags & TRUN_FLAGS) !== 0 ? 4 : 0) + ((flags & TRUN_OFFSETS) !== 0 ? 4 : 0)
}
