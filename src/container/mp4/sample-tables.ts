import { endianness } from 'node:os'
import type { ByteWriter } from '../../media/bytes.ts'
import { beginFullBox, endBox } from './box-writer.ts'
import type { SampleLog } from './sample-log.ts'
import { ChunkOffsetEntries, ChunkShapeEntries, KeyEntries, OffsetEntries, type TableEntries } from './table-entries.ts'

/** Of this machine; fields in files are the other way round. */
const IS_LITTLE_ENDIAN = endianness() === 'LE'
const MAX_U32 = 0xffffffff
/** A piece is not larger, bytes; heads of tracks aside. */
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
 * Writes the tables behind what `out` holds already. What is enough for a piece is handed on, and `out` is emptied before;
 * what remains at the end stays in `out`.
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
  return offsets.length > 1 || offsets.value + maxReorder !== 0
}

/** `stts`, ISO 14496-12 §8.6.1.2. */
function durationTable(out: ByteWriter, log: SampleLog, counts: TableCounts): Generator<Uint8Array> {
  beginTable(out, 'stts', 8, counts.durationRuns)
  return entries(out, 8, counts.durationRuns, log.durations.reader(log.lastDuration))
}

/** `ctts`, §8.6.1.3: version 0, since no offset is negative. */
function offsetTable(out: ByteWriter, log: SampleLog, counts: TableCounts): Generator<Uint8Array> {
  beginTable(out, 'ctts', 8, counts.offsetRuns)
  return entries(out, 8, counts.offsetRuns, new OffsetEntries(log.offsets.reader(), log.maxReorder))
}

/** `stss`, §8.6.2. */
function keyTable(out: ByteWriter, log: SampleLog, keys: number): Generator<Uint8Array> {
  beginTable(out, 'stss', 4, keys)
  return entries(out, 4, keys, new KeyEntries(log.keys.reader(), log.keys.length))
}

/** `stsc`, §8.7.4. */
function chunkTable(out: ByteWriter, log: SampleLog, counts: TableCounts): Generator<Uint8Array> {
  beginTable(out, 'stsc', 12, counts.chunkShapes)
  return entries(out, 12, counts.chunkShapes, new ChunkShapeEntries(log.chunkShapes.reader()))
}

/** `stsz`, §8.7.3.2. */
function sizeTable(out: ByteWriter, log: SampleLog, counts: TableCounts): Generator<Uint8Array> {
  const listed = counts.uniformSize > 0 ? 0 : counts.samples
  const at = beginFullBox(out, 'stsz', 0, 0)
  out.u32(counts.uniformSize).u32(counts.samples)
  endBox(out, at, 4 * listed)
  return entries(out, 4, listed, log.sizes.reader())
}

/** `stco` or `co64`, §8.7.5. */
function chunkOffsetTable(out: ByteWriter, log: SampleLog, { chunks, wide }: TableCounts): Generator<Uint8Array> {
  const entryBytes = wide ? 8 : 4
  beginTable(out, wide ? 'co64' : 'stco', entryBytes, chunks)
  return entries(out, entryBytes, chunks, new ChunkOffsetEntries(log.chunkSteps.reader(), wide))
}

function beginTable(out: ByteWriter, type: string, entryBytes: number, count: number): void {
  const at = beginFullBox(out, type, 0, 0)
  out.u32(count)
  endBox(out, at, entryBytes * count)
}

/** Writes `count` entries, some at a time. What makes no piece goes behind `out`. */
function* entries(out: ByteWriter, entryBytes: number, count: number, table: TableEntries): Generator<Uint8Array> {
  const pieceBytes = entryBytes * Math.min(count, Math.floor(PIECE_BYTES / entryBytes))
  const fields = new Uint32Array(pieceBytes / 4)
  for (let left = count * entryBytes; left > 0; ) {
    const bytes = Math.min(left, pieceBytes)
    table.fill(fields.subarray(0, bytes / 4))
    const piece = Buffer.from(fields.buffer, 0, bytes)
    if (IS_LITTLE_ENDIAN) piece.swap32()
    left -= bytes
    if (out.length + bytes <= PIECE_BYTES) {
      out.put(piece)
      continue
    }
    yield out.view()
    out.clear()
    yield piece
  }
}
