import { OPUS_RATE_HZ, opusPacketSamples } from '../../codec/opus.ts'
import { rescale } from '../../media/clock.ts'
import { LimitError, MisuseError, UnsupportedError } from '../../media/errors.ts'
import type { Frame } from '../../media/frame.ts'
import type { ByteSink, Muxer } from '../../media/ports.ts'
import type { Track } from '../../media/track.ts'
import { concealingPackets } from './concealment.ts'
import { writeOpusTags } from './opus-tags.ts'
import { asLastPage, FIRST_PAGE, FLAGS_AT, MAX_SEGMENTS, PAGE_HEADER_BYTES, segmentsOf, writePage } from './page.ts'

/** A page holds half a second, for a crash costs no more than a page; RFC 7845 §3 would have at most a second. */
const MAX_PAGE_SAMPLES = OPUS_RATE_HZ / 2
/** Sound that is missing is concealed from this length on; less is rounding of timestamps, or drift. 10 ms. */
const MIN_GAP_SAMPLES = 480
/** There is one logical stream; its number only has to be unique within the file (RFC 3533 §6 item 5). */
const SERIAL = 1

/** What can be said of a file beyond its track. */
export interface OggOptions {
  readonly title?: string
  /** Wall clock, ms since 1970. */
  readonly creationTimeMs?: number
}

/**
 * Opus in Ogg (RFC 3533, RFC 7845): one track, pages of at most a second, each valid by itself as it is written.
 *
 * Times in Ogg are counts of samples. Where sound was lost, or not sent (DTX), packets that ask the decoder to conceal fill the
 * gap, as RFC 7845 §4.1 has it, so that what follows stays in its place.
 */
export class OggMuxer implements Muxer {
  readonly #out: ByteSink
  readonly #options: OggOptions
  #track: Track | undefined
  #packets: Uint8Array[] = []
  #segments = 0
  #pageSamples = 0
  #sequence = 0
  /** Samples so far, and where the first packet lies; undefined before it. */
  #granule: number | undefined
  #toc = 0
  /** The page written last, and where it lies. */
  #last: { readonly page: Uint8Array; readonly offset: number } | undefined
  #isFinished = false

  constructor(out: ByteSink, options: OggOptions = {}) {
    this.#out = out
    this.#options = options
  }

  /** @throws UnsupportedError for anything but one track of Opus; nothing is written then */
  start(tracks: readonly Track[]): void {
    if (this.#track !== undefined) throw new MisuseError('Ogg muxer: started twice')
    const [track] = tracks
    if (track?.codec !== 'opus' || tracks.length !== 1) {
      throw new UnsupportedError('Ogg holds one track of Opus here: record anything else as Matroska (mkv)')
    }
    this.#track = track
    const { title, creationTimeMs } = this.#options
    this.#page([track.config], FIRST_PAGE, 0)
    const date = creationTimeMs === undefined ? undefined : new Date(creationTimeMs).toISOString()
    const comments = { TITLE: title, DESCRIPTION: track.label, LANGUAGE: track.language, DATE: date }
    this.#page([writeOpusTags(comments)], 0, 0)
  }

  /** Only a new epoch of its track in which nothing changes. */
  accepts(track: Track): boolean {
    const known = this.#track
    if (known === undefined || this.#isFinished || known.id !== track.id) return false
    const isSame = known.codec === track.codec && known.timescale === track.timescale
    return isSame && Buffer.compare(known.config, track.config) === 0
  }

  add(track: Track): void {
    if (!this.accepts(track)) throw new MisuseError(`Ogg muxer: track ${track.id} was not accepted`)
  }

  /** A packet that is none is left out. */
  write(frame: Frame): void {
    if (this.#track?.id !== frame.track.id || this.#isFinished) {
      throw new MisuseError(`Ogg muxer: frame of track ${frame.track.id}, which is not open here`)
    }
    const { data } = frame
    const samples = opusPacketSamples(data)
    if (samples === undefined) return
    const at = rescale(frame.pts, frame.track.timescale, OPUS_RATE_HZ)
    this.#granule ??= Math.max(0, at)
    const missing = at - this.#granule
    if (missing >= MIN_GAP_SAMPLES) this.#conceal(missing)
    this.#toc = data[0]
    this.#gather(Uint8Array.from(data), samples)
  }

  /** Writes the page that is being gathered. */
  flush(): void {
    if (this.#packets.length === 0) return
    this.#page(this.#packets, 0, this.#granule ?? 0)
    this.#packets = []
    this.#segments = this.#pageSamples = 0
  }

  /** Marks the last page as such. */
  async finish(): Promise<void> {
    if (this.#track === undefined) throw new MisuseError('Ogg muxer: finished before it was started')
    if (this.#isFinished) return
    this.flush()
    this.#isFinished = true
    const last = this.#last
    if (last !== undefined && this.#granule !== undefined) {
      this.#out.patch(last.offset + FLAGS_AT, asLastPage(last.page).subarray(FLAGS_AT, PAGE_HEADER_BYTES))
    }
    await this.#out.drain()
  }

  #conceal(samples: number): void {
    for (const { packet, samples: covered } of concealingPackets(this.#toc, samples)) this.#gather(packet, covered)
  }

  #gather(packet: Uint8Array, samples: number): void {
    const segments = segmentsOf(packet.length)
    if (segments > MAX_SEGMENTS) {
      throw new LimitError('bytes of an Opus packet in Ogg', { limit: 255 * MAX_SEGMENTS - 1, asked: packet.length })
    }
    if (this.#segments + segments > MAX_SEGMENTS || this.#pageSamples + samples > MAX_PAGE_SAMPLES) this.flush()
    this.#packets.push(packet)
    this.#segments += segments
    this.#pageSamples += samples
    this.#granule = (this.#granule ?? 0) + samples
  }

  #page(packets: readonly Uint8Array[], flags: number, granule: number): void {
    const page = writePage({ flags, granule, serial: SERIAL, sequence: this.#sequence++ }, packets)
    this.#last = { page, offset: this.#out.position }
    this.#out.write(page)
  }
}
