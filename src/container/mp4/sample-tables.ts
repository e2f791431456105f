import type { ByteWriter } from '../../media/bytes.ts'
import { beginFullBox, endBox } from './box-writer.ts'
import type { SampleLog } from './sample-log.ts'
import { unzigzag } from './varint-log.ts'

const MAX_U32 = 0xffffffff
/** Pieces are handed on when they have grown to about this, bytes. */
const PIECE_BYTES = 128 * 1024

/** How many entries each sample table of a track has. */
export interface TableCounts {
  readonly samples: number
  readonly durationRuns: number
  /** 0 where no sample is shown at another time than it is decoded. */
  readonly offsetRuns: number
  readonly chunkShapes: number
  /** Undefined where every sample is a key. */
  readonly keys: number | undefined
  readonly chunks: number
  /** Chunk offsets need 64 bits. */
  readonly wide: boolean
  /** Size of every sample, or 0 where they differ. */
  readonly uniformSize: number
}

/** So that the sizes of boxes are known before the boxes are written. */
export function countTables(log: SampleLog): TableCounts {
  return {
    samples: log.sampleCount,
    durationRuns: log.durations.lengthWith(log.lastDuration),
    offsetRuns: hasOffsets(log) ? log.offsets.length : 0,
    chunkShapes: log.chunkShapeCount,
    keys: log.keyCount === log.sampleCount ? undefined : log.keyCount,
    chunks: log.chunkCount,
    wide: log.maxChunkOffset > MAX_U32,
    uniformSize: log.uniformSize,
  }
}

/** Size of all sample tables after `stsd`, bytes. */
export function tableBytes(counts: TableCounts): number {
  const stts = 16 + 8 * counts.durationRuns
  const ctts = counts.offsetRuns === 0 ? 0 : 16 + 8 * counts.offsetRuns
  const stss = counts.keys === undefined ? 0 : 16 + 4 * counts.keys
  const stsc = 16 + 12 * counts.chunkShapes
  const stsz = 20 + (counts.uniformSize > 0 ? 0 : 4 * counts.samples)
  const offsets = 16 + (counts.wide ? 8 : 4) * counts.chunks
  return stts + ctts + stss + stsc + stsz + offsets
}

/**
 * Writes the tables behind what `out` holds already. Whenever that is enough for a piece it is handed on and `out` is
 * emptied; what remains at the end stays in `out`.
 */
export function* tablePieces(out: ByteWriter, log: SampleLog, counts: TableCounts): Generator<Uint8Array> {
  yield* durationTable(out, log, counts)
  if (counts.offsetRuns > 0) yield* offsetTable(out, log, counts)
  if (counts.keys !== undefined) yield* keyTable(out, log, counts.keys)
  yield* chunkTable(out, log, counts)
  yield* sizeTable(out, log, counts)
  yield* chunkOffsetTable(out, log, counts)
}

/** Some sample is shown at another time than it is decoded, once no offset is negative. */
function hasOffsets({ offsets, maxReorder }: SampleLog): boolean {
  if (offsets.length > 1) return true
  const only = offsets.runs()
  return only.next() && unzigzag(only.value) + maxReorder !== 0
}

/** `stts`, ISO 14496-12 §8.6.1.2. */
function durationTable(out: ByteWriter, log: SampleLog, counts: TableCounts): Generator<Uint8Array> {
  const runs = log.durations.runs(log.lastDuration)
  beginTable(out, 'stts', 8, counts.durationRuns)
  return entries(out, 8, counts.durationRuns, (count) => {
    for (let i = 0; i < count && runs.next(); i++) out.u32(runs.count).u32(runs.value)
  })
}

/** `ctts`, §8.6.1.3: version 0, since no offset is negative. */
function offsetTable(out: ByteWriter, log: SampleLog, counts: TableCounts): Generator<Uint8Array> {
  const runs = log.offsets.runs()
  const { maxReorder } = log
  beginTable(out, 'ctts', 8, counts.offsetRuns)
  return entries(out, 8, counts.offsetRuns, (count) => {
    for (let i = 0; i < count && runs.next(); i++) out.u32(runs.count).u32(unzigzag(runs.value) + maxReorder)
  })
}

/** `stss`, §8.6.2. */
function keyTable(out: ByteWriter, log: SampleLog, keys: number): Generator<Uint8Array> {
  const runs = log.keys.runs()
  let number = 1
  let left = 0
  beginTable(out, 'stss', 4, keys)
  return entries(out, 4, keys, (count) => {
    for (let i = 0; i < count; i++) {
      while (left === 0 && runs.next()) {
        if (runs.value === 1) left = runs.count
        else number += runs.count
      }
      left--
      out.u32(number++)
    }
  })
}

/** `stsc`, §8.7.4. */
function chunkTable(out: ByteWriter, log: SampleLog, counts: TableCounts): Generator<Uint8Array> {
  const shapes = log.chunkShapes.reader()
  let firstChunk = 1
  beginTable(out, 'stsc', 12, counts.chunkShapes)
  return entries(out, 12, counts.chunkShapes, (count) => {
    for (let i = 0; i < count; i++) {
      firstChunk += shapes.next()
      out.u32(firstChunk).u32(shapes.next()).u32(shapes.next())
    }
  })
}

/** `stsz`, §8.7.3.2. */
function sizeTable(out: ByteWriter, log: SampleLog, counts: TableCounts): Generator<Uint8Array> {
  const listed = counts.uniformSize > 0 ? 0 : counts.samples
  const sizes = log.sizes.reader()
  const at = beginFullBox(out, 'stsz', 0, 0)
  out.u32(counts.uniformSize).u32(counts.samples)
  endBox(out, at, 4 * listed)
  return entries(out, 4, listed, (count) => {
    for (let i = 0; i < count; i++) out.u32(sizes.next())
  })
}

/** `stco` or `co64`, §8.7.5. */
function chunkOffsetTable(out: ByteWriter, log: SampleLog, counts: TableCounts): Generator<Uint8Array> {
  const { chunks, wide } = counts
  const steps = log.chunkSteps.reader()
  const entryBytes = wide ? 8 : 4
  let offset = 0
  beginTable(out, wide ? 'co64' : 'stco', entryBytes, chunks)
  return entries(out, entryBytes, chunks, (count) => {
    for (let i = 0; i < count; i++) {
      offset += unzigzag(steps.next())
      if (wide) out.u64(offset)
      else out.u32(offset)
    }
  })
}

function beginTable(out: ByteWriter, type: string, entryBytes: number, count: number): void {
  const at = beginFullBox(out, type, 0, 0)
  out.u32(count)
  endBox(out, at, entryBytes * count)
}

/** Has `put` write all entries, as many at a time as there is room for in a piece. */
function* entries(
  out: ByteWriter,
  entryBytes: number,
  total: number,
  put: (count: number) => void,
): Generator<Uint8Array> {
  for (let left = total; left > 0; ) {
    const count = Math.min(left, Math.max(1, Math.ceil((PIECE_BYTES - out.length) / entryBytes)))
    put(count)
    left -= count
    if (out.length < PIECE_BYTES) continue
    yield out.view()
    out.clear()
  }
}
