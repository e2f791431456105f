import { ByteReader } from '../../media/bytes.ts'
import { LimitError } from '../../media/errors.ts'
import { AmfBudget, MAX_LONG_STRING_BYTES, ReferenceTable } from './amf-budget.ts'
import { AMF0, type AmfValue, setMember, utf8 } from './amf-value.ts'
import { Amf3Reader } from './amf3.ts'

export type { AmfValue } from './amf-value.ts'
export { writeAmf0Data, writeAmf0Values } from './amf0-writer.ts'

/**
 * All values of a data or command message, or of a script tag's body, one after the other.
 *
 * ECMA arrays and typed objects become objects (the class name is dropped), XML its text, `unsupported` undefined, and
 * AMF3 values behind an avmplus marker what they are alike to. A top-level reference may be to an object of the same message.
 * @throws MalformedError where the bytes are not AMF
 * @throws LimitError over 32 levels, 10 000 values or 1 MiB in one string
 */
export function parseAmf0Values(bytes: Uint8Array): AmfValue[] {
  const reader = new Amf0Reader(bytes)
  const values: AmfValue[] = []
  while (reader.more) values.push(reader.value())
  return values
}

/** Reads AMF0 values one by one; bounded over all of them together. */
export class Amf0Reader {
  readonly #in: ByteReader
  readonly #budget = new AmfBudget()
  readonly #references = new ReferenceTable(this.#budget)
  #amf3: Amf3Reader | undefined

  constructor(bytes: Uint8Array) {
    this.#in = new ByteReader(bytes, 'AMF0')
  }

  get more(): boolean {
    return this.#in.remaining > 0
  }
  /** Where the next value begins. */
  get offset(): number {
    return this.#in.offset
  }

  /** The next value. @throws MalformedError, LimitError as `parseAmf0Values` */
  value(): AmfValue {
    this.#budget.value()
    const marker = this.#in.u8()
    switch (marker) {
      case AMF0.NUMBER:
        return this.#in.f64()
      case AMF0.BOOLEAN:
        return this.#in.u8() !== 0
      case AMF0.STRING:
        return this.#text(this.#in.u16())
      case AMF0.LONG_STRING:
      case AMF0.XML:
        return this.#text(this.#in.u32())
      case AMF0.NULL:
        return null
      case AMF0.UNDEFINED:
      case AMF0.UNSUPPORTED:
        return undefined
      case AMF0.DATE:
        return this.#date()
      default:
        return this.#complex(marker)
    }
  }

  #complex(marker: number): AmfValue {
    switch (marker) {
      case AMF0.OBJECT:
        return this.#members()
      case AMF0.ECMA_ARRAY:
        this.#in.u32() // §2.10: only a hint; the end marker counts
        return this.#members()
      case AMF0.TYPED_OBJECT:
        this.#text(this.#in.u16())
        return this.#members()
      case AMF0.STRICT_ARRAY:
        return this.#array()
      case AMF0.REFERENCE: {
        const index = this.#in.u16()
        const target = this.#references.get(index)
        if (target === undefined) this.#in.fail(`reference ${index} leads to no complete object`)
        return target.value
      }
      case AMF0.AVMPLUS:
        this.#amf3 ??= new Amf3Reader(this.#in, this.#budget)
        return this.#amf3.value()
      default:
        return this.#in.fail(`unknown marker 0x${marker.toString(16)}`)
    }
  }

  #text(length: number): string {
    if (length > MAX_LONG_STRING_BYTES)
      throw new LimitError('AMF string', { limit: MAX_LONG_STRING_BYTES, asked: length })
    this.#budget.text(length)
    return utf8(this.#in.take(length))
  }

  #date(): Date {
    const ms = this.#in.f64()
    this.#in.u16() // time zone, "should not be filled in", §2.13
    return new Date(ms)
  }

  #members(): AmfValue {
    const object: { [key: string]: AmfValue } = {}
    const complete = this.#references.open(object)
    this.#budget.enter()
    for (;;) {
      const length = this.#in.u16()
      if (length === 0 && this.#in.remaining > 0 && this.#in.bytes[this.#in.offset] === AMF0.OBJECT_END) break
      const key = this.#text(length)
      setMember(object, key, this.value())
    }
    this.#in.u8()
    this.#budget.leave()
    complete()
    return object
  }

  #array(): AmfValue {
    const count = this.#in.u32()
    if (count > this.#in.remaining) this.#in.fail(`array of ${count} in ${this.#in.remaining} bytes`)
    const array: AmfValue[] = []
    const complete = this.#references.open(array)
    this.#budget.enter()
    for (let i = 0; i < count; i++) array.push(this.value())
    this.#budget.leave()
    complete()
    return array
  }
}
