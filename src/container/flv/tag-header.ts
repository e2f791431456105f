/** Tag types (FLV v10.1 §E.4.1). The same numbers as RTMP's message types. */
export const TAG_TYPE = { AUDIO: 8, VIDEO: 9, SCRIPT: 18 } as const
/** Before a tag's body: type, size, timestamp, stream id (§E.4.1), bytes. */
export const TAG_HEADER_BYTES = 11
/** After a tag's body: its size once more (§E.3), bytes. */
export const PREVIOUS_TAG_SIZE_BYTES = 4
/** A tag's body: a 24-bit size, bytes (§E.4.1). */
export const MAX_BODY_BYTES = 0xffffff
/** Signature, version, flags, header size (§E.2), bytes. */
export const FILE_HEADER_BYTES = 9
/** What the file header promises (§E.2). */
export const FILE_FLAG = { VIDEO: 1, AUDIO: 4 } as const
/** Where the file header promises it. */
export const FILE_FLAGS_AT = 4

/** The file header and the first PreviousTagSize, which is 0 (§E.2, §E.3). */
export function fileHeader(flags: number): Uint8Array {
  return Uint8Array.of(0x46, 0x4c, 0x56, 1, flags, 0, 0, 0, FILE_HEADER_BYTES, 0, 0, 0, 0)
}

/** Writes the header of a tag with stream id 0; `timestampMs` is taken modulo 2^32 (§E.4.1 TimestampExtended). */
export function writeTagHeader(into: Uint8Array, type: number, bodyBytes: number, timestampMs: number): void {
  const time = timestampMs >>> 0
  into[0] = type
  into[1] = bodyBytes >>> 16
  into[2] = bodyBytes >>> 8
  into[3] = bodyBytes
  into[4] = time >>> 16
  into[5] = time >>> 8
  into[6] = time
  into[7] = time >>> 24
  into[8] = 0
  into[9] = 0
  into[10] = 0
}

/** Writes the size behind a tag, from its body's size. */
export function writePreviousTagSize(into: Uint8Array, bodyBytes: number): void {
  const size = bodyBytes + TAG_HEADER_BYTES
  into[0] = size >>> 24
  into[1] = size >>> 16
  into[2] = size >>> 8
  into[3] = size
}

/** A whole tag in one piece. For script tags and sequence headers, not for media. */
export function wholeTag(type: number, timestampMs: number, body: Uint8Array): Uint8Array {
  const tag = new Uint8Array(TAG_HEADER_BYTES + body.length + PREVIOUS_TAG_SIZE_BYTES)
  writeTagHeader(tag, type, body.length, timestampMs)
  tag.set(body, TAG_HEADER_BYTES)
  writePreviousTagSize(tag.subarray(TAG_HEADER_BYTES + body.length), body.length)
  return tag
}
