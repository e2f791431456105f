import type { EditableFile } from '../../media/ports.ts'
import { FaultList } from '../fault-list.ts'
import type { Progress, RepairReport } from '../reader.ts'
import type { SampleBound } from '../sample-bound.ts'
import { SourceWindow } from '../source-window.ts'
import { ClusterScanner, type MisstatedCluster } from './cluster-scanner.ts'
import { CueIndex } from './cue-index.ts'
import { longSize } from './ebml.ts'
import { VOID } from './elements.ts'
import { type Header, readHeader } from './header.ts'
import { completingPatches, type Patch, type Slots } from './layout.ts'
import { sampleMakers, segmentEnd } from './reader.ts'
import { TrackExtent } from './track-extent.ts'

/** Clusters without a size, or with a wrong one, that are mended; a file of ours has one at most. */
const MAX_MISSTATED = 4096
/** Blocks between two calls of `onProgress`. */
const PROGRESS_BLOCKS = 4096

/**
 * Makes a torn file whole, in place: cuts what is torn at its end and, in a file of ours, states the size of its last
 * Cluster, appends Cues, and fills in Duration, SeekHead and the Segment's size. Of a foreign file only the torn end is cut.
 *
 * Each step leaves the file playable, and a repair that was interrupted may be run again. A whole file is not touched,
 * and so a second repair of a torn one changes nothing. Damage in the middle is passed over and left as it is (fault
 * `garbage`): there a second repair may see it otherwise, since where the file ends has moved.
 * Blocks beyond `bound` become Void elements, of a file of ours.
 * @throws MalformedError when it is no Matroska, or its header is broken
 */
export async function repairMatroska(
  file: EditableFile,
  onProgress?: Progress,
  bound?: SampleBound,
): Promise<RepairReport> {
  const faults = new FaultList()
  const header = await readHeader(new SourceWindow(file), faults)
  const survey = await surveyOf(file, header, { faults, onProgress, bound: header.slots && bound })
  const report = { frames: survey.frames, durationMs: survey.durationMs, lostBytes: 0, faults: faults.all }
  if (survey.wholeEnd === undefined) return { ...report, changed: false }
  const lostBytes = survey.isTorn ? file.sizeBytes - survey.wholeEnd : 0
  if (lostBytes > 0) await file.truncate(survey.wholeEnd)
  const slots = survey.hasSequel ? undefined : header.slots
  const completed = slots !== undefined && (await complete(file, header, slots, survey, lostBytes > 0))
  if (lostBytes > 0 && !completed) await file.sync()
  return { ...report, lostBytes, changed: lostBytes > 0 || completed }
}

/** What the scan of a file found. */
type Survey = {
  /** Undefined when the file ends within its header. */
  readonly wholeEnd: number | undefined
  readonly isTorn: boolean
  /** Something was joined on: then there is no end to append Cues at. */
  readonly hasSequel: boolean
  readonly frames: number
  readonly durationMs: number
  readonly cues: CueIndex
  /** Whole Cues that are there already, behind the last Cluster. */
  readonly oldCues: { readonly offset: number; readonly end: number } | undefined
  readonly misstated: readonly MisstatedCluster[]
  /** Where blocks begin that are left out. */
  readonly leftOut: readonly number[]
}

/** What goes along with a scan of Clusters. */
type Surveying = {
  readonly faults: FaultList
  readonly onProgress: Progress | undefined
  readonly bound: SampleBound | undefined
}

async function surveyOf(file: EditableFile, header: Header, { faults, onProgress, bound }: Surveying): Promise<Survey> {
  const cues = new CueIndex()
  const misstated: MisstatedCluster[] = []
  const { bodyOffset } = header
  const leftOut: number[] = []
  const nothing = { isTorn: false, hasSequel: false, frames: 0, durationMs: 0, oldCues: undefined }
  if (bodyOffset === undefined) return { ...nothing, cues, misstated, leftOut, wholeEnd: undefined }
  const window = new SourceWindow(file)
  const makers = sampleMakers(header)
  const end = statedEnd(header, file.sizeBytes)
  const scanner = new ClusterScanner(window, bodyOffset, end, faults)
  scanner.onMisstated = (cluster) => {
    if (misstated.length < MAX_MISSTATED) misstated.push(cluster)
  }
  const extents = new Map<number, TrackExtent>()
  let frames = 0
  for (let blocks = 1; await scanner.next(); blocks++) {
    const { block } = scanner
    const maker = makers.get(block.trackNumber)
    if (maker === undefined) continue
    let extent = extents.get(block.trackNumber)
    if (extent === undefined) extents.set(block.trackNumber, (extent = new TrackExtent(maker.track.timescale)))
    if (extent.count >= (bound?.get(maker.track.id) ?? Number.POSITIVE_INFINITY)) {
      leftOut.push(block.offset)
      continue
    }
    for (const { pts } of await maker.all(block, window, faults)) {
      extent.add(pts, pts)
      frames++
    }
    if (header.slots !== undefined) {
      const cluster = block.clusterOffset - header.segmentOffset
      const relative = block.offset - block.clusterDataOffset
      cues.offer(block.trackNumber, maker.track.kind === 'video', block.key, block.timestamp, cluster, relative)
    }
    if (blocks % PROGRESS_BLOCKS === 0) onProgress?.(scanner.position, file.sizeBytes)
  }
  onProgress?.(file.sizeBytes, file.sizeBytes)
  const { wholeEnd, isTorn, hasSequel, cues: oldCues } = scanner
  const durationMs = Math.round(Math.max(0, ...[...extents.values()].map(({ endMs }) => endMs)))
  return { wholeEnd, isTorn, hasSequel, frames, durationMs, cues, oldCues, misstated, leftOut }
}

/** The Segment's stated end, unless the file goes on behind it by a mistake of ours. */
function statedEnd(header: Header, sizeBytes: number): number {
  const end = segmentEnd(header)
  return header.slots !== undefined && end !== sizeBytes ? Number.POSITIVE_INFINITY : end
}

/** Completes a file of ours. False when nothing was to be done. */
async function complete(
  file: EditableFile,
  header: Header,
  slots: Slots,
  survey: Survey,
  wasCut: boolean,
): Promise<boolean> {
  const patches: Patch[] = survey.misstated
    .filter(({ offset, headerBytes }) => headerBytes === 12 && offset + headerBytes <= file.sizeBytes)
    .map(({ offset, headerBytes, end }) => ({ offset: offset + 4, bytes: longSize(end - offset - headerBytes) }))
  for (const offset of survey.leftOut) patches.push({ offset, bytes: Uint8Array.of(VOID) }) // IDs of one byte, RFC 9559 §5.1.3
  let changed = await apply(file, patches)
  const { oldCues, cues } = survey
  let cuesOffset = oldCues?.offset
  if (cuesOffset === undefined && cues.length > 0) {
    cuesOffset = file.sizeBytes
    for (const piece of cues.pieces()) await file.write(file.sizeBytes, piece)
    changed = true
  }
  if (changed) await file.sync()
  // The Duration was written for what is there now, unless media went since.
  const isStillTrue =
    !wasCut && survey.leftOut.length === 0 && (oldCues !== undefined || segmentEnd(header) === file.sizeBytes)
  const stated = isStillTrue ? header.durationMs : undefined
  const durationMs = stated ?? (survey.frames > 0 ? survey.durationMs : undefined)
  const last = await apply(file, completingPatches(slots, { cuesOffset, durationMs, endOffset: file.sizeBytes }))
  if (last) await file.sync()
  return changed || last
}

/** Writes what is not there already. */
async function apply(file: EditableFile, patches: readonly Patch[]): Promise<boolean> {
  let changed = false
  for (const { offset, bytes } of patches) {
    if (Buffer.compare(await file.read(offset, bytes.length), bytes) === 0) continue
    await file.write(offset, bytes)
    changed = true
  }
  return changed
}
