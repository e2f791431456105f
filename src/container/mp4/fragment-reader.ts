import { ByteReader } from '../../media/bytes.ts'
import { LimitError, MalformedError } from '../../media/errors.ts'
import { type Box, parseBoxes, readFullBox } from './box-reader.ts'
import {
  DEFAULT_BASE_IS_MOOF,
  SAMPLE_NON_SYNC_BIT,
  TFHD_BASE_OFFSET,
  TFHD_DEFAULT_DURATION,
  TFHD_DEFAULT_FLAGS,
  TFHD_DEFAULT_SIZE,
  TFHD_DESCRIPTION,
  TRUN_DATA_OFFSET,
  TRUN_DURATIONS,
  TRUN_FIRST_FLAGS,
  TRUN_FLAGS,
  TRUN_OFFSETS,
  TRUN_SIZES,
} from './fragment-flags.ts'
import type { Fragment } from './fragment-scan.ts'
import type { MovieTrack, SampleDefaults } from './movie-reader.ts'

/** Samples in one fragment, all tracks together. */
const MAX_SAMPLES = 1_000_000
/** The end of time, 17 years: beyond it durations in the finest movie timescale would not be safe integers. */
const MAX_SECONDS = 2 ** 29

/** Samples of one track that lie one behind the other. */
export interface SampleRun {
  readonly track: MovieTrack
  readonly defaults: SampleDefaults
  readonly flags: number
  readonly firstFlags: number
  readonly count: number
  readonly dataOffset: number
  /** Media time of the first sample, ticks. */
  readonly startTicks: number
  /** The fields of each sample. */
  readonly fields: Uint8Array
  readonly isSigned: boolean
}

/** Where reading stands in each track, for fragments that do not say when they begin: end of the last, by track id. */
export type TrackEnds = Map<number, number>

/**
 * All runs of a fragment in the order of their data in the file. Tracks that are not among `tracks` are passed over.
 * @throws MalformedError when boxes do not fit, or samples lie beyond `fileBytes`
 */
export function readFragment(
  fragment: Fragment,
  tracks: ReadonlyMap<number, MovieTrack>,
  ends: TrackEnds,
  fileBytes: number,
): SampleRun[] {
  const runs: SampleRun[] = []
  let dataEnd = fragment.offset
  let samples = 0
  for (const box of parseBoxes(fragment.moof, 'moof')) {
    if (box.type !== 'traf') continue
    const boxes = parseBoxes(box.payload, 'traf')
    const head = readHead(boxes, tracks)
    if (head === undefined) continue
    let ticks = readStart(boxes) ?? ends.get(head.track.id) ?? 0
    const base = head.base ?? (head.isMoofBased || runs.length === 0 ? fragment.offset : dataEnd)
    dataEnd = base
    for (const trun of boxes) {
      if (trun.type !== 'trun') continue
      const run = readRun(trun, head, base, dataEnd, ticks)
      if ((samples += run.count) > MAX_SAMPLES)
        throw new LimitError('mp4 samples in a fragment', { limit: MAX_SAMPLES })
      const sums = addUp(run)
      dataEnd = run.dataOffset + sums.bytes
      ticks += sums.ticks
      if (ticks > MAX_SECONDS * head.track.timescale) throw new MalformedError('traf', `time ${ticks} is out of range`)
      if (run.dataOffset < 0 || dataEnd > fileBytes)
        throw new MalformedError('trun', 'samples beyond the end of the file')
      runs.push(run)
    }
    ends.set(head.track.id, ticks)
  }
  return runs.sort((a, b) => a.dataOffset - b.dataOffset)
}

/** One sample of a run. Reused: valid until the next one is asked for. */
export interface RunSample {
  /** Media times, ticks: the edit list not applied. */
  dts: number
  pts: number
  key: boolean
  offset: number
  size: number
}

/** The samples of a run. */
export function* runSamples(run: SampleRun): Generator<RunSample> {
  const reader = new ByteReader(run.fields, 'trun')
  const { flags, defaults } = run
  const sample: RunSample = { dts: run.startTicks, pts: 0, key: true, offset: run.dataOffset, size: 0 }
  for (let i = 0; i < run.count; i++) {
    const duration = (flags & TRUN_DURATIONS) !== 0 ? reader.u32() : defaults.duration
    sample.size = (flags & TRUN_SIZES) !== 0 ? reader.u32() : defaults.size
    const own = (flags & TRUN_FLAGS) !== 0 ? reader.u32() : defaults.flags
    const sampleFlags = i === 0 && (flags & TRUN_FIRST_FLAGS) !== 0 ? run.firstFlags : own
    const shift = (flags & TRUN_OFFSETS) === 0 ? 0 : run.isSigned ? reader.i32() : reader.u32()
    sample.key = (sampleFlags & SAMPLE_NON_SYNC_BIT) === 0
    sample.pts = sample.dts + shift
    yield sample
    sample.dts += duration
    sample.offset += sample.size
  }
}

interface FragmentHead {
  readonly track: MovieTrack
  readonly defaults: SampleDefaults
  readonly base: number | undefined
  readonly isMoofBased: boolean
}

/** `tfhd`, §8.8.7. */
function readHead(boxes: readonly Box[], tracks: ReadonlyMap<number, MovieTrack>): FragmentHead | undefined {
  const box = boxes.find(({ type }) => type === 'tfhd')
  if (box === undefined) throw new MalformedError('traf', 'tfhd is missing')
  const { flags, reader } = readFullBox(box.payload, 'tfhd')
  const track = tracks.get(reader.u32())
  if (track === undefined) return undefined
  const base = (flags & TFHD_BASE_OFFSET) !== 0 ? reader.u64() : undefined
  const { defaults } = track
  return {
    track,
    base,
    isMoofBased: (flags & DEFAULT_BASE_IS_MOOF) !== 0,
    defaults: {
      description: (flags & TFHD_DESCRIPTION) !== 0 ? reader.u32() : defaults.description,
      duration: (flags & TFHD_DEFAULT_DURATION) !== 0 ? reader.u32() : defaults.duration,
      size: (flags & TFHD_DEFAULT_SIZE) !== 0 ? reader.u32() : defaults.size,
      flags: (flags & TFHD_DEFAULT_FLAGS) !== 0 ? reader.u32() : defaults.flags,
    },
  }
}

/** `tfdt`, §8.8.12. */
function readStart(boxes: readonly Box[]): number | undefined {
  const box = boxes.find(({ type }) => type === 'tfdt')
  if (box === undefined) return undefined
  const { version, reader } = readFullBox(box.payload, 'tfdt')
  return version === 1 ? reader.u64() : reader.u32()
}

/** `trun`, §8.8.8. */
function readRun(box: Box, head: FragmentHead, base: number, dataEnd: number, startTicks: number): SampleRun {
  const { version, flags, reader } = readFullBox(box.payload, 'trun')
  const count = reader.u32()
  const dataOffset = (flags & TRUN_DATA_OFFSET) !== 0 ? base + reader.i32() : dataEnd
  const firstFlags = (flags & TRUN_FIRST_FLAGS) !== 0 ? reader.u32() : 0
  const fields = reader.rest()
  if (count * fieldBytes(flags) > fields.length) reader.fail('more samples than fields')
  if (count > 1 && (flags & TRUN_SIZES) === 0 && head.defaults.size === 0) reader.fail('samples without a size')
  const { track, defaults } = head
  return { track, defaults, flags, firstFlags, count, dataOffset, startTicks, fields, isSigned: version > 0 }
}

function fieldBytes(flags: number): number {
  let bytes = 0
  for (const field of [TRUN_DURATIONS, TRUN_SIZES, TRUN_FLAGS, TRUN_OFFSETS]) if ((flags & field) !== 0) bytes += 4
  return bytes
}

/** Duration and size of a whole run. */
function addUp(run: SampleRun): { ticks: number; bytes: number } {
  const { flags, count, defaults } = run
  let ticks = (flags & TRUN_DURATIONS) === 0 ? defaults.duration * count : 0
  let bytes = (flags & TRUN_SIZES) === 0 ? defaults.size * count : 0
  if (ticks > 0 && bytes > 0) return { ticks, bytes }
  const reader = new ByteReader(run.fields, 'trun')
  const stride = fieldBytes(flags)
  for (let at = 0; at < count * stride; at += stride) {
    reader.offset = at
    if ((flags & TRUN_DURATIONS) !== 0) ticks += reader.u32()
    if ((flags & TRUN_SIZES) !== 0) bytes += reader.u32()
  }
  return { ticks, bytes }
}
