import type { Track } from '../media/track.ts'

/**
 * The containers tapedeck writes. `webm` is Matroska of that document type, for VP8, VP9, AV1 and Opus alone; `ogg` holds one
 * track of Opus.
 */
export type Format = 'mp4' | 'flv' | 'mkv' | 'webm' | 'ogg'

/** Where one sample lies in a file and when it is shown. Times in ticks of `track.timescale`, edit lists applied. */
export interface Sample {
  readonly track: Track
  readonly dts: number
  readonly pts: number
  readonly key: boolean
  readonly offset: number
  readonly size: number
  /** Where the alpha channel of the picture lies, if it has one. */
  readonly alpha?: { readonly offset: number; readonly size: number }
}

/** From the first to the last byte of a sample and its alpha channel, in whichever order they lie. */
export function sampleSpan({ offset, size, alpha }: Sample): { readonly offset: number; readonly size: number } {
  if (alpha === undefined) return { offset, size }
  const start = Math.min(offset, alpha.offset)
  return { offset: start, size: Math.max(offset + size, alpha.offset + alpha.size) - start }
}

/** Something wrong in a file that the reader could pass over. */
export interface Fault {
  /** Stable, kebab-case: `torn-tail`, `missing-index`, `bad-size`… */
  readonly kind: string
  readonly offset: number
  readonly message: string
}

/** A file of one of our formats, opened for looking. Never reads the whole file into memory. */
export interface ContainerReader {
  readonly format: Format
  readonly tracks: readonly Track[]
  /** As the file states it in its header or index; undefined while it does not (growing, torn). */
  readonly statedDurationMs: number | undefined
  /** Its index, duration and headers are complete. */
  readonly finalised: boolean
  readonly title: string | undefined
  /** Grows while `samples` runs. */
  readonly faults: readonly Fault[]
  /** All whole samples in file order; ends before a torn tail, noting a fault. */
  samples(): AsyncIterable<Sample>
}

/** What a repair did. */
export interface RepairReport {
  /** False when the file was whole already and nothing was touched. */
  readonly changed: boolean
  readonly frames: number
  readonly durationMs: number
  /** Bytes of a torn tail that were cut off. */
  readonly lostBytes: number
  readonly faults: readonly Fault[]
}

/** Called now and then while a long file is worked through; both in bytes of the file. */
export type Progress = (doneBytes: number, totalBytes: number) => void
