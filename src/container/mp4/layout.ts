import type { Fault } from '../reader.ts'
import { type BoxAt, readBoxHeader } from './box-reader.ts'
import { noteFault } from './faults.ts'
import { RESERVED_BYTES } from './file-head.ts'
import type { SourceWindow } from './source-window.ts'

/** Boxes gone by in search of the header; only a strange file has more. */
const MAX_BOXES = 65_536

/** How a file is laid out, as far as its boxes on top say. */
export interface Layout {
  /** The header that says how to read the file. */
  readonly moov: BoxAt
  /** Where the 16 bytes lie that `finish` makes an `mdat` of; undefined in files of others. */
  readonly reservedAt: number | undefined
  /** They are an `mdat` already, but the index behind it is gone: `moov` is the one within it. */
  readonly hasLostIndex: boolean
}

/** Finds the header of a file; undefined when there is none, as in a file that was cut off right after it was begun. */
export async function findLayout(window: SourceWindow, faults: Fault[]): Promise<Layout | undefined> {
  let reservedAt: number | undefined
  let isSealed = false
  let previous = ''
  let offset = 0
  for (let count = 0; count < MAX_BOXES && offset < window.sizeBytes; count++) {
    const box = await readBoxHeader(window, offset, window.sizeBytes)
    if (box === undefined) break
    if (previous === 'ftyp') {
      isSealed = box.type === 'mdat' && box.headerBytes === RESERVED_BYTES
      if (isSealed || (box.type === 'free' && box.endOffset - offset === RESERVED_BYTES)) reservedAt = offset
    }
    if (box.endOffset > window.sizeBytes) break
    if (box.type === 'moov') return { moov: box, reservedAt: await checked(window, reservedAt), hasLostIndex: false }
    previous = box.type
    offset = box.endOffset
  }
  if (!isSealed || reservedAt === undefined) return undefined
  const moov = await readBoxHeader(window, reservedAt + RESERVED_BYTES, window.sizeBytes)
  if (moov?.type !== 'moov' || moov.endOffset > window.sizeBytes) return undefined
  noteFault(faults, 'missing-index', offset, 'the index at the end is missing or torn')
  return { moov, reservedAt, hasLostIndex: true }
}

/** Only where a header follows at once are the 16 bytes ours: a `free` of that size may stand anywhere. */
async function checked(window: SourceWindow, reservedAt: number | undefined): Promise<number | undefined> {
  if (reservedAt === undefined) return undefined
  const next = await readBoxHeader(window, reservedAt + RESERVED_BYTES, window.sizeBytes)
  return next?.type === 'moov' ? reservedAt : undefined
}
