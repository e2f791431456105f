import { MalformedError, TapedeckError } from '../../media/errors.ts'
import type { ByteSource } from '../../media/ports.ts'
import type { Track } from '../../media/track.ts'
import type { ContainerReader, Fault, Sample } from '../reader.ts'
import { type AudioPacket, AudioTag } from './audio-tag.ts'
import { METADATA_CREATOR, type Metadata, parseMetadata } from './metadata.ts'
import { FILE_FLAG, FILE_FLAGS_AT, FILE_HEADER_BYTES, PREVIOUS_TAG_SIZE_BYTES, TAG_TYPE } from './tag-header.ts'
import { type ScannedTag, TagScanner } from './tag-scanner.ts'
import { TrackBook } from './track-book.ts'
import { VideoPacket, VideoTag } from './video-tag.ts'

/** How far the start is looked through for tracks, tags… */
const START_TAGS = 500
/** …and bytes, whichever comes first. */
const START_BYTES = 4 * 1024 * 1024
/** Room for a tag that begins there, bytes. */
const START_SOURCE_BYTES = START_BYTES + 16 * 1024 * 1024
/** Faults kept of one file. */
const MAX_FAULTS = 1000

/** The onMetaData of a file and where its tag lies. */
export interface PlacedMetadata {
  readonly members: Metadata
  readonly bodyOffset: number
  readonly bodyBytes: number
  /** Written by us: may be written again in place. */
  readonly isOurs: boolean
}

/** What a pass has come to know when it ends. */
export interface PassEnd {
  /** Where the last whole tag ends. */
  tagEnd: number
  /** Its size with its header; 0 when there was none. */
  tagBytes: number
  /** Where the size behind it ends. */
  unitEnd: number
  /** Whether that size is there. */
  isTrailerWhole: boolean
}

/**
 * Opens an FLV file.
 * @throws MalformedError when it does not begin as one
 */
export async function openFlv(source: ByteSource): Promise<FlvReader> {
  const header = await source.read(0, FILE_HEADER_BYTES)
  if (header.length < FILE_HEADER_BYTES || header[0] !== 0x46 || header[1] !== 0x4c || header[2] !== 0x56) {
    throw new MalformedError('FLV', 'the signature FLV is missing, or the header is torn', 0)
  }
  const dataOffset = new DataView(header.buffer, header.byteOffset).getUint32(5)
  const begin = dataOffset < FILE_HEADER_BYTES || dataOffset > source.sizeBytes ? FILE_HEADER_BYTES : dataOffset
  const reader = new FlvReader(source, begin + PREVIOUS_TAG_SIZE_BYTES)
  await reader.scanStart(header[FILE_FLAGS_AT])
  return reader
}

/** An FLV file, legacy or enhanced, open for looking. Samples are in the order of the file, times in ms. */
export class FlvReader implements ContainerReader {
  readonly format = 'flv'
  readonly #source: ByteSource
  readonly #begin: number
  readonly #known = new Map<string, Track>()
  readonly #ids = new Map<number, number>()
  readonly #faults: Fault[] = []
  readonly #faultKeys = new Set<string>()
  metadata: PlacedMetadata | undefined

  /** Only for `openFlv`. */
  constructor(source: ByteSource, begin: number) {
    this.#source = source
    this.#begin = begin
  }

  /** The first configuration of each track. Grows when tracks come late. */
  get tracks(): readonly Track[] {
    const first = new Map<number, Track>()
    for (const track of this.#known.values()) {
      const other = first.get(track.id)
      if (other === undefined || track.epoch < other.epoch || isMoreOf(other, track)) first.set(track.id, track)
    }
    return [...first.values()]
  }
  get faults(): readonly Fault[] {
    return this.#faults
  }
  get statedDurationMs(): number | undefined {
    const duration = this.metadata?.members.duration
    return typeof duration === 'number' && duration > 0 ? Math.round(duration * 1000) : undefined
  }
  /** Its onMetaData states a duration, and a size that is the file's. */
  get finalised(): boolean {
    return this.statedDurationMs !== undefined && this.metadata?.members.filesize === this.#source.sizeBytes
  }
  get title(): string | undefined {
    const title = this.metadata?.members.title
    return typeof title === 'string' ? title : undefined
  }

  samples(): AsyncIterable<Sample> {
    return this.pass()
  }

  /** `samples`, telling at its end where the last whole tag ended. `onTag` gets each tag's offset and says whether to go on. */
  async *pass(end?: PassEnd, onTag?: (offset: number) => boolean): AsyncGenerator<Sample> {
    const scanner = new TagScanner(this.#source, this.#begin, this.#fault)
    const parts = new PacketReader(new TrackBook(this.#known, this.#ids, this.#fault))
    for (let tag = await scanner.next(); tag !== undefined; tag = await scanner.next()) {
      if (onTag?.(tag.offset) === false) return
      if (tag.type === TAG_TYPE.SCRIPT) this.#script(tag)
      else yield* this.#guarded(parts, tag)
    }
    if (end === undefined) return
    end.tagEnd = scanner.tagEnd
    end.tagBytes = scanner.tagBytes
    end.unitEnd = scanner.unitEnd
    end.isTrailerWhole = scanner.isTrailerWhole
  }

  /** Looks for metadata and tracks, as far as the file header promises them. Only for `openFlv`. */
  async scanStart(flags: number): Promise<void> {
    const wanted: Track['kind'][] = []
    if (flags & FILE_FLAG.VIDEO) wanted.push('video')
    if (flags & FILE_FLAG.AUDIO) wanted.push('audio')
    let tags = 0
    let samples = 0
    const quiet = new FlvReader(new SourceStart(this.#source), this.#begin)
    const goOn = (offset: number) => {
      if (++tags > START_TAGS || offset > START_BYTES) return false
      const kinds = [...quiet.#known.values()].map((track) => track.kind)
      return samples === 0 || wanted.length === 0 || wanted.some((kind) => !kinds.includes(kind))
    }
    for await (const _ of quiet.pass(undefined, goOn)) samples++
    for (const [key, track] of quiet.#known) this.#known.set(key, track)
    for (const [key, id] of quiet.#ids) this.#ids.set(key, id)
    this.metadata = quiet.metadata
  }

  #guarded(parts: PacketReader, tag: ScannedTag): readonly Sample[] {
    try {
      return parts.samples(tag)
    } catch (error) {
      if (!(error instanceof TapedeckError)) throw error
      this.#fault('bad-tag', tag.offset, error.message)
      return []
    }
  }

  #script(tag: ScannedTag): void {
    if (this.metadata !== undefined) return
    try {
      const members = parseMetadata(tag.body)
      if (members === undefined) return
      const isOurs = members.metadatacreator === METADATA_CREATOR
      this.metadata = { members, bodyOffset: tag.bodyOffset, bodyBytes: tag.body.length, isOurs }
    } catch (error) {
      if (!(error instanceof TapedeckError)) throw error
      this.#fault('bad-metadata', tag.offset, error.message)
    }
  }

  readonly #fault = (kind: string, offset: number, message: string): void => {
    const key = `${kind} ${offset}`
    if (this.#faultKeys.has(key) || this.#faults.length >= MAX_FAULTS) return
    this.#faultKeys.add(key)
    this.#faults.push({ kind, offset, message })
  }
}

/** The start of a file, as if it were all: bounds what is read at opening, whatever the file holds. */
class SourceStart implements ByteSource {
  readonly #source: ByteSource

  constructor(source: ByteSource) {
    this.#source = source
  }

  get sizeBytes(): number {
    return Math.min(this.#source.sizeBytes, START_SOURCE_BYTES)
  }
  read(offset: number, length: number): Promise<Uint8Array> {
    return this.#source.read(offset, Math.min(length, Math.max(0, this.sizeBytes - offset)))
  }
}

/** The same epoch, first described without and then with the facts of a frame. */
function isMoreOf(other: Track, track: Track): boolean {
  if (track.epoch !== other.epoch) return false
  return track.kind === 'video'
    ? other.kind === 'video' && other.width === 0
    : other.kind === 'audio' && other.sampleRateHz === 0
}

/** Turns tags into samples, in one pass. */
class PacketReader {
  readonly #book: TrackBook
  readonly #video = new VideoTag()
  readonly #audio = new AudioTag()

  constructor(book: TrackBook) {
    this.#book = book
  }

  samples(tag: ScannedTag): Sample[] {
    const kind = tag.type === TAG_TYPE.VIDEO ? 'video' : 'audio'
    const parts = kind === 'video' ? this.#video : this.#audio
    const count = parts.parse(tag.body)
    const samples: Sample[] = []
    for (let i = 0; i < count; i++) {
      const sample = this.#sample(kind, parts.packets[i], tag)
      if (sample !== undefined) samples.push(sample)
    }
    return samples
  }

  #sample(kind: 'video' | 'audio', packet: VideoPacket | AudioPacket, tag: ScannedTag): Sample | undefined {
    const data = tag.body.subarray(packet.start, packet.end)
    if (packet.kind === 'unsupported') {
      this.#book.refuse(packet.problem, 'unsupported', tag.offset, `${packet.problem} cannot be read`)
    } else if (packet.kind === 'config') {
      this.#book.configure(kind, packet, data, tag.offset)
    } else if (packet.kind === 'frame' && data.length > 0) {
      const track = this.#book.trackOf(kind, packet, data, tag.offset)
      if (track === undefined) return undefined
      const dts = this.#book.state(kind, packet.trackId).clock.next(tag.timestampMs)
      const pts = packet instanceof VideoPacket ? dts + packet.compositionTimeMs : dts
      const key = packet instanceof VideoPacket ? packet.key : true
      return { track, dts, pts, key, offset: tag.bodyOffset + packet.start, size: data.length }
    }
    return undefined
  }
}
