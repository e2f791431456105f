import { ByteReader } from '../../media/bytes.ts'
import { LimitError, MalformedError } from '../../media/errors.ts'
import type { SourceWindow } from './source-window.ts'

/** Boxes directly within one box: an honest file has a handful, and a movie one per track. */
const MAX_CHILDREN = 1024

/** Where a box lies in the file. `endOffset` is what its size says, and may be beyond the end. */
export interface BoxAt {
  readonly type: string
  readonly offset: number
  readonly headerBytes: number
  readonly endOffset: number
}

/** A box in memory. */
export interface Box {
  readonly type: string
  /** Header and all. */
  readonly bytes: Uint8Array
  readonly payload: Uint8Array
}

/**
 * The header of a box (ISO 14496-12 §4.2) at `offset`, within something that ends at `endOffset`. Undefined when there is
 * none: too few bytes, a size that cannot be, a type that is no type.
 */
export async function readBoxHeader(
  window: SourceWindow,
  offset: number,
  endOffset: number,
): Promise<BoxAt | undefined> {
  const room = Math.min(endOffset, window.sizeBytes) - offset
  if (room < 8) return undefined
  return parseBoxHeader(await window.read(offset, Math.min(room, 16)), offset, endOffset)
}

/** All boxes from `startOffset` to `endOffset`. @throws MalformedError unless they fill it exactly */
export async function listBoxes(window: SourceWindow, startOffset: number, endOffset: number): Promise<BoxAt[]> {
  const boxes: BoxAt[] = []
  for (let offset = startOffset; offset < endOffset; ) {
    const box = await readBoxHeader(window, offset, endOffset)
    if (box === undefined && isPadding(endOffset - offset)) break
    if (box === undefined || box.endOffset > endOffset) throw new MalformedError('mp4', 'bad box size', offset)
    if (boxes.length === MAX_CHILDREN) throw new LimitError('mp4 boxes in one box', { limit: MAX_CHILDREN })
    boxes.push(box)
    offset = box.endOffset
  }
  return boxes
}

/** The content of a box. @throws LimitError when it is larger than `maxBytes` */
export async function readPayload(window: SourceWindow, box: BoxAt, maxBytes: number): Promise<Uint8Array> {
  const start = box.offset + box.headerBytes
  const size = box.endOffset - start
  if (size > maxBytes) throw new LimitError(`mp4 box ${box.type}, bytes`, { limit: maxBytes, asked: size })
  return (await window.read(start, size)).slice()
}

/** All boxes that `bytes` holds. @throws MalformedError unless they fill it exactly */
export function parseBoxes(bytes: Uint8Array, where: string): Box[] {
  const boxes: Box[] = []
  for (let at = 0; at < bytes.length; ) {
    const header = parseBoxHeader(bytes.subarray(at, at + 16), at, bytes.length)
    if (header === undefined && isPadding(bytes.length - at)) break
    if (header === undefined || header.endOffset > bytes.length) throw new MalformedError(where, 'bad box size', at)
    if (boxes.length === MAX_CHILDREN) throw new LimitError(`boxes in one ${where}`, { limit: MAX_CHILDREN })
    boxes.push({
      type: header.type,
      bytes: bytes.subarray(at, header.endOffset),
      payload: bytes.subarray(at + header.headerBytes, header.endOffset),
    })
    at = header.endOffset
  }
  return boxes
}

/** Reads a FullBox (§4.2): its version and flags, and its content from behind them. */
export function readFullBox(
  payload: Uint8Array,
  where: string,
): { version: number; flags: number; reader: ByteReader } {
  const reader = new ByteReader(payload, where)
  const version = reader.u8()
  const flags = reader.u24()
  return { version, flags, reader }
}

function parseBoxHeader(bytes: Uint8Array, offset: number, endOffset: number): BoxAt | undefined {
  if (bytes.length < 8) return undefined
  const reader = new ByteReader(bytes, 'box')
  const size32 = reader.u32()
  for (let i = 4; i < 8; i++) if (!isTypeByte(bytes[i])) return undefined
  const type = reader.ascii(4)
  if (size32 === 0) return { type, offset, headerBytes: 8, endOffset } // to the end, §4.2
  if (size32 !== 1) return size32 < 8 ? undefined : { type, offset, headerBytes: 8, endOffset: offset + size32 }
  if (bytes.length < 16 || bytes[8] !== 0) return undefined
  const size = reader.u64()
  return size < 16 ? undefined : { type, offset, headerBytes: 16, endOffset: offset + size }
}

/** Printable, or the © of iTunes tags. */
function isTypeByte(byte: number): boolean {
  return (byte >= 0x20 && byte < 0x7f) || byte === 0xa9
}

/** QuickTime ends lists with four zero bytes. */
function isPadding(bytesLeft: number): boolean {
  return bytesLeft <= 4
}
