/** A value of AMF0 as JavaScript sees it. `undefined` is the AMF undefined type; objects keep the order of their keys. */
export type AmfValue = number | boolean | string | null | undefined | Date | AmfValue[] | { [key: string]: AmfValue }

/** Markers of AMF0 values (AMF0 §2.1). */
export const AMF0 = {
  NUMBER: 0x00, // §2.2
  BOOLEAN: 0x01, // §2.3
  STRING: 0x02, // §2.4
  OBJECT: 0x03, // §2.5
  NULL: 0x05, // §2.7
  UNDEFINED: 0x06, // §2.8
  REFERENCE: 0x07, // §2.9
  ECMA_ARRAY: 0x08, // §2.10
  OBJECT_END: 0x09, // §2.11
  STRICT_ARRAY: 0x0a, // §2.12
  DATE: 0x0b, // §2.13
  LONG_STRING: 0x0c, // §2.14
  UNSUPPORTED: 0x0d, // §2.15
  XML: 0x0f, // §2.17
  TYPED_OBJECT: 0x10, // §2.18
  AVMPLUS: 0x11, // §3.1: an AMF3 value follows
} as const

/** Sets a member of an object that was read, also one that a peer has called `__proto__`. */
export function setMember(object: { [key: string]: AmfValue }, key: string, value: AmfValue): void {
  if (key === '__proto__') {
    Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true })
  } else {
    object[key] = value
  }
}

/** Text as AMF has it. Wrong UTF-8 becomes U+FFFD: names are for people. */
export function utf8(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8')
}
