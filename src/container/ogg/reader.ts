import { OPUS_RATE_HZ, opusPacketSamples } from '../../codec/opus.ts'
import { describeTrack } from '../../codec/track.ts'
import { MalformedError, TapedeckError, UnsupportedError } from '../../media/errors.ts'
import type { ByteSource } from '../../media/ports.ts'
import type { Track } from '../../media/track.ts'
import { FaultList } from '../fault-list.ts'
import type { ContainerReader, Fault, Sample } from '../reader.ts'
import { type OpusTags, parseOpusTags } from './opus-tags.ts'
import { FIRST_PAGE, LAST_PAGE, MAX_PAGE_BYTES, type Page } from './page.ts'
import { PageScanner } from './page-scanner.ts'

/** Packets before the sound: OpusHead and OpusTags (RFC 7845 §3). */
const HEADER_PACKETS = 2
/** The head of a packet by which its length is told, bytes (RFC 6716 §3.2.5). */
const TOC_BYTES = 2

/** The logical stream of Opus in a file: the first one. */
export interface OggHeader {
  /** Undefined when the file ends within its first page. */
  readonly track: Track | undefined
  readonly serial: number
  readonly tags: OpusTags | undefined
}

/**
 * Opens an Ogg file with Opus, also one that grows or is torn; one that ends within its first page opens without tracks.
 * @throws MalformedError when it is no Ogg
 * @throws UnsupportedError when there is no Opus in its first logical stream
 */
export async function openOgg(source: ByteSource): Promise<OggReader> {
  const faults = new FaultList()
  const header = await readOggHeader(source, faults)
  return new OggReader(source, header, faults, await lastGranule(source, header.serial))
}

/** Reads what stands before the sound. @throws as `openOgg` */
export async function readOggHeader(source: ByteSource, faults: FaultList): Promise<OggHeader> {
  const scanner = new PageScanner(source, 0, faults)
  const first = await scanner.next()
  const packet = first?.packets.at(0)
  if (first === undefined || packet === undefined) {
    faults.note('torn-header', 0, 'the file ends within its first page: there is no sound in it')
    return { track: undefined, serial: 0, tags: undefined }
  }
  if ((first.flags & FIRST_PAGE) === 0) throw new MalformedError('Ogg', 'does not begin with a first page', 0)
  const config = scanner.bytes(first).slice(packet.start, packet.end)
  if (Buffer.from(config).toString('latin1', 0, 8) !== 'OpusHead') {
    throw new UnsupportedError('Ogg without Opus in its first logical stream')
  }
  const track = describeTrack({ id: 1, epoch: 0, timescale: OPUS_RATE_HZ, codec: 'opus', config })
  const tags = await readTags(scanner, first.serial, faults)
  const label = tags?.comments.get('DESCRIPTION')
  const language = tags?.comments.get('LANGUAGE')
  const named = { ...(label === undefined ? {} : { label }), ...(language === undefined ? {} : { language }) }
  return { track: { ...track, ...named }, serial: first.serial, tags }
}

/** Of the comments what lies on their first page: the names are there, pictures are not looked at. */
async function readTags(scanner: PageScanner, serial: number, faults: FaultList): Promise<OpusTags | undefined> {
  const page = await scanner.next()
  const packet = page?.serial === serial ? page.packets.at(0) : undefined
  if (page === undefined || packet === undefined) return undefined
  try {
    return parseOpusTags(scanner.bytes(page).subarray(packet.start, packet.end))
  } catch (error) {
    if (!(error instanceof TapedeckError)) throw error
    faults.note('bad-tags', scanner.offset, error.message)
    return undefined
  }
}

/** Where the sound ends, of a file whose last page says that it is the last; undefined of others. */
async function lastGranule(source: ByteSource, serial: number): Promise<number | undefined> {
  const scanner = new PageScanner(source, Math.max(0, source.sizeBytes - 2 * MAX_PAGE_BYTES), new FaultList())
  let last: Page | undefined
  for (let page = await scanner.next(); page !== undefined; page = await scanner.next()) last = page
  const isWhole = scanner.wholeEnd === source.sizeBytes
  if (!isWhole || last === undefined || last.serial !== serial || (last.flags & LAST_PAGE) === 0) return undefined
  return last.granule < 0 ? undefined : last.granule
}

/**
 * Opus in Ogg. Times are counts of samples; those of the pre-skip count, too, so that a packet lies where it was sent. Packets
 * that go over pages, which no file of ours has, are left out with a fault.
 */
export class OggReader implements ContainerReader {
  readonly format = 'ogg'
  readonly tracks: readonly Track[]
  readonly statedDurationMs: number | undefined
  readonly finalised: boolean
  readonly title: string | undefined
  readonly #source: ByteSource
  readonly #header: OggHeader
  readonly #faults: FaultList

  constructor(source: ByteSource, header: OggHeader, faults: FaultList, endGranule: number | undefined) {
    this.#source = source
    this.#header = header
    this.#faults = faults
    this.tracks = header.track === undefined ? [] : [header.track]
    this.finalised = endGranule !== undefined
    this.statedDurationMs = endGranule === undefined ? undefined : (endGranule * 1000) / OPUS_RATE_HZ
    this.title = header.tags?.comments.get('TITLE')
  }

  get faults(): readonly Fault[] {
    return this.#faults.all
  }

  async *samples(): AsyncGenerator<Sample> {
    const { track, serial } = this.#header
    if (track === undefined) return
    const scanner = new PageScanner(this.#source, 0, this.#faults)
    const timeline = new OggTimeline(track, this.#faults)
    for (let page = await scanner.next(); page !== undefined; page = await scanner.next()) {
      if (page.serial === serial) yield* timeline.samplesOf(page, scanner.bytes(page), scanner.offset)
    }
  }
}

/** Gives the packets of one logical stream their times, page by page. */
export class OggTimeline {
  readonly #track: Track
  readonly #faults: FaultList
  #packets = 0
  /** Where the last packet ends, samples. */
  endGranule = 0
  #isFirst = true

  constructor(track: Track, faults: FaultList) {
    this.#track = track
    this.#faults = faults
  }

  /** The whole packets of sound on `page`, which lies at `offset` of the file. */
  samplesOf(page: Page, bytes: Uint8Array, offset: number): Sample[] {
    const found: { offset: number; size: number; samples: number }[] = []
    let total = 0
    for (const { start, end, isContinued, ends } of page.packets) {
      if (ends) this.#packets++
      if (this.#packets <= HEADER_PACKETS && (ends || this.#packets < HEADER_PACKETS)) continue
      if (isContinued || !ends) {
        if (ends) this.#faults.note('split-packet', offset + start, 'a packet that goes over two pages is left out')
        continue
      }
      const samples = opusPacketSamples(bytes.subarray(start, Math.min(end, start + TOC_BYTES))) ?? 0
      total += samples
      found.push({ offset: offset + start, size: end - start, samples })
    }
    if (found.length === 0) return []
    let at = this.#startOf(page, total)
    this.#isFirst = false
    const track = this.#track
    const samples = found.map(({ offset: from, size, samples: length }) => {
      const sample = { track, dts: at, pts: at, key: true, offset: from, size }
      at += length
      return sample
    })
    this.endGranule = at
    return samples
  }

  /** The granule position is where the page ends; on the last one it may be earlier than its sound (RFC 7845 §4.4). */
  #startOf(page: Page, total: number): number {
    if (page.granule < 0 || (!this.#isFirst && (page.flags & LAST_PAGE) !== 0)) return this.endGranule
    return Math.max(0, page.granule - total)
  }
}
