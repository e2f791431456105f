import type { ByteWriter } from '../../media/bytes.ts'

/** Starts a box (ISO 14496-12 §4.2). What it returns goes to `endBox`, once the content is written. */
export function beginBox(out: ByteWriter, type: string): number {
  const at = out.length
  out.u32(0).ascii(type)
  return at
}

/** Starts a FullBox (§4.2): a box with a version and 24 bits of flags. */
export function beginFullBox(out: ByteWriter, type: string, version: number, flags: number): number {
  const at = beginBox(out, type)
  out.u32(version * 0x1000000 + flags)
  return at
}

/** Sets the size of a box begun at `at`. `followingBytes` of its content are not in `out` but come right behind it. */
export function endBox(out: ByteWriter, at: number, followingBytes = 0): void {
  out.patchU32(at, out.length - at + followingBytes)
}

/** A `free` box (§8.1.2) of `sizeBytes` in all, at least 8. */
export function writeFree(out: ByteWriter, sizeBytes: number): void {
  out
    .u32(sizeBytes)
    .ascii('free')
    .zero(sizeBytes - 8)
}
