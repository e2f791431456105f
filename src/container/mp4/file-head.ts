import { ByteWriter } from '../../media/bytes.ts'
import { beginBox, endBox, writeFree } from './box-writer.ts'

/** Bytes between `ftyp` and the first header that one day are the header of an `mdat` over all fragments. */
export const RESERVED_BYTES = 16
/** Brands: base media with signed composition offsets and moof-relative data offsets (iso6), MP4 version 2. */
const BRANDS = ['isom', 'iso6', 'mp41', 'mp42']

/** The first bytes of a file: `ftyp` (ISO 14496-12 §4.3) and the reserved place. */
export function fileHead(): Uint8Array {
  const out = new ByteWriter(64)
  const ftyp = beginBox(out, 'ftyp')
  out.ascii('isom').u32(0x200)
  for (const brand of BRANDS) out.ascii(brand)
  endBox(out, ftyp)
  writeFree(out, RESERVED_BYTES)
  return out.done()
}

/** What the reserved bytes become: an `mdat` of `sizeBytes` in all, with a 64-bit size (§4.2). */
export function mediaHead(sizeBytes: number): Uint8Array {
  const out = new ByteWriter(RESERVED_BYTES)
  out.u32(1).ascii('mdat').u64(sizeBytes)
  return out.done()
}

/** The reserved bytes as they are before there is an index. */
export function reservedHead(): Uint8Array {
  const out = new ByteWriter(RESERVED_BYTES)
  writeFree(out, RESERVED_BYTES)
  return out.done()
}
