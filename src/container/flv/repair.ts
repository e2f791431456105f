import type { EditableFile } from '../../media/ports.ts'
import type { Progress, RepairReport, Sample } from '../reader.ts'
import { FileFacts, type TrackFacts } from './file-facts.ts'
import { fitMetadata, INDEX_ENTRY_BYTES } from './metadata.ts'
import { type FlvReader, openFlv, type PassEnd, type PlacedMetadata } from './reader.ts'
import { FILE_HEADER_BYTES, PREVIOUS_TAG_SIZE_BYTES, TAG_HEADER_BYTES, writePreviousTagSize } from './tag-header.ts'

/** Tags between two calls of `onProgress`. */
const PROGRESS_TAGS = 1000
/** More than this behind the last whole tag is not what a crash leaves: a tag is 16 MiB at most, and a write less. */
const MAX_TAIL_BYTES = 64 * 1024 * 1024

/**
 * Mends an FLV file in place: cuts the torn tail, and completes duration, size and keyframe index where our own metadata
 * has room for them. Media bytes are never moved, the metadata of other writers is left alone. May be repeated, also
 * after a crash within it.
 * @throws MalformedError when the file does not even begin as FLV
 */
export async function repairFlv(file: EditableFile, onProgress?: Progress): Promise<RepairReport> {
  const sizeBytes = file.sizeBytes
  if (sizeBytes < FILE_HEADER_BYTES + PREVIOUS_TAG_SIZE_BYTES) return tooShort(sizeBytes)
  const reader = await openFlv(file)
  const wasFinalised = reader.finalised
  const { facts, end } = await gather(reader, sizeBytes, onProgress)
  const mendedBytes = await mendTail(file, end, sizeBytes)
  const isTailMended = mendedBytes !== undefined
  const lostBytes = isTailMended ? sizeBytes - end.unitEnd : 0
  const { metadata } = reader
  const isDue = isTailMended || !wasFinalised
  const isPatched =
    isDue && metadata?.isOurs === true && (await completeMetadata(file, metadata, facts, mendedBytes ?? sizeBytes))
  const changed = isTailMended || isPatched
  if (changed) await file.sync()
  onProgress?.(sizeBytes, sizeBytes)
  return { changed, frames: facts.frames, durationMs: facts.durationMs, lostBytes, faults: reader.faults }
}

/** Nothing has been lost: not even the file header had been written out. */
function tooShort(sizeBytes: number): RepairReport {
  const fault = { kind: 'torn-tail', offset: 0, message: `${sizeBytes} bytes are less than the header of an FLV file` }
  return { changed: false, frames: 0, durationMs: 0, lostBytes: 0, faults: [fault] }
}

async function gather(
  reader: FlvReader,
  sizeBytes: number,
  onProgress: Progress | undefined,
): Promise<{ facts: FileFacts; end: PassEnd }> {
  const facts = new FileFacts(Math.max(1, Math.floor((reader.metadata?.bodyBytes ?? 0) / INDEX_ENTRY_BYTES)))
  const tracks = new Map<number, TrackFacts>()
  const end: PassEnd = { tagEnd: sizeBytes, tagBytes: 0, unitEnd: sizeBytes, isTrailerWhole: true }
  let leadId: number | undefined
  let tagOffset = 0
  let tags = 0
  const onTag = (offset: number) => {
    tagOffset = offset
    if (tags++ % PROGRESS_TAGS === 0) onProgress?.(offset, sizeBytes)
    return true
  }
  for await (const sample of reader.pass(end, onTag)) {
    count(facts, tracks, sample)
    if (sample.track.kind !== 'video') continue
    leadId ??= sample.track.id
    if (sample.key && sample.track.id === leadId) facts.index.note(sample.dts, tagOffset)
  }
  return { facts, end }
}

function count(facts: FileFacts, tracks: Map<number, TrackFacts>, sample: Sample): void {
  let track = tracks.get(sample.track.id)
  if (track === undefined) tracks.set(sample.track.id, (track = facts.addTrack(sample.track.kind)))
  track.count(sample.dts, sample.pts, sample.size)
}

/**
 * Cuts behind the last whole tag, and puts its size there if that is not whole. Returns how large the file is
 * then, undefined when nothing was done.
 * Where no tag at all is whole, or more is left than a torn tag explains, nothing is cut: better to keep what we do not know.
 */
async function mendTail(file: EditableFile, end: PassEnd, sizeBytes: number): Promise<number | undefined> {
  const isKnown = end.tagBytes > 0 && sizeBytes - end.unitEnd <= MAX_TAIL_BYTES
  if (!isKnown || (end.isTrailerWhole && end.unitEnd === sizeBytes)) return undefined
  const mendedBytes = end.isTrailerWhole ? end.unitEnd : end.tagEnd + PREVIOUS_TAG_SIZE_BYTES
  if (mendedBytes < sizeBytes) await file.truncate(mendedBytes)
  if (!end.isTrailerWhole) {
    const trailer = new Uint8Array(PREVIOUS_TAG_SIZE_BYTES)
    writePreviousTagSize(trailer, end.tagBytes - TAG_HEADER_BYTES)
    await file.write(end.tagEnd, trailer)
  }
  return mendedBytes
}

/** Writes the metadata again, complete, where it stands. False where it is so already, or has no room. */
async function completeMetadata(
  file: EditableFile,
  metadata: PlacedMetadata,
  facts: FileFacts,
  sizeBytes: number,
): Promise<boolean> {
  const members = { ...metadata.members, ...facts.toAmf(sizeBytes), hasKeyframes: facts.index.length > 1 }
  const body = fitMetadata(members, facts.index, metadata.bodyBytes)
  if (body === undefined || Buffer.compare(body, await file.read(metadata.bodyOffset, body.length)) === 0) return false
  await file.write(metadata.bodyOffset, body)
  return true
}
