import type { ByteReader } from '../../media/bytes.ts'
import { LimitError } from '../../media/errors.ts'
import { type AmfBudget, MAX_LONG_STRING_BYTES, ReferenceTable } from './amf-budget.ts'
import { type AmfValue, setMember, utf8 } from './amf-value.ts'

/** Markers of AMF3 values (AMF3 §3.1). */
const AMF3 = {
  UNDEFINED: 0x00, // §3.2
  NULL: 0x01, // §3.3
  FALSE: 0x02, // §3.4
  TRUE: 0x03, // §3.5
  INTEGER: 0x04, // §3.6
  DOUBLE: 0x05, // §3.7
  STRING: 0x06, // §3.8
  XML_DOCUMENT: 0x07, // §3.9
  DATE: 0x08, // §3.10
  ARRAY: 0x09, // §3.11
  OBJECT: 0x0a, // §3.12
  XML: 0x0b, // §3.13
  BYTE_ARRAY: 0x0c, // §3.14
} as const

/** Members that a class may declare. */
const MAX_TRAIT_MEMBERS = 1000

/** A class as an object states it once and others refer to (AMF3 §3.12). */
interface Traits {
  readonly members: readonly string[]
  readonly dynamic: boolean
}

/**
 * Reads the AMF3 values that RTMP peers put behind an avmplus marker. Its three reference tables live as long as it does:
 * one message.
 *
 * Byte arrays have no like in `AmfValue` and read as undefined; externalizable objects cannot be read by anybody who does
 * not know their class, and are refused.
 */
export class Amf3Reader {
  readonly #in: ByteReader
  readonly #budget: AmfBudget
  readonly #objects: ReferenceTable
  readonly #strings: string[] = []
  readonly #traits: Traits[] = []

  constructor(input: ByteReader, budget: AmfBudget) {
    this.#in = input
    this.#budget = budget
    this.#objects = new ReferenceTable(budget)
  }

  /** The next value. @throws MalformedError, LimitError as `parseAmf0Values` */
  value(): AmfValue {
    this.#budget.value()
    const marker = this.#in.u8()
    switch (marker) {
      case AMF3.UNDEFINED:
        return undefined
      case AMF3.NULL:
        return null
      case AMF3.FALSE:
        return false
      case AMF3.TRUE:
        return true
      case AMF3.INTEGER:
        return (this.#u29() << 3) >> 3 // signed 29 bits, §3.6
      case AMF3.DOUBLE:
        return this.#in.f64()
      case AMF3.STRING:
        return this.#string()
      default:
        return this.#referable(marker)
    }
  }

  #referable(marker: number): AmfValue {
    if (marker < AMF3.XML_DOCUMENT || marker > AMF3.BYTE_ARRAY) {
      this.#in.fail(`unknown AMF3 marker 0x${marker.toString(16)}`)
    }
    const head = this.#u29()
    if ((head & 1) === 0) {
      const target = this.#objects.get(head >>> 1)
      if (target === undefined) this.#in.fail(`AMF3 reference ${head >>> 1} leads to no complete object`)
      return target.value
    }
    switch (marker) {
      case AMF3.ARRAY:
        return this.#array(head >>> 1)
      case AMF3.OBJECT:
        return this.#object(head)
      case AMF3.DATE:
        return this.#whole(new Date(this.#in.f64()))
      case AMF3.BYTE_ARRAY:
        this.#in.skip(head >>> 1)
        return this.#whole(undefined)
      default:
        return this.#whole(this.#text(head >>> 1))
    }
  }

  #whole(value: AmfValue): AmfValue {
    this.#objects.open(value)()
    return value
  }

  /** Up to 29 bits in up to 4 bytes (AMF3 §1.3.1). */
  #u29(): number {
    let value = 0
    for (let i = 0; i < 3; i++) {
      const byte = this.#in.u8()
      value = (value << 7) | (byte & 0x7f)
      if (byte < 0x80) return value
    }
    return (value << 8) | this.#in.u8()
  }

  #string(): string {
    const head = this.#u29()
    if ((head & 1) === 0) {
      const text = this.#strings[head >>> 1]
      if (text === undefined) this.#in.fail(`AMF3 string reference ${head >>> 1} leads nowhere`)
      this.#budget.text(text.length)
      return text
    }
    const text = this.#text(head >>> 1)
    if (text !== '') this.#strings.push(text) // the empty string is never sent by reference, §1.3.2
    return text
  }

  #text(length: number): string {
    if (length > MAX_LONG_STRING_BYTES)
      throw new LimitError('AMF string', { limit: MAX_LONG_STRING_BYTES, asked: length })
    this.#budget.text(length)
    return utf8(this.#in.take(length))
  }

  /** Named members first, then the dense part; with both, an object whose dense part is under its indices. */
  #array(count: number): AmfValue {
    if (count > this.#in.remaining) this.#in.fail(`array of ${count} in ${this.#in.remaining} bytes`)
    let name = this.#string()
    if (name === '') {
      const array: AmfValue[] = []
      const complete = this.#objects.open(array)
      this.#budget.enter()
      for (let i = 0; i < count; i++) array.push(this.value())
      this.#budget.leave()
      complete()
      return array
    }
    const object: { [key: string]: AmfValue } = {}
    const complete = this.#objects.open(object)
    this.#budget.enter()
    for (; name !== ''; name = this.#string()) setMember(object, name, this.value())
    for (let i = 0; i < count; i++) object[i] = this.value()
    this.#budget.leave()
    complete()
    return object
  }

  #object(head: number): AmfValue {
    const traits = this.#traitsOf(head)
    const object: { [key: string]: AmfValue } = {}
    const complete = this.#objects.open(object)
    this.#budget.enter()
    for (const name of traits.members) setMember(object, name, this.value())
    if (traits.dynamic) {
      for (let name = this.#string(); name !== ''; name = this.#string()) setMember(object, name, this.value())
    }
    this.#budget.leave()
    complete()
    return object
  }

  #traitsOf(head: number): Traits {
    if ((head & 0b11) === 0b01) {
      const known = this.#traits[head >>> 2]
      if (known === undefined) this.#in.fail(`AMF3 traits reference ${head >>> 2} leads nowhere`)
      return known
    }
    if ((head & 0b111) === 0b111) this.#in.fail('externalizable AMF3 objects cannot be read without their class')
    const count = head >>> 4
    if (count > MAX_TRAIT_MEMBERS)
      throw new LimitError('members of an AMF3 class', { limit: MAX_TRAIT_MEMBERS, asked: count })
    this.#string() // class name
    const members: string[] = []
    for (let i = 0; i < count; i++) members.push(this.#string())
    const traits = { members, dynamic: (head & 0b1000) !== 0 }
    this.#traits.push(traits)
    return traits
  }
}
