import { NumberColumn } from './number-column.ts'
import { RunLog } from './run-log.ts'
import { VarintLog, zigzag } from './varint-log.ts'

/** How long a lone sample is shown: a 25th of a second, for want of anything better. */
const LONE_SAMPLES_PER_SECOND = 25

/**
 * All samples of one track: size, times, key or not, and where they lie, each fact by itself and in the runs that the
 * sample tables are made of, so that writing those is hardly more than copying. Some four bytes a sample, so that the
 * index of a recording of half a day is held in some twelve megabytes.
 */
export class SampleLog {
  readonly #timescale: number
  #lastChunkOffset = 0
  #lastChunkCount = 0
  #lastDescription = 0
  #lastRunAt = 0
  #usualDelta = 0
  /** Bytes of each sample. */
  readonly sizes = new NumberColumn()
  /** Ticks from each sample to the next. The last one has none yet: see `lastDuration`. */
  readonly durations = new RunLog()
  /** pts - dts of each sample, ticks. */
  readonly offsets = new RunLog()
  /** Of each sample: 1 where it is a key, else 0. */
  readonly keys = new RunLog()
  /** From each chunk's offset in the file to the next one's, in zigzag. */
  readonly chunkSteps = new VarintLog()
  /** Where chunks begin to be other than those before: how many chunks on, samples in each, sample entry. */
  readonly chunkShapes = new VarintLog()
  sampleCount = 0
  chunkCount = 0
  /** Entries of `chunkShapes`, of three numbers each. */
  chunkShapeCount = 0
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
    const { sizes, durations, offsets, keys, chunkSteps, chunkShapes } = this
    return [sizes, durations, offsets, keys, chunkSteps, chunkShapes].reduce((sum, log) => sum + log.heldBytes, 0)
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
    if (this.sampleCount > 0) this.durations.push(delta)
    this.offsets.push(offset)
    this.keys.push(key ? 1 : 0)
    this.sizes.push(sizeBytes)
    this.lastDelta = delta
    if (delta > 0 && delta <= this.#timescale) this.#usualDelta = delta
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
    this.chunkSteps.push(zigzag(offset - this.#lastChunkOffset))
    if (count !== this.#lastChunkCount || description !== this.#lastDescription) {
      this.chunkShapes.push(this.chunkCount - this.#lastRunAt)
      this.chunkShapes.push(count)
      this.chunkShapes.push(description)
      this.chunkShapeCount++
      this.#lastRunAt = this.chunkCount
      this.#lastChunkCount = count
      this.#lastDescription = description
    }
    this.#lastChunkOffset = offset
    this.maxChunkOffset = Math.max(this.maxChunkOffset, offset)
    this.chunkCount++
  }
}
