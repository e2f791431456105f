import { frameDurationTicks } from '../../codec/samples.ts'
import { rescale } from '../../media/clock.ts'
import { MalformedError } from '../../media/errors.ts'
import type { Track } from '../../media/track.ts'
import type { FaultList } from '../fault-list.ts'
import type { Sample } from '../reader.ts'
import type { SourceWindow } from '../source-window.ts'
import { MAX_LACE_HEADER_BYTES, type MatroskaBlock, NO_LACING, readLace } from './block.ts'
import { timescaleOf } from './header.ts'
import type { FileTrack } from './track-reader.ts'

const NS_PER_SECOND = 1_000_000_000
/** As much of a laced frame as is looked at to tell how long it lasts, bytes; PCM needs all of it. */
const FRAME_HEAD_BYTES = 64 * 1024

/** A track that is read, with what turns its blocks into samples. */
export class SampleMaker {
  readonly track: Track
  readonly #file: FileTrack
  readonly #timescale: number
  readonly #ticksPerFileTick: number
  readonly #delayTicks: number

  constructor(track: Track, file: FileTrack, timestampScaleNs: number) {
    this.track = track
    this.#file = file
    this.#timescale = timescaleOf(timestampScaleNs)
    this.#ticksPerFileTick = (timestampScaleNs * this.#timescale) / NS_PER_SECOND
    this.#delayTicks = rescale(file.codecDelayNs, NS_PER_SECOND, this.#timescale)
  }

  /** The sample of a block without lacing. */
  single(block: MatroskaBlock): Sample {
    return this.#sample(block, this.#pts(block), block.dataOffset, block.dataBytes)
  }

  /** The samples of any block. A broken lace is a fault and gives none. */
  async all(block: MatroskaBlock, window: SourceWindow, faults: FaultList): Promise<Sample[]> {
    if (block.lacing === NO_LACING) return [this.single(block)]
    const { dataOffset, dataBytes } = block
    const headBytes = Math.min(dataBytes, MAX_LACE_HEADER_BYTES)
    await window.load(dataOffset, headBytes)
    try {
      const lace = readLace(block.lacing, window.view(dataOffset, headBytes), dataBytes, dataOffset)
      return await this.#unlace(block, lace.sizes, dataOffset + lace.headerBytes, window)
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error
      faults.note('bad-block', block.offset, error.message)
      return []
    }
  }

  async #unlace(block: MatroskaBlock, sizes: readonly number[], at: number, window: SourceWindow): Promise<Sample[]> {
    const samples: Sample[] = []
    const start = this.#pts(block)
    const statedTicks = this.#statedDuration(block, sizes.length)
    let offset = at
    let elapsed = 0
    for (const size of sizes) {
      samples.push(this.#sample(block, start + Math.round(elapsed), offset, size))
      elapsed += statedTicks ?? (await this.#measuredDuration(offset, size, window))
      offset += size
    }
    return samples
  }

  /** Of one frame in a lace, ticks, not rounded. */
  #statedDuration(block: MatroskaBlock, count: number): number | undefined {
    const { defaultDurationNs } = this.#file
    if (defaultDurationNs !== undefined && defaultDurationNs > 0) {
      return (defaultDurationNs * this.#timescale) / NS_PER_SECOND
    }
    return block.durationTicks === undefined ? undefined : (block.durationTicks * this.#ticksPerFileTick) / count
  }

  async #measuredDuration(offset: number, size: number, window: SourceWindow): Promise<number> {
    const headBytes = Math.min(size, FRAME_HEAD_BYTES)
    await window.load(offset, headBytes)
    return frameDurationTicks(this.track, window.view(offset, headBytes)) ?? 0
  }

  #pts(block: MatroskaBlock): number {
    return block.timestamp * this.#ticksPerFileTick - this.#delayTicks
  }

  #sample(block: MatroskaBlock, pts: number, offset: number, size: number): Sample {
    const { track } = this
    const sample = { track, dts: pts, pts, key: block.key || track.kind === 'audio', offset, size }
    if (block.alphaBytes === 0 || track.kind === 'audio' || track.hasAlpha !== true) return sample
    return { ...sample, alpha: { offset: block.alphaOffset, size: block.alphaBytes } }
  }
}
