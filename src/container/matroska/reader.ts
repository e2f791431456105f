import type { ByteSource } from '../../media/ports.ts'
import type { Track } from '../../media/track.ts'
import { FaultList } from '../fault-list.ts'
import type { ContainerReader, Fault, Sample } from '../reader.ts'
import { SourceWindow } from '../source-window.ts'
import { NO_LACING } from './block.ts'
import { SampleMaker } from './block-samples.ts'
import { ClusterScanner } from './cluster-scanner.ts'
import { UNKNOWN_SIZE } from './ebml.ts'
import { type Header, readHeader } from './header.ts'

/**
 * Opens a Matroska or WebM file, also one that grows or is torn. A file that ends within its header opens without tracks.
 * @throws MalformedError when it is no Matroska, or its header is broken
 * @throws UnsupportedError for an EBML document of another type
 */
export async function openMatroska(source: ByteSource): Promise<MatroskaReader> {
  const faults = new FaultList()
  const window = new SourceWindow(source)
  const header = await readHeader(window, faults)
  return new MatroskaReader(source, header, faults)
}

const SEGMENT_ID = Uint8Array.of(0x18, 0x53, 0x80, 0x67) // RFC 9559 §5.1
/** DocType `webm`, as it stands in the EBML header (RFC 8794 §11.2.6): ID, size, text. */
const WEBM_DOC_TYPE = Uint8Array.of(0x42, 0x82, 0x84, 0x77, 0x65, 0x62, 0x6d)

/** Whether the first bytes of an EBML file say that it is WebM. Never throws; what cannot be read is not. */
export function isWebmHead(head: Uint8Array): boolean {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.length)
  const segmentAt = bytes.indexOf(SEGMENT_ID)
  const at = bytes.indexOf(WEBM_DOC_TYPE)
  return at >= 0 && (segmentAt < 0 || at < segmentAt)
}

/** Where the Segment ends in the file; infinite when it does not say. */
export function segmentEnd(header: Header): number {
  return header.segmentSize === UNKNOWN_SIZE ? Number.POSITIVE_INFINITY : header.segmentOffset + header.segmentSize
}

/** By number, the tracks that can be read. */
export function sampleMakers(header: Header): Map<number, SampleMaker> {
  const makers = new Map<number, SampleMaker>()
  for (const file of header.tracks) {
    if (file.track === undefined || makers.has(file.number)) continue
    makers.set(file.number, new SampleMaker(file.track, file, header.timestampScaleNs))
  }
  return makers
}

/**
 * Matroska has presentation times alone: `dts` of a sample is its `pts`, while samples come in decoding order; so with
 * B-frames `dts` goes back and forth. Ticks are those of the file, 1 ms nearly always; CodecDelay is taken off.
 * Where bytes are stripped off frames (ContentCompAlgo 3, fault `stripped-headers`), samples show what the file holds.
 */
export class MatroskaReader implements ContainerReader {
  readonly format: 'mkv' | 'webm'
  readonly tracks: readonly Track[]
  readonly statedDurationMs: number | undefined
  readonly finalised: boolean
  readonly title: string | undefined
  readonly #source: ByteSource
  readonly #header: Header
  readonly #faults: FaultList

  constructor(source: ByteSource, header: Header, faults: FaultList) {
    this.#source = source
    this.#header = header
    this.format = header.docType === 'webm' ? 'webm' : 'mkv'
    this.#faults = faults
    this.tracks = header.tracks.flatMap(({ track }) => (track === undefined ? [] : [track]))
    this.statedDurationMs = header.durationMs
    this.finalised =
      segmentEnd(header) <= source.sizeBytes && header.durationMs !== undefined && header.cuesOffset !== undefined
    this.title = header.title
  }

  get faults(): readonly Fault[] {
    return this.#faults.all
  }

  async *samples(): AsyncGenerator<Sample> {
    const { bodyOffset } = this.#header
    if (bodyOffset === undefined) return
    const makers = sampleMakers(this.#header)
    const window = new SourceWindow(this.#source)
    const scanner = new ClusterScanner(window, bodyOffset, segmentEnd(this.#header), this.#faults)
    while (await scanner.next()) {
      const { block } = scanner
      const maker = makers.get(block.trackNumber)
      if (maker === undefined) continue
      if (block.lacing === NO_LACING) yield maker.single(block)
      else yield* await maker.all(block, window, this.#faults)
    }
  }
}
