import { ByteWriter } from '../../media/bytes.ts'
import { LimitError } from '../../media/errors.ts'
import { MAX_LONG_STRING_BYTES, MAX_STRING_BYTES } from './amf-budget.ts'
import { AMF0, type AmfValue } from './amf-value.ts'

/** Values in one another that we write, levels; what `parseAmf0Values` takes. */
const MAX_DEPTH = 32

/**
 * AMF0 of the values, one after the other. Objects are written as anonymous objects, arrays as strict arrays.
 * @throws LimitError for a name over 65 535 bytes, a string over 1 MiB, or more than 32 levels (a cycle, too)
 */
export function writeAmf0Values(values: readonly AmfValue[]): Uint8Array {
  const writer = new Amf0Writer()
  for (const value of values) writer.value(value)
  return writer.bytes.done()
}

/**
 * `name` and an ECMA array of `members`: a data message or script tag such as onMetaData (FLV v10.1 §E.4.4.1).
 * @throws LimitError as `writeAmf0Values`
 */
export function writeAmf0Data(name: string, members: { readonly [key: string]: AmfValue }): Uint8Array {
  const writer = new Amf0Writer()
  writer.value(name)
  writer.beginEcmaArray(Object.keys(members).length)
  for (const [key, value] of Object.entries(members)) writer.member(key, value)
  writer.endObject()
  return writer.bytes.done()
}

/** Writes AMF0 piece by piece, for whoever must know where each value lies. */
export class Amf0Writer {
  readonly bytes = new ByteWriter(512)
  #depth = 0

  value(value: AmfValue): void {
    switch (typeof value) {
      case 'number':
        this.bytes.u8(AMF0.NUMBER).f64(value)
        return
      case 'boolean':
        this.bytes.u8(AMF0.BOOLEAN).u8(value ? 1 : 0)
        return
      case 'string':
        this.#string(value)
        return
      case 'undefined':
        this.bytes.u8(AMF0.UNDEFINED)
        return
    }
    if (value === null) this.bytes.u8(AMF0.NULL)
    else if (value instanceof Date) this.bytes.u8(AMF0.DATE).f64(value.getTime()).u16(0)
    else if (Array.isArray(value)) this.#array(value)
    else this.#object(value)
  }

  /** A member's name and value, within an object or ECMA array. */
  member(key: string, value: AmfValue): void {
    this.name(key)
    this.value(value)
  }

  /** A member's name alone; its value is to follow. */
  name(key: string): void {
    const text = Buffer.from(key, 'utf8')
    if (text.length > MAX_STRING_BYTES) {
      throw new LimitError('name of an AMF member', { limit: MAX_STRING_BYTES, asked: text.length })
    }
    this.bytes.u16(text.length).put(text)
  }

  beginObject(): void {
    this.bytes.u8(AMF0.OBJECT)
  }

  /** `count` is what readers are told; the end marker is what counts. */
  beginEcmaArray(count: number): void {
    this.bytes.u8(AMF0.ECMA_ARRAY).u32(count)
  }

  endObject(): void {
    this.bytes.u16(0).u8(AMF0.OBJECT_END)
  }

  #string(value: string): void {
    const text = Buffer.from(value, 'utf8')
    if (text.length > MAX_LONG_STRING_BYTES) {
      throw new LimitError('AMF string', { limit: MAX_LONG_STRING_BYTES, asked: text.length })
    }
    if (text.length <= MAX_STRING_BYTES) this.bytes.u8(AMF0.STRING).u16(text.length)
    else this.bytes.u8(AMF0.LONG_STRING).u32(text.length)
    this.bytes.put(text)
  }

  #array(values: readonly AmfValue[]): void {
    this.#enter()
    this.bytes.u8(AMF0.STRICT_ARRAY).u32(values.length)
    for (const value of values) this.value(value)
    this.#depth--
  }

  #object(object: { readonly [key: string]: AmfValue }): void {
    this.#enter()
    this.beginObject()
    for (const [key, value] of Object.entries(object)) this.member(key, value)
    this.endObject()
    this.#depth--
  }

  #enter(): void {
    if (++this.#depth > MAX_DEPTH) throw new LimitError('depth of AMF objects', { limit: MAX_DEPTH })
  }
}
