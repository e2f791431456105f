import { LimitError, MalformedError, UnsupportedError } from '../../media/errors.ts'
import type { FaultList } from '../fault-list.ts'
import type { SourceWindow } from '../source-window.ts'
import type { DocType } from './codec-mapping.ts'
import {
  childrenOf,
  type Element,
  ElementHeader,
  elementsOf,
  MAX_HEADER_BYTES,
  readFloat,
  readText,
  readUint,
  UNKNOWN_SIZE,
} from './ebml.ts'
import * as E from './elements.ts'
import { DURATION_BYTES, MUXING_APP, SEEK_BYTES, type Slots, TIMESTAMP_SCALE_NS } from './layout.ts'
import { type FileTrack, readTrackEntry } from './track-reader.ts'

const WHERE = 'Matroska'
/** Bounds: an element of the header, bytes; elements before the first Cluster; tracks. */
const MAX_ELEMENT_BYTES = 4 * 1024 * 1024
const MAX_TOP_LEVEL = 1000
const MAX_TRACKS = 256
const NS_PER_SECOND = 1_000_000_000

/** What stands before the first Cluster, and what it points to. */
export type Header = {
  readonly docType: DocType
  readonly segmentOffset: number
  /** Of the Segment's content; or `UNKNOWN_SIZE`. */
  readonly segmentSize: number
  /** Of one tick of the file's timestamps. */
  readonly timestampScaleNs: number
  readonly durationMs: number | undefined
  readonly title: string | undefined
  readonly tracks: readonly FileTrack[]
  /** Where to begin with the Clusters. Undefined when the file ends within its header. */
  readonly bodyOffset: number | undefined
  /** Where whole Cues start, that the file points to or that stand before the Clusters. */
  readonly cuesOffset: number | undefined
  /** Only in a file that `MatroskaMuxer` wrote: what completes it. */
  readonly slots: Slots | undefined
}

/** Ticks per second of samples: those of the file where a second has a whole number of them, else nanoseconds. */
export function timescaleOf(timestampScaleNs: number): number {
  return NS_PER_SECOND % timestampScaleNs === 0 ? NS_PER_SECOND / timestampScaleNs : NS_PER_SECOND
}

/**
 * Reads EBML header, SeekHead, Info and Tracks, wherever they are.
 * @throws MalformedError when it is no Matroska or its header is broken; a header that is torn is a fault
 * @throws UnsupportedError for other EBML document types
 */
export async function readHeader(window: SourceWindow, faults: FaultList): Promise<Header> {
  const reading = new HeaderReading(window, faults)
  await reading.run()
  return reading.result()
}

type Found = {
  readonly element: Element
  readonly isWhole: boolean
  readonly size: number
  readonly headerBytes: number
}

class HeaderReading {
  readonly #window: SourceWindow
  readonly #faults: FaultList
  readonly #header = new ElementHeader()
  readonly #seeks = new Map<number, number>()
  #docType: DocType = 'matroska'
  #segmentOffset = 0
  #segmentSize = UNKNOWN_SIZE
  #segmentSizeAt: number | undefined
  #info: Element | undefined
  #tracks: Element | undefined
  #bodyOffset: number | undefined
  #cuesOffset: number | undefined
  #cuesSeekAt: number | undefined
  #chaptersSeekAt: number | undefined

  constructor(window: SourceWindow, faults: FaultList) {
    this.#window = window
    this.#faults = faults
  }

  async run(): Promise<void> {
    const head = await this.#element(0)
    if (head !== undefined && head.element.id !== E.EBML) {
      throw new MalformedError(WHERE, 'does not start with an EBML header', 0)
    }
    if (head === undefined || !head.isWhole) return this.#torn(0)
    this.#docType = readDocType(head.element)
    const segmentAt = head.element.dataOffset + head.size
    const segment = await this.#element(segmentAt)
    if (segment === undefined) return this.#torn(segmentAt)
    if (segment.element.id !== E.SEGMENT)
      throw new MalformedError(WHERE, 'no Segment behind the EBML header', segmentAt)
    this.#segmentOffset = segment.element.dataOffset
    this.#segmentSize = segment.size
    if (segment.headerBytes === MAX_HEADER_BYTES) this.#segmentSizeAt = this.#segmentOffset - 8
    await this.#walk()
    if (this.#bodyOffset === undefined) return
    this.#info ??= await this.#sought(E.INFO)
    this.#tracks ??= await this.#sought(E.TRACKS)
    this.#cuesOffset ??= (await this.#sought(E.CUES))?.offset
    if (this.#tracks === undefined) this.#faults.note('no-tracks', this.#segmentOffset, 'the file has no Tracks')
  }

  result(): Header {
    const info = this.#info === undefined ? undefined : readInfo(this.#info)
    const timestampScaleNs = info?.timestampScaleNs ?? TIMESTAMP_SCALE_NS
    return {
      docType: this.#docType,
      segmentOffset: this.#segmentOffset,
      segmentSize: this.#segmentSize,
      timestampScaleNs,
      durationMs: info?.duration === undefined ? undefined : info.duration * (timestampScaleNs / 1e6),
      title: info?.title,
      tracks: this.#tracks === undefined ? [] : this.#readTracks(this.#tracks, timescaleOf(timestampScaleNs)),
      bodyOffset: this.#bodyOffset,
      cuesOffset: this.#cuesOffset,
      slots: this.#slots(info),
    }
  }

  /** Goes through the Segment's children up to its first Cluster. */
  async #walk(): Promise<void> {
    let at = this.#segmentOffset
    const end = this.#segmentSize === UNKNOWN_SIZE ? Number.POSITIVE_INFINITY : at + this.#segmentSize
    for (let count = 0; count < MAX_TOP_LEVEL; count++) {
      const found = at >= end ? undefined : await this.#element(at)
      const isTorn = found === undefined || !found.isWhole
      if (found?.element.id === E.CLUSTER || (isTorn && this.#tracks !== undefined)) {
        this.#bodyOffset = at
        return
      }
      if (isTorn) return this.#torn(at)
      this.#take(found.element)
      at = found.element.dataOffset + found.size
    }
    throw new LimitError('Matroska elements before the first Cluster', { limit: MAX_TOP_LEVEL })
  }

  #take(element: Element): void {
    if (element.id === E.INFO) this.#info ??= element
    else if (element.id === E.TRACKS) this.#tracks ??= element
    else if (element.id === E.CUES) this.#cuesOffset ??= element.offset
    else if (element.id === E.SEEK_HEAD) this.#readSeekHead(element)
  }

  /** A broken SeekHead is a fault and no more: everything can be found without it. */
  #readSeekHead(seekHead: Element): void {
    try {
      this.#readSeeks(seekHead)
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error
      this.#faults.note('bad-seek-head', seekHead.offset, error.message)
    }
  }

  #readSeeks(seekHead: Element): void {
    for (const child of elementsOf(seekHead.data, seekHead.dataOffset, WHERE)) {
      const childBytes = child.dataOffset + child.data.length - child.offset
      if (child.id === E.VOID && childBytes === SEEK_BYTES) {
        if (this.#cuesSeekAt === undefined) this.#cuesSeekAt = child.offset
        else this.#chaptersSeekAt ??= child.offset
      }
      if (child.id !== E.SEEK) continue
      let id = 0
      let position: number | undefined
      for (const field of childrenOf(child, WHERE)) {
        if (field.id === E.SEEK_ID) id = readUint(field)
        else if (field.id === E.SEEK_POSITION) position = readUint(field)
      }
      if (id === E.CUES && childBytes === SEEK_BYTES) this.#cuesSeekAt = child.offset
      if (position !== undefined && !this.#seeks.has(id)) this.#seeks.set(id, position)
    }
  }

  /** An element that the SeekHead points to; undefined when it is not there. Cues come without their content. */
  async #sought(id: number): Promise<Element | undefined> {
    const position = this.#seeks.get(id)
    if (position === undefined) return undefined
    const found = await this.#element(this.#segmentOffset + position, id !== E.CUES)
    return found?.element.id === id && found.isWhole ? found.element : undefined
  }

  /** The element at `at`, with its content where that is one of the header's; undefined when no whole element header is there. */
  async #element(at: number, withData = true): Promise<Found | undefined> {
    const window = this.#window
    if (at >= window.source.sizeBytes) return undefined
    await window.load(at, MAX_HEADER_BYTES)
    const state = this.#header.read(window.bytes, at - window.start, window.bytes.length)
    if (state === 'short' || (state === 'bad' && this.#tracks !== undefined)) return undefined
    if (state === 'bad') throw new MalformedError(WHERE, 'no element where one should be', at)
    const { id, size, length } = this.#header
    const dataOffset = at + length
    const isWhole = size !== UNKNOWN_SIZE && dataOffset + size <= window.source.sizeBytes
    let data: Uint8Array = new Uint8Array(0)
    if (withData && isWhole && hasContentToRead(id)) {
      if (size > MAX_ELEMENT_BYTES)
        throw new LimitError('Matroska header element', { limit: MAX_ELEMENT_BYTES, asked: size })
      await window.load(dataOffset, size)
      data = window.view(dataOffset, size).slice()
      if (data.length < size) return undefined
    }
    return { element: { id, offset: at, dataOffset, data }, isWhole, size, headerBytes: length }
  }

  #readTracks(tracks: Element, timescale: number): FileTrack[] {
    const list: FileTrack[] = []
    for (const child of childrenOf(tracks, WHERE)) {
      if (child.id !== E.TRACK_ENTRY) continue
      if (list.length === MAX_TRACKS) throw new LimitError('Matroska tracks', { limit: MAX_TRACKS })
      try {
        const track = readTrackEntry(child, list.length + 1, timescale)
        list.push(track)
        if (track.remark !== undefined) this.#faults.note(track.remark.kind, child.offset, track.remark.message)
      } catch (error) {
        if (!(error instanceof MalformedError || error instanceof LimitError)) throw error
        this.#faults.note('bad-track', child.offset, error.message)
      }
    }
    return list
  }

  #slots(info: InfoFields | undefined): Slots | undefined {
    const [segmentSizeAt, cuesSeekAt, durationAt] = [this.#segmentSizeAt, this.#cuesSeekAt, info?.durationAt]
    if (info?.muxingApp !== MUXING_APP || info.timestampScaleNs !== TIMESTAMP_SCALE_NS) return undefined
    if (segmentSizeAt === undefined || cuesSeekAt === undefined || durationAt === undefined) return undefined
    const chaptersSeekAt = this.#chaptersSeekAt
    return { segmentOffset: this.#segmentOffset, segmentSizeAt, cuesSeekAt, chaptersSeekAt, durationAt }
  }

  #torn(offset: number): void {
    this.#faults.note('torn-header', offset, 'the file ends within its header: there is no media in it')
  }
}

function hasContentToRead(id: number): boolean {
  return id === E.EBML || id === E.SEEK_HEAD || id === E.INFO || id === E.TRACKS
}

function readDocType(element: Element): DocType {
  let docType = ''
  for (const child of childrenOf(element, WHERE)) {
    if (child.id === E.DOC_TYPE) docType = readText(child)
    else if (child.id === E.EBML_MAX_ID_LENGTH && readUint(child) > 4) {
      throw new UnsupportedError('Matroska with element IDs of more than 4 bytes')
    } else if (child.id === E.EBML_MAX_SIZE_LENGTH && readUint(child) > 8) {
      throw new UnsupportedError('Matroska with element sizes of more than 8 bytes')
    }
  }
  if (docType !== 'matroska' && docType !== 'webm') {
    throw new UnsupportedError(`EBML document of type ${JSON.stringify(docType)}: neither matroska nor webm`)
  }
  return docType
}

type InfoFields = {
  timestampScaleNs: number
  /** In ticks of the file. */
  duration: number | undefined
  title: string | undefined
  muxingApp: string
  durationAt: number | undefined
}

function readInfo(info: Element): InfoFields {
  const fields: InfoFields = {
    timestampScaleNs: TIMESTAMP_SCALE_NS, // default, RFC 9559 §5.1.2.9
    duration: undefined,
    title: undefined,
    muxingApp: '',
    durationAt: undefined,
  }
  for (const child of elementsOf(info.data, info.dataOffset, WHERE)) {
    const childBytes = child.dataOffset + child.data.length - child.offset
    if (child.id === E.TIMESTAMP_SCALE) fields.timestampScaleNs = readUint(child)
    else if (child.id === E.DURATION) fields.duration = readDuration(child)
    else if (child.id === E.TITLE) fields.title = readText(child)
    else if (child.id === E.MUXING_APP) fields.muxingApp = readText(child)
    if ((child.id === E.VOID || child.id === E.DURATION) && childBytes === DURATION_BYTES)
      fields.durationAt = child.offset
  }
  if (fields.timestampScaleNs === 0 || fields.timestampScaleNs > NS_PER_SECOND) {
    throw new MalformedError(WHERE, `TimestampScale of ${fields.timestampScaleNs} ns`, info.offset)
  }
  return fields
}

function readDuration(element: Element): number | undefined {
  const duration = readFloat(element)
  return duration > 0 && Number.isFinite(duration) ? duration : undefined
}
