/** Header of a page up to and including its count of segments, bytes (RFC 3533 §6). */
export const PAGE_HEADER_BYTES = 27
/** Segments of a page at most (§6 item 9). */
export const MAX_SEGMENTS = 255
/** Bytes of a segment at most (same). */
const MAX_SEGMENT_BYTES = 255
/** The largest page there is, bytes. */
export const MAX_PAGE_BYTES = PAGE_HEADER_BYTES + MAX_SEGMENTS + MAX_SEGMENTS * MAX_SEGMENT_BYTES
/** `OggS`, the capture pattern (§6 item 1). */
export const CAPTURE_PATTERN = Uint8Array.of(0x4f, 0x67, 0x67, 0x53)
/** header_type_flag (§6 item 3): goes on with a packet of the page before; first page; last page of its logical stream. */
export const CONTINUED = 0x01
export const FIRST_PAGE = 0x02
export const LAST_PAGE = 0x04
/** Where the flags stand in a page, bytes. */
export const FLAGS_AT = 5
/** Where the CRC stands, bytes. */
const CRC_AT = 22
const SEGMENT_COUNT_AT = 26
const POLYNOMIAL = 0x04c11db7 // §6 item 7: neither reflected nor inverted

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte << 24
  for (let bit = 0; bit < 8; bit++) rest = rest < 0 ? (rest << 1) ^ POLYNOMIAL : rest << 1
  return rest >>> 0
})

/** The checksum of a whole page, its own field taken as zeros (§6 item 7). */
function pageCrc(page: Uint8Array): number {
  let crc = 0
  for (let i = 0; i < page.length; i++) {
    const byte = i >= CRC_AT && i < CRC_AT + 4 ? 0 : page[i]
    crc = (crc << 8) ^ CRC_TABLE[(crc >>> 24) ^ byte]
  }
  return crc >>> 0
}

/** What a page says beside its packets. */
export interface PageFacts {
  readonly flags: number
  /** Samples up to the end of its last whole packet; -1 where none ends on it. */
  readonly granule: number
  readonly serial: number
  /** Counts the pages of a logical stream from 0. */
  readonly sequence: number
}

/** How many segments a packet of `bytes` takes: its last one is shorter than 255 bytes, if need be empty (§6 item 9). */
export function segmentsOf(bytes: number): number {
  return Math.floor(bytes / MAX_SEGMENT_BYTES) + 1
}

/** A page of whole packets; together they have at most `MAX_SEGMENTS` segments. */
export function writePage({ flags, granule, serial, sequence }: PageFacts, packets: readonly Uint8Array[]): Uint8Array {
  let segments = 0
  let bytes = 0
  for (const packet of packets) {
    segments += segmentsOf(packet.length)
    bytes += packet.length
  }
  const page = new Uint8Array(PAGE_HEADER_BYTES + segments + bytes)
  const view = new DataView(page.buffer)
  page.set(CAPTURE_PATTERN)
  page[FLAGS_AT] = flags
  view.setBigInt64(6, BigInt(granule), true)
  view.setUint32(14, serial, true)
  view.setUint32(18, sequence, true)
  page[SEGMENT_COUNT_AT] = segments
  let lacing = PAGE_HEADER_BYTES
  let at = PAGE_HEADER_BYTES + segments
  for (const packet of packets) {
    const whole = segmentsOf(packet.length) - 1
    page.fill(MAX_SEGMENT_BYTES, lacing, lacing + whole)
    page[lacing + whole] = packet.length % MAX_SEGMENT_BYTES
    lacing += whole + 1
    page.set(packet, at)
    at += packet.length
  }
  view.setUint32(CRC_AT, pageCrc(page), true)
  return page
}

/** A packet, or what of one lies on a page; offsets from the start of the page, bytes. */
export interface PagePacket {
  readonly start: number
  readonly end: number
  /** It began on a page before. */
  readonly isContinued: boolean
  /** It does not go on on the next page. */
  readonly ends: boolean
}

/** A page that is read. */
export type Page = PageFacts & { readonly sizeBytes: number; readonly packets: readonly PagePacket[] }

/** The page at the start of `bytes`, its checksum right: `bad` where there is none, `short` where more bytes are needed to tell. */
export function readPage(bytes: Uint8Array): Page | 'bad' | 'short' {
  for (let i = 0; i < 4; i++) if (i < bytes.length && bytes[i] !== CAPTURE_PATTERN[i]) return 'bad'
  if (bytes.length < PAGE_HEADER_BYTES) return 'short'
  if (bytes[4] !== 0) return 'bad' // stream_structure_version
  const bodyAt = PAGE_HEADER_BYTES + bytes[SEGMENT_COUNT_AT]
  if (bytes.length < bodyAt) return 'short'
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const packets: PagePacket[] = []
  let isContinued = (bytes[FLAGS_AT] & CONTINUED) !== 0
  let start = bodyAt
  let end = bodyAt
  for (let i = PAGE_HEADER_BYTES; i < bodyAt; i++) {
    end += bytes[i]
    const ends = bytes[i] < MAX_SEGMENT_BYTES
    if (!ends && i + 1 < bodyAt) continue
    packets.push({ start, end, isContinued, ends })
    start = end
    isContinued = false
  }
  if (bytes.length < end) return 'short'
  if (pageCrc(bytes.subarray(0, end)) !== view.getUint32(CRC_AT, true)) return 'bad'
  return {
    flags: bytes[FLAGS_AT],
    granule: Number(view.getBigInt64(6, true)),
    serial: view.getUint32(14, true),
    sequence: view.getUint32(18, true),
    sizeBytes: end,
    packets,
  }
}

/** The same page with other flags, its checksum right. */
export function withFlags(page: Uint8Array, flags: number): Uint8Array {
  const changed = Uint8Array.from(page) // a Buffer’s own slice would share its memory
  changed[FLAGS_AT] = flags
  new DataView(changed.buffer).setUint32(CRC_AT, pageCrc(changed), true)
  return changed
}

/** The same page as the last one of its stream. */
export function asLastPage(page: Uint8Array): Uint8Array {
  return withFlags(page, page[FLAGS_AT] | LAST_PAGE)
}
