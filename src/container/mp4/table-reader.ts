import { ByteReader } from '../../media/bytes.ts'
import { MalformedError } from '../../media/errors.ts'
import type { Movie, MovieTrack } from './movie-reader.ts'
import type { SourceWindow } from './source-window.ts'
import { openTable, TableCursor } from './table-cursor.ts'

/** Version, flags, sample_size and sample_count of an `stsz`, ISO 14496-12 §8.7.3.2 */
const STSZ_HEAD_BYTES = 12

/** How many samples the tables of a movie list. @throws MalformedError */
export async function countSamples(window: SourceWindow, movie: Movie): Promise<number> {
  let samples = 0
  for (const track of movie.tracks) samples += (await readSizes(window, track)).count
  return samples
}

/** Opens the sample tables of a track; undefined when they are empty. @throws MalformedError */
export async function openTables(window: SourceWindow, track: MovieTrack): Promise<TableReader | undefined> {
  const { tables } = track
  const sizes = await readSizes(window, track)
  if (sizes.count === 0) return undefined
  const isWide = tables.has('co64')
  const chunks = await openTable(window, tables.get(isWide ? 'co64' : 'stco'), isWide ? 8 : 4)
  const chunkRuns = await openTable(window, tables.get('stsc'), 12)
  const durations = await openTable(window, tables.get('stts'), 8)
  if (chunks === undefined || chunkRuns === undefined || durations === undefined) {
    throw new MalformedError('mp4', `track ${track.id} lacks a sample table`)
  }
  const ctts = tables.get('ctts')
  return new TableReader(track, sizes, {
    chunks,
    isWide,
    chunkRuns,
    durations,
    offsets: await openTable(window, ctts, 8),
    keys: await openTable(window, tables.get('stss'), 4),
  })
}

interface Sizes {
  readonly count: number
  readonly uniform: number
  readonly cursor: TableCursor | undefined
}

async function readSizes(window: SourceWindow, track: MovieTrack): Promise<Sizes> {
  const box = track.tables.get('stsz')
  if (box === undefined) throw new MalformedError('mp4', `track ${track.id} has no stsz`)
  const start = box.offset + box.headerBytes
  const head = new ByteReader(await window.read(start, STSZ_HEAD_BYTES), 'stsz')
  head.skip(4)
  const uniform = head.u32()
  const count = head.u32()
  if (uniform === 0) return { count, uniform, cursor: new TableCursor(window, box, start + STSZ_HEAD_BYTES, 4, count) }
  if (uniform * count > window.sizeBytes) head.fail('more samples than the file can hold')
  return { count, uniform, cursor: undefined }
}

interface Cursors {
  readonly chunks: TableCursor
  readonly isWide: boolean
  readonly chunkRuns: TableCursor
  readonly durations: TableCursor
  readonly offsets: TableCursor | undefined
  readonly keys: TableCursor | undefined
}

/** Goes through the samples of one track as its tables list them, chunk by chunk. Times are the media's own. */
export class TableReader {
  readonly track: MovieTrack
  readonly #sizes: Sizes
  readonly #cursors: Cursors
  #samplesLeft: number
  #sampleNumber = 0
  #chunkNumber = 0
  #perChunk = 0
  #description = 1
  #nextRun: { firstChunk: number; perChunk: number; description: number } | undefined
  #inChunk = 0
  #duration = 0
  #durationLeft = 0
  #shift = 0
  #shiftLeft = 0
  #nextKey = 0
  #nextDts = 0
  #nextOffset = 0
  /** Of the current chunk, from 1. */
  description = 1
  dts = 0
  pts = 0
  key = true
  size = 0
  offset = 0

  constructor(track: MovieTrack, sizes: Sizes, cursors: Cursors) {
    this.track = track
    this.#sizes = sizes
    this.#cursors = cursors
    this.#samplesLeft = sizes.count
  }

  /** Where the current chunk's next sample lies. */
  get nextOffset(): number {
    return this.#nextOffset
  }

  /** Goes to the next chunk that has samples. False at the end. */
  async nextChunk(): Promise<boolean> {
    const { chunks, isWide } = this.#cursors
    while (chunks.left > 0 && this.#samplesLeft > 0) {
      if (!chunks.isReady) await chunks.load()
      const entry = chunks.take()
      this.#nextOffset = isWide ? entry.u64() : entry.u32()
      await this.#findRun(++this.#chunkNumber)
      this.#inChunk = Math.min(this.#perChunk, this.#samplesLeft)
      this.description = this.#description
      if (this.#inChunk > 0) return true
    }
    return false
  }

  /** Goes to the next sample of the chunk; the fields are its. False when the chunk is through. */
  async nextSample(): Promise<boolean> {
    if (this.#inChunk === 0) return false
    this.#inChunk--
    this.#samplesLeft--
    this.#sampleNumber++
    const { cursor, uniform } = this.#sizes
    if (cursor !== undefined && !cursor.isReady) await cursor.load()
    this.size = cursor === undefined ? uniform : cursor.take().u32()
    this.offset = this.#nextOffset
    this.#nextOffset += this.size
    await this.#readTimes()
    await this.#readKey()
    return true
  }

  /** `stsc`, §8.7.4. */
  async #findRun(chunk: number): Promise<void> {
    const { chunkRuns } = this.#cursors
    for (;;) {
      if (this.#nextRun === undefined) {
        if (chunkRuns.left === 0) return
        if (!chunkRuns.isReady) await chunkRuns.load()
        const entry = chunkRuns.take()
        this.#nextRun = { firstChunk: entry.u32(), perChunk: entry.u32(), description: entry.u32() }
      }
      if (this.#nextRun.firstChunk > chunk) return
      this.#perChunk = this.#nextRun.perChunk
      this.#description = this.#nextRun.description
      this.#nextRun = undefined
    }
  }

  /** `stts` and `ctts`, §8.6.1. Offsets are taken as signed in both versions, as everybody does. */
  async #readTimes(): Promise<void> {
    const { durations, offsets } = this.#cursors
    while (this.#durationLeft === 0 && durations.left > 0) {
      if (!durations.isReady) await durations.load()
      const entry = durations.take()
      this.#durationLeft = entry.u32()
      this.#duration = entry.u32()
    }
    while (offsets !== undefined && this.#shiftLeft === 0 && offsets.left > 0) {
      if (!offsets.isReady) await offsets.load()
      const entry = offsets.take()
      this.#shiftLeft = entry.u32()
      this.#shift = entry.i32()
    }
    this.dts = this.#nextDts
    this.pts = this.dts + (this.#shiftLeft > 0 ? this.#shift : 0)
    this.#nextDts += this.#durationLeft > 0 ? this.#duration : 0
    if (this.#durationLeft > 0) this.#durationLeft--
    if (this.#shiftLeft > 0) this.#shiftLeft--
  }

  /** `stss`, §8.6.2: where there is none, every sample is a sync sample. */
  async #readKey(): Promise<void> {
    const { keys } = this.#cursors
    if (keys === undefined) return
    while (this.#nextKey < this.#sampleNumber && keys.left > 0) {
      if (!keys.isReady) await keys.load()
      this.#nextKey = keys.take().u32()
    }
    this.key = this.#nextKey === this.#sampleNumber
  }
}
