import type { ByteWriter } from '../../media/bytes.ts'
import { beginFullBox, endBox } from './box-writer.ts'
import type { SampleLog } from './sample-log.ts'
import { chunkRuns, durationRuns, offsetRuns } from './sample-runs.ts'

const MAX_U32 = 0xffffffff
/** Pieces are handed on when they have grown to this, bytes. */
const PIECE_BYTES = 48 * 1024

/** How many entries each sample table of a track has. */
export interface TableCounts {
  readonly samples: number
  readonly durationRuns: number
  /** 0 where no sample is shown at another time than it is decoded. */
  readonly offsetRuns: number
  readonly chunkRuns: number
  /** Undefined where every sample is a key. */
  readonly keys: number | undefined
  readonly chunks: number
  /** Chunk offsets need 64 bits. */
  readonly wide: boolean
  /** Size of every sample, or 0 where they differ. */
  readonly uniformSize: number
}

/** Goes through the log, so that the sizes of boxes are known before the boxes are written. */
export function countTables(log: SampleLog): TableCounts {
  let offsets = 0
  let hasOffsets = false
  for (const { value } of offsetRuns(log)) {
    offsets++
    hasOffsets ||= value !== 0
  }
  return {
    samples: log.sampleCount,
    durationRuns: count(durationRuns(log)),
    offsetRuns: hasOffsets ? offsets : 0,
    chunkRuns: count(chunkRuns(log)),
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
  const stsc = 16 + 12 * counts.chunkRuns
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

/** `stts`, ISO 14496-12 §8.6.1.2. */
function* durationTable(out: ByteWriter, log: SampleLog, counts: TableCounts): Generator<Uint8Array> {
  beginTable(out, 'stts', 8 * counts.durationRuns, counts.durationRuns)
  for (const run of durationRuns(log)) {
    out.u32(run.count).u32(run.value)
    if (out.length >= PIECE_BYTES) yield* handOn(out)
  }
}

/** `ctts`, §8.6.1.3: version 0, since no offset is negative. */
function* offsetTable(out: ByteWriter, log: SampleLog, counts: TableCounts): Generator<Uint8Array> {
  beginTable(out, 'ctts', 8 * counts.offsetRuns, counts.offsetRuns)
  for (const run of offsetRuns(log)) {
    out.u32(run.count).u32(run.value)
    if (out.length >= PIECE_BYTES) yield* handOn(out)
  }
}

/** `stss`, §8.6.2. */
function* keyTable(out: ByteWriter, log: SampleLog, keys: number): Generator<Uint8Array> {
  beginTable(out, 'stss', 4 * keys, keys)
  const samples = log.samples()
  for (let number = 1; samples.next(); number++) {
    if (!samples.key) continue
    out.u32(number)
    if (out.length >= PIECE_BYTES) yield* handOn(out)
  }
}

/** `stsc`, §8.7.4. */
function* chunkTable(out: ByteWriter, log: SampleLog, counts: TableCounts): Generator<Uint8Array> {
  beginTable(out, 'stsc', 12 * counts.chunkRuns, counts.chunkRuns)
  for (const run of chunkRuns(log)) {
    out.u32(run.firstChunk).u32(run.samplesPerChunk).u32(run.description)
    if (out.length >= PIECE_BYTES) yield* handOn(out)
  }
}

/** `stsz`, §8.7.3.2. */
function* sizeTable(out: ByteWriter, log: SampleLog, counts: TableCounts): Generator<Uint8Array> {
  const sizes = counts.uniformSize > 0 ? 0 : counts.samples
  const at = beginFullBox(out, 'stsz', 0, 0)
  out.u32(counts.uniformSize).u32(counts.samples)
  endBox(out, at, 4 * sizes)
  if (sizes === 0) return
  const samples = log.samples()
  while (samples.next()) {
    out.u32(samples.sizeBytes)
    if (out.length >= PIECE_BYTES) yield* handOn(out)
  }
}

/** `stco` or `co64`, §8.7.5. */
function* chunkOffsetTable(out: ByteWriter, log: SampleLog, counts: TableCounts): Generator<Uint8Array> {
  beginTable(out, counts.wide ? 'co64' : 'stco', (counts.wide ? 8 : 4) * counts.chunks, counts.chunks)
  const chunks = log.chunks()
  while (chunks.next()) {
    if (counts.wide) out.u64(chunks.offset)
    else out.u32(chunks.offset)
    if (out.length >= PIECE_BYTES) yield* handOn(out)
  }
}

function beginTable(out: ByteWriter, type: string, entryBytes: number, entries: number): void {
  const at = beginFullBox(out, type, 0, 0)
  out.u32(entries)
  endBox(out, at, entryBytes)
}

function* handOn(out: ByteWriter): Generator<Uint8Array> {
  yield out.view()
  out.clear()
}

function count(runs: Iterable<unknown>): number {
  let total = 0
  for (const _ of runs) total++
  return total
}
