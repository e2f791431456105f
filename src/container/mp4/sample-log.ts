import { VarintLog, type VarintReader } from './varint-log.ts'

const NOT_KEY = 1
const NEW_DELTA = 2
const NEW_OFFSET = 4
/** Low bits of a sample's first varint that hold the flags above; the size stands over them. */
const FLAGS = 8

/** How long a lone sample is shown: a 25th of a second, for want of anything better. */
const LONE_SAMPLES_PER_SECOND = 25

/**
 * All samples of one track: size, times, key or not, and where they lie. About four bytes a sample, so that the index of
 * a recording of half a day is held in some ten megabytes.
 */
export class SampleLog {
  readonly #samples = new VarintLog()
  readonly #chunks = new VarintLog()
  readonly #timescale: number
  #lastOffset = 0
  #lastChunkOffset = 0
  #usualDelta = 0
  sampleCount = 0
  chunkCount = 0
  keyCount = 0
  /** Ticks. Meaningful once there is a sample, as the other times. */
  firstDts = 0
  lastDts = 0
  minPts = 0
  maxPts = 0
  /** Ticks from the last but one sample to the last; 0 while there is only one. */
  lastDelta = 0
  /** How far a sample is shown before it is decoded, ticks, at most; 0 where pts is never less than dts. */
  maxReorder = 0
  /** Size of every sample so far where all are alike, else 0. */
  uniformSize = 0
  maxChunkOffset = 0

  /** `timescale` is that of all times given, ticks per second. */
  constructor(timescale: number) {
    this.#timescale = timescale
  }

  /** How long the last sample is shown, ticks: as long as the one before, where that did not stand over a gap. */
  get lastDuration(): number {
    return this.#usualDelta > 0 ? this.#usualDelta : Math.ceil(this.#timescale / LONE_SAMPLES_PER_SECOND)
  }

  /** Bytes that this log holds. */
  get heldBytes(): number {
    return this.#samples.heldBytes + this.#chunks.heldBytes
  }

  /** A dts that runs backwards is taken as the one before it. */
  add(dts: number, pts: number, key: boolean, sizeBytes: number): void {
    if (this.sampleCount === 0) {
      this.firstDts = this.lastDts = dts
      this.minPts = this.maxPts = pts
      this.uniformSize = sizeBytes
    }
    const decodedAt = Math.max(dts, this.lastDts)
    const delta = decodedAt - this.lastDts
    const offset = pts - decodedAt
    let flags = 0
    if (!key) flags |= NOT_KEY
    if (delta !== this.lastDelta) flags |= NEW_DELTA
    if (offset !== this.#lastOffset) flags |= NEW_OFFSET
    this.#samples.push(sizeBytes * FLAGS + flags)
    if (delta !== this.lastDelta) this.#samples.push(delta)
    if (offset !== this.#lastOffset) this.#samples.push(offset < 0 ? -2 * offset - 1 : 2 * offset)
    this.lastDelta = delta
    if (delta > 0 && delta <= this.#timescale) this.#usualDelta = delta
    this.#lastOffset = offset
    this.lastDts = decodedAt
    if (key) this.keyCount++
    if (pts < this.minPts) this.minPts = pts
    if (pts > this.maxPts) this.maxPts = pts
    if (-offset > this.maxReorder) this.maxReorder = -offset
    if (sizeBytes !== this.uniformSize) this.uniformSize = 0
    this.sampleCount++
  }

  /** The last `count` samples lie one behind the other from `offset` of the file and need sample entry `description`, from 1. */
  chunk(offset: number, count: number, description: number): void {
    const step = offset - this.#lastChunkOffset
    this.#chunks.push(step < 0 ? -2 * step - 1 : 2 * step)
    this.#chunks.push(count)
    this.#chunks.push(description)
    this.#lastChunkOffset = offset
    this.maxChunkOffset = Math.max(this.maxChunkOffset, offset)
    this.chunkCount++
  }

  samples(): SampleCursor {
    return new SampleCursor(this.#samples.reader(), this.sampleCount, this.firstDts)
  }

  chunks(): ChunkCursor {
    return new ChunkCursor(this.#chunks.reader(), this.chunkCount)
  }
}

/** Goes through the samples of a log: after each `next` that is true, the fields are those of the sample it came to. */
export class SampleCursor {
  readonly #log: VarintReader
  #left: number
  sizeBytes = 0
  key = true
  /** Ticks since the sample before. */
  delta = 0
  dts: number
  /** pts - dts, ticks. */
  offset = 0

  constructor(log: VarintReader, count: number, firstDts: number) {
    this.#log = log
    this.#left = count
    this.dts = firstDts
  }

  next(): boolean {
    if (this.#left === 0) return false
    this.#left--
    const head = this.#log.next()
    const flags = head % FLAGS
    this.sizeBytes = (head - flags) / FLAGS
    this.key = (flags & NOT_KEY) === 0
    if ((flags & NEW_DELTA) !== 0) this.delta = this.#log.next()
    if ((flags & NEW_OFFSET) !== 0) {
      const coded = this.#log.next()
      this.offset = coded % 2 === 1 ? -(coded + 1) / 2 : coded / 2
    }
    this.dts += this.delta
    return true
  }
}

/** Goes through the chunks of a log, as `SampleCursor` does through its samples. */
export class ChunkCursor {
  readonly #log: VarintReader
  #left: number
  offset = 0
  count = 0
  description = 1

  constructor(log: VarintReader, count: number) {
    this.#log = log
    this.#left = count
  }

  next(): boolean {
    if (this.#left === 0) return false
    this.#left--
    const coded = this.#log.next()
    this.offset += coded % 2 === 1 ? -(coded + 1) / 2 : coded / 2
    this.count = this.#log.next()
    this.description = this.#log.next()
    return true
  }
}
