import { ByteWriter } from '../../media/bytes.ts'
import { LimitError, MalformedError } from '../../media/errors.ts'
import { CRC_32, VOID } from './elements.ts'

/** A size of all one bits: the element ends where something stands that cannot be its child (RFC 8794 §6.2). */
export const UNKNOWN_SIZE = -1
/** Longest element header: a 4-byte ID and an 8-byte size (RFC 8794 §11.2.4, §11.2.5), bytes. */
export const MAX_HEADER_BYTES = 12
/** Children of one element that are looked at; real headers have some dozens. */
const MAX_CHILDREN = 20_000
/** 2^(7n) for a size of n bytes (RFC 8794 §4). */
const VINT_RANGE = [1, 2 ** 7, 2 ** 14, 2 ** 21, 2 ** 28, 2 ** 35, 2 ** 42, 2 ** 49, 2 ** 56]

/** Length of the variable-size integer that `first` starts, 1 to 8 bytes; 9 when `first` is 0 and so starts none (RFC 8794 §4). */
export function vintLength(first: number): number {
  return Math.clz32(first) - 23
}

/**
 * The header of one element, read in place. One object serves for many elements.
 */
export class ElementHeader {
  id = 0
  /** Of the content, bytes; or `UNKNOWN_SIZE`. */
  size = 0
  /** Of ID and size together, bytes. */
  length = 0

  /** `short`: more bytes are needed than lie before `limit`. `bad`: no element starts here. */
  read(bytes: Uint8Array, at: number, limit: number): 'ok' | 'short' | 'bad' {
    if (at >= limit) return 'short'
    const idLength = vintLength(bytes[at])
    if (idLength > 4) return 'bad'
    if (at + idLength >= limit) return 'short'
    const sizeLength = vintLength(bytes[at + idLength])
    if (sizeLength > 8) return 'bad'
    if (at + idLength + sizeLength > limit) return 'short'
    let id = 0
    for (let i = 0; i < idLength; i++) id = id * 256 + bytes[at + i]
    this.id = id
    this.length = idLength + sizeLength
    this.size = readSize(bytes, at + idLength, sizeLength)
    return Number.isSafeInteger(this.size) ? 'ok' : 'bad'
  }
}

/** The variable-size integer of `length` bytes at `at`, without its marker; `UNKNOWN_SIZE` when all its bits are one. */
export function readSize(bytes: Uint8Array, at: number, length: number): number {
  let value = bytes[at] & (0xff >> length)
  let ones = value === 0xff >> length
  for (let i = 1; i < length; i++) {
    const byte = bytes[at + i]
    ones &&= byte === 0xff
    value = value * 256 + byte
  }
  return ones ? UNKNOWN_SIZE : value
}

/** One element inside a parent that is in memory. */
export type Element = {
  readonly id: number
  /** Where its header starts, counted like the `base` of its parent. */
  readonly offset: number
  /** Where its content starts, likewise. */
  readonly dataOffset: number
  /** Its content; a view. */
  readonly data: Uint8Array
}

/**
 * The children of an element whose content is `bytes`, Void and CRC-32 included. `base` is the offset of `bytes` in its file.
 * @throws MalformedError when a child is torn, overruns its parent or has no known size
 * @throws LimitError after 20 000 children
 */
export function* elementsOf(bytes: Uint8Array, base: number, where: string): Generator<Element> {
  const header = new ElementHeader()
  let at = 0
  for (let count = 0; at < bytes.length; count++) {
    if (count === MAX_CHILDREN) throw new LimitError(`${where}: children of one element`, { limit: MAX_CHILDREN })
    if (header.read(bytes, at, bytes.length) !== 'ok') throw new MalformedError(where, 'not an element', base + at)
    const start = at + header.length
    if (header.size === UNKNOWN_SIZE) throw new MalformedError(where, 'size unknown where it must be known', base + at)
    if (header.size > bytes.length - start) throw new MalformedError(where, 'child overruns its parent', base + at)
    const end = start + header.size
    yield { id: header.id, offset: base + at, dataOffset: base + start, data: bytes.subarray(start, end) }
    at = end
  }
}

/** Like `elementsOf`, without Void and CRC-32. */
export function* childrenOf(element: Element, where: string): Generator<Element> {
  for (const child of elementsOf(element.data, element.dataOffset, where)) {
    if (child.id !== VOID && child.id !== CRC_32) yield child
  }
}

/** An unsigned integer of 0 to 8 bytes (RFC 8794 §7.2). @throws MalformedError beyond 8 bytes or 2^53 - 1 */
export function readUint(element: Element): number {
  if (element.data.length > 8) throw new MalformedError('ebml', 'integer longer than 8 bytes', element.offset)
  let value = 0
  for (const byte of element.data) value = value * 256 + byte
  if (!Number.isSafeInteger(value)) throw new MalformedError('ebml', 'integer out of range', element.offset)
  return value
}

/** A float of 0, 4 or 8 bytes (RFC 8794 §7.3). @throws MalformedError for any other length */
export function readFloat(element: Element): number {
  const { data } = element
  if (data.length === 0) return 0
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  if (data.length === 4) return view.getFloat32(0)
  if (data.length === 8) return view.getFloat64(0)
  throw new MalformedError('ebml', `float of ${data.length} bytes`, element.offset)
}

/** A string up to its first NUL (RFC 8794 §7.4, §7.5), at most 4096 bytes of it. */
export function readText(element: Element): string {
  const end = element.data.indexOf(0)
  const bytes = element.data.subarray(0, Math.min(end < 0 ? element.data.length : end, 4096))
  return new TextDecoder().decode(bytes)
}

/** Smallest length that holds `size` and is not all ones (RFC 8794 §4.4), bytes. */
export function sizeLength(size: number): number {
  let length = 1
  while (length < 8 && size >= VINT_RANGE[length] - 1) length++
  return length
}

/** Writes `size` in `length` bytes at `at`; returns the offset behind it. */
export function putSize(bytes: Uint8Array, at: number, size: number, length: number): number {
  let rest = size
  for (let i = length - 1; i > 0; i--) {
    bytes[at + i] = rest % 256
    rest = Math.floor(rest / 256)
  }
  bytes[at] = rest | (0x100 >> length)
  return at + length
}

/** `size` as a vint of 8 bytes: what replaces an unknown size in place. */
export function longSize(size: number): Uint8Array {
  const bytes = new Uint8Array(8)
  putSize(bytes, 0, size, 8)
  return bytes
}

/** A Void of `totalBytes`, at least 2, header included (RFC 8794 §11.3.2). */
export function voidElement(totalBytes: number): Uint8Array {
  const bytes = new Uint8Array(totalBytes)
  const length = totalBytes < 9 ? 1 : 8
  bytes[0] = VOID
  putSize(bytes, 1, totalBytes - 1 - length, length)
  return bytes
}

/** Collects elements: for headers and indices, not for media. */
export class EbmlWriter {
  readonly #out = new ByteWriter()

  get length(): number {
    return this.#out.length
  }

  raw(bytes: Uint8Array): this {
    this.#out.put(bytes)
    return this
  }

  /** A size by itself, for an element whose ID went before and whose content comes after. */
  size(sizeBytes: number): this {
    const length = sizeLength(sizeBytes)
    const bytes = new Uint8Array(length)
    putSize(bytes, 0, sizeBytes, length)
    return this.raw(bytes)
  }

  binary(id: number, data: Uint8Array): this {
    this.#header(id, data.length)
    return this.raw(data)
  }

  /** In the fewest bytes, or in `width` bytes. */
  uint(id: number, value: number, width = bytesOf(value)): this {
    this.#header(id, width)
    let divisor = 256 ** (width - 1)
    for (let i = 0; i < width; i++, divisor /= 256) this.#out.u8(Math.floor(value / divisor) % 256)
    return this
  }

  float(id: number, value: number): this {
    this.#header(id, 8)
    this.#out.f64(value)
    return this
  }

  text(id: number, value: string): this {
    return this.binary(id, new TextEncoder().encode(value))
  }

  /** Nanoseconds since 2001-01-01T00:00:00 UTC (RFC 8794 §7.6). */
  date(id: number, unixMs: number): this {
    const epochMs = Date.UTC(2001, 0, 1)
    const bytes = new Uint8Array(8)
    new DataView(bytes.buffer).setBigInt64(0, BigInt(Math.round(unixMs) - epochMs) * 1_000_000n)
    return this.binary(id, bytes)
  }

  master(id: number, fill: (children: EbmlWriter) => void): this {
    const children = new EbmlWriter()
    fill(children)
    return this.binary(id, children.view())
  }

  /** What was written; a view that the next write may leave behind. */
  view(): Uint8Array {
    return this.#out.view()
  }

  /** What was written, as a copy of its own. */
  done(): Uint8Array {
    return this.#out.done()
  }

  #header(id: number, size: number): void {
    for (let shift = bytesOf(id) - 1; shift >= 0; shift--) this.#out.u8(Math.floor(id / 256 ** shift) % 256)
    this.size(size)
  }
}

/** Bytes that `value` needs, at least 1. */
function bytesOf(value: number): number {
  let count = 1
  for (let rest = Math.floor(value / 256); rest > 0; rest = Math.floor(rest / 256)) count++
  return count
}
