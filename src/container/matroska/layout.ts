import type { DocType } from './codec-mapping.ts'
import { EbmlWriter, longSize, voidElement } from './ebml.ts'
import * as E from './elements.ts'

/** Ticks of a file that we write are 1 ms long, what every reader expects: TimestampScale in ns (RFC 9559 §5.1.2.9). */
export const TIMESTAMP_SCALE_NS = 1_000_000
/** What we call ourselves; repair completes only files of this MuxingApp. */
export const MUXING_APP = 'tapedeck'

const UNKNOWN_LONG_SIZE = Uint8Array.of(0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff) // RFC 8794 §6.2
/** A Seek with a SeekPosition of 8 bytes, bytes. */
export const SEEK_BYTES = 21
/** A Duration as a 64-bit float, bytes. */
export const DURATION_BYTES = 11
/** SeekHead with room for Info, Tracks, Cues and Chapters, bytes. */
const SEEK_HEAD_BYTES = 5 + 4 * SEEK_BYTES

/** Places in a file that are filled in when it is complete; offsets from the start of the file, bytes. */
export type Slots = {
  /** First byte of the Segment's content: what all positions in a file count from (RFC 9559 §16). */
  readonly segmentOffset: number
  /** 8 bytes. */
  readonly segmentSizeAt: number
  /** `SEEK_BYTES` in the SeekHead: a Void, later the Seek of the Cues. */
  readonly cuesSeekAt: number
  /** As much for the Chapters; undefined in files of earlier versions. */
  readonly chaptersSeekAt: number | undefined
  /** `DURATION_BYTES` in the Info: a Void, later the Duration. */
  readonly durationAt: number
}

/** Bytes to be overwritten. */
export type Patch = { readonly offset: number; readonly bytes: Uint8Array }

/** What is known of a file from its start on. */
export type Origin = {
  readonly docType: DocType
  readonly title: string | undefined
  /** DateUTC, ms since 1970. */
  readonly creationTimeMs: number
}

/** Everything before the Tracks: EBML header, open Segment, SeekHead, Info. */
export function writeHead(origin: Origin): { bytes: Uint8Array; slots: Slots } {
  const out = new EbmlWriter()
  out.master(E.EBML, (header) => {
    header.uint(E.EBML_VERSION, 1).uint(E.EBML_READ_VERSION, 1)
    header.uint(E.EBML_MAX_ID_LENGTH, 4).uint(E.EBML_MAX_SIZE_LENGTH, 8)
    header.text(E.DOC_TYPE, origin.docType)
    header.uint(E.DOC_TYPE_VERSION, 4).uint(E.DOC_TYPE_READ_VERSION, 2) // 4: CodecDelay; 2: SimpleBlock (RFC 9559 §4.4)
  })
  out.raw(Uint8Array.of(0x18, 0x53, 0x80, 0x67))
  const segmentSizeAt = out.length
  out.raw(UNKNOWN_LONG_SIZE)
  const segmentOffset = out.length
  const info = writeInfo(origin)
  const infoPosition = SEEK_HEAD_BYTES
  out.master(E.SEEK_HEAD, (seeks) => {
    seeks.raw(seek(E.INFO, infoPosition))
    seeks.raw(seek(E.TRACKS, infoPosition + info.length))
    seeks.raw(voidElement(SEEK_BYTES)).raw(voidElement(SEEK_BYTES))
  })
  const chaptersSeekAt = out.length - SEEK_BYTES
  const cuesSeekAt = chaptersSeekAt - SEEK_BYTES
  const infoAt = out.length
  out.raw(info)
  const infoHeaderBytes = 4 + (info.length - 5 < 127 ? 1 : 2)
  return {
    bytes: out.done(),
    slots: { segmentOffset, segmentSizeAt, cuesSeekAt, chaptersSeekAt, durationAt: infoAt + infoHeaderBytes },
  }
}

function writeInfo(origin: Origin): Uint8Array {
  const out = new EbmlWriter()
  out.master(E.INFO, (info) => {
    info.raw(voidElement(DURATION_BYTES))
    info.uint(E.TIMESTAMP_SCALE, TIMESTAMP_SCALE_NS)
    info.date(E.DATE_UTC, origin.creationTimeMs)
    if (origin.title !== undefined) info.text(E.TITLE, origin.title.slice(0, MAX_TITLE_LENGTH))
    info.text(E.MUXING_APP, MUXING_APP).text(E.WRITING_APP, MUXING_APP)
  })
  return out.done()
}

/** Characters of a title that are kept; so an Info stays below 16 KiB. */
const MAX_TITLE_LENGTH = 1024

/** A Seek entry of `SEEK_BYTES` (RFC 9559 §5.1.1.1). `position` counts from the Segment's content. */
function seek(id: number, position: number): Uint8Array {
  return new EbmlWriter().master(E.SEEK, (entry) => entry.uint(E.SEEK_ID, id).uint(E.SEEK_POSITION, position, 8)).done()
}

/** What a whole file says of itself. */
export type Completion = {
  /** Where the Cues start, from the start of the file; undefined without Cues. */
  readonly cuesOffset: number | undefined
  /** The same of Chapters. */
  readonly chaptersOffset?: number | undefined
  /** Undefined without any frame: a Duration of 0 is not allowed (RFC 9559 §5.1.2.10). */
  readonly durationMs: number | undefined
  /** Where the Segment ends, from the start of the file. */
  readonly endOffset: number
}

/** The patches that complete a file: each by itself leaves it valid. */
export function completingPatches(slots: Slots, end: Completion): Patch[] {
  const patches: Patch[] = []
  if (end.cuesOffset !== undefined) {
    patches.push({ offset: slots.cuesSeekAt, bytes: seek(E.CUES, end.cuesOffset - slots.segmentOffset) })
  }
  if (end.chaptersOffset !== undefined && slots.chaptersSeekAt !== undefined) {
    const bytes = seek(E.CHAPTERS, end.chaptersOffset - slots.segmentOffset)
    patches.push({ offset: slots.chaptersSeekAt, bytes })
  }
  if (end.durationMs !== undefined) {
    patches.push({ offset: slots.durationAt, bytes: new EbmlWriter().float(E.DURATION, end.durationMs).done() })
  }
  patches.push({ offset: slots.segmentSizeAt, bytes: longSize(end.endOffset - slots.segmentOffset) })
  return patches
}
