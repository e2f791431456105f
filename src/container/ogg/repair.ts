import { OPUS_RATE_HZ } from '../../codec/opus.ts'
import { toMs } from '../../media/clock.ts'
import type { EditableFile } from '../../media/ports.ts'
import { FaultList } from '../fault-list.ts'
import type { Progress, RepairReport } from '../reader.ts'
import { VENDOR } from './opus-tags.ts'
import { asLastPage, FLAGS_AT, LAST_PAGE, PAGE_HEADER_BYTES } from './page.ts'
import { PageScanner } from './page-scanner.ts'
import { OggTimeline, readOggHeader } from './reader.ts'

/** Bytes between two calls of `onProgress`. */
const PROGRESS_BYTES = 1024 * 1024

/**
 * Mends an Ogg file in place: cuts what is no whole page at its end, and, in a file of ours, marks the last page as such. May be
 * repeated; a whole file is left alone.
 * @throws MalformedError when it is no Ogg
 * @throws UnsupportedError when there is no Opus in it
 */
export async function repairOgg(file: EditableFile, onProgress?: Progress): Promise<RepairReport> {
  const faults = new FaultList()
  const { sizeBytes } = file
  const { track, serial, tags } = await readOggHeader(file, faults)
  if (track === undefined) return { changed: false, frames: 0, durationMs: 0, lostBytes: 0, faults: faults.all }
  const own = new FaultList()
  const scanner = new PageScanner(file, 0, own)
  const timeline = new OggTimeline(track, own)
  let frames = 0
  let toldAt = 0
  let last: { readonly bytes: Uint8Array; readonly offset: number } | undefined
  for (let page = await scanner.next(); page !== undefined; page = await scanner.next()) {
    const bytes = scanner.bytes(page)
    if (page.serial === serial) {
      frames += timeline.samplesOf(page, bytes, scanner.offset).length
      last = { bytes: Uint8Array.from(bytes), offset: scanner.offset }
    }
    if (scanner.position - toldAt < PROGRESS_BYTES) continue
    toldAt = scanner.position
    onProgress?.(toldAt, sizeBytes)
  }
  const lostBytes = sizeBytes - scanner.wholeEnd
  if (lostBytes > 0) await file.truncate(scanner.wholeEnd)
  const isMarkDue =
    last !== undefined && tags?.vendor === VENDOR && frames > 0 && (last.bytes[FLAGS_AT] & LAST_PAGE) === 0
  if (last !== undefined && isMarkDue) {
    await file.write(last.offset + FLAGS_AT, asLastPage(last.bytes).subarray(FLAGS_AT, PAGE_HEADER_BYTES))
  }
  const changed = lostBytes > 0 || isMarkDue
  if (changed) await file.sync()
  onProgress?.(file.sizeBytes, file.sizeBytes)
  return { changed, frames, durationMs: toMs(timeline.endGranule, OPUS_RATE_HZ), lostBytes, faults: own.all }
}
