import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { target } from '../../../fuzz/amf0.ts'
import { attack } from '../../../fuzz/attack.ts'
import { type AmfValue, parseAmf0Values, writeAmf0Data, writeAmf0Values } from '../../../src/container/flv/amf0.ts'
import { LimitError, MalformedError } from '../../../src/media/errors.ts'

const bytes = (...values: number[]) => Uint8Array.from(values)
const ascii = (text: string) => [...Buffer.from(text)]

const { amf } = fc.letrec<{ amf: AmfValue }>((tie) => ({
  amf: fc.oneof(
    { maxDepth: 4 },
    fc.double({ noNaN: true }),
    fc.boolean(),
    fc.string({ unit: 'grapheme' }),
    fc.constant(null),
    fc.constant(undefined),
    fc.date({ noInvalidDate: true }),
    fc.array(tie('amf'), { maxLength: 5 }),
    fc.dictionary(fc.string({ minLength: 1 }), tie('amf'), { maxKeys: 5, noNullPrototype: true }),
  ),
}))

describe('AMF0', () => {
  it('reads what it writes', () => {
    fc.assert(
      fc.property(fc.array(amf, { maxLength: 4 }), (values) => {
        expect(parseAmf0Values(writeAmf0Values(values))).toStrictEqual(values)
      }),
    )
  })

  it('writes a command as the spec has it', () => {
    const expected = [2, 0, 3, ...ascii('foo'), 0, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 3, 0, 1, ...ascii('a'), 1, 1, 0, 0, 9]
    expect([...writeAmf0Values(['foo', 1, { a: true }])]).toEqual(expected)
  })

  it('writes onMetaData as an ECMA array', () => {
    const data = writeAmf0Data('onMetaData', { width: 1280 })
    expect([...data.subarray(13, 18)]).toEqual([8, 0, 0, 0, 1])
    expect(parseAmf0Values(data)).toEqual(['onMetaData', { width: 1280 }])
  })

  it('reads long strings, XML, typed objects, unsupported', () => {
    const long = 'y'.repeat(70_000)
    expect(parseAmf0Values(writeAmf0Values([long]))).toEqual([long])
    expect(parseAmf0Values(bytes(0x0f, 0, 0, 0, 3, ...ascii('<a>')))).toEqual(['<a>'])
    expect(parseAmf0Values(bytes(0x10, 0, 1, 0x41, 0, 1, 0x62, 5, 0, 0, 9, 0x0d))).toEqual([{ b: null }, undefined])
  })

  it('follows references to complete objects, and no others', () => {
    const shared = bytes(0x0a, 0, 0, 0, 2, 3, 0, 1, 0x61, 5, 0, 0, 9, 7, 0, 1)
    expect(parseAmf0Values(shared)).toEqual([[{ a: null }, { a: null }]])
    expect(() => parseAmf0Values(bytes(3, 0, 1, 0x61, 7, 0, 0, 0, 0, 9))).toThrow(MalformedError)
    expect(() => parseAmf0Values(bytes(7, 0, 9))).toThrow(MalformedError)
  })

  it('keeps a member called __proto__ a member', () => {
    const [value] = parseAmf0Values(bytes(3, 0, 9, ...ascii('__proto__'), 3, 0, 1, 0x78, 1, 1, 0, 0, 9, 0, 0, 9))
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect(Object.keys(value ?? {})).toEqual(['__proto__'])
  })

  it('bounds depth, count and length', () => {
    const deep = Uint8Array.from(Array.from({ length: 40 }, () => [3, 0, 1, 0x61]).flat())
    expect(() => parseAmf0Values(deep)).toThrow(LimitError)
    expect(() => parseAmf0Values(new Uint8Array(20_000).fill(5))).toThrow(LimitError)
    expect(() => parseAmf0Values(bytes(0x0c, 0x7f, 0xff, 0xff, 0xff))).toThrow(LimitError)
    expect(() => parseAmf0Values(bytes(0x0a, 0x7f, 0xff, 0xff, 0xff))).toThrow(MalformedError)
    const cyclic: AmfValue[] = []
    cyclic.push(cyclic)
    expect(() => writeAmf0Values(cyclic)).toThrow(LimitError)
  })

  it('bounds what references multiply', () => {
    // an array of 100 values, then arrays that name the one before a hundred times over
    const out = [0x0a, 0, 0, 0, 4, 0x0a, 0, 0, 0, 100, ...Array<number>(100).fill(5)]
    for (let index = 1; index < 4; index++) {
      out.push(0x0a, 0, 0, 0, 100, ...Array.from({ length: 100 }, () => [7, 0, index]).flat())
    }
    expect(() => parseAmf0Values(Uint8Array.from(out))).toThrow(LimitError)
  })
})

describe('AMF3 behind an avmplus marker', () => {
  it('reads dynamic objects, integers, arrays and string references', () => {
    const seeds = target.seeds()
    expect(parseAmf0Values(seeds[4])).toEqual([{ a: 128, bc: ['x', 'x'] }])
    expect(parseAmf0Values(seeds[5])).toEqual([{ a: 1, b: true }])
    expect(parseAmf0Values(seeds[6])).toEqual([new Date(1_580_547_964_928), undefined, 2])
  })

  it('reads negative integers and goes on with AMF0', () => {
    expect(parseAmf0Values(bytes(0x11, 4, 0xff, 0xff, 0xff, 0xff, 1, 1))).toEqual([-1, true])
  })

  it('reads associative arrays, class and object references', () => {
    const assoc = bytes(0x11, 9, 3, 3, 0x6b, 3, 1, 2)
    expect(parseAmf0Values(assoc)).toEqual([{ k: true, 0: false }])
    const twice = bytes(0x11, 9, 7, 1, 0x0a, 0x13, 1, 3, 0x61, 4, 5, 0x0a, 1, 4, 6, 0x0a, 2)
    expect(parseAmf0Values(twice)).toEqual([[{ a: 5 }, { a: 6 }, { a: 5 }]])
  })

  it('refuses cycles and externalizable objects', () => {
    expect(() => parseAmf0Values(bytes(0x11, 9, 3, 1, 9, 0))).toThrow(MalformedError)
    expect(() => parseAmf0Values(bytes(0x11, 0x0a, 7, 1))).toThrow(/externalizable/)
  })
})

it('throws nothing but its own errors at mutated input', async () => {
  expect((await attack(target, 5000, 1)).finding).toBeUndefined()
})
