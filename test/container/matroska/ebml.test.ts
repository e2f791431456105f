import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  EbmlWriter,
  type Element,
  ElementHeader,
  elementsOf,
  longSize,
  putSize,
  readFloat,
  readSize,
  readText,
  readUint,
  sizeLength,
  UNKNOWN_SIZE,
  vintLength,
  voidElement,
} from '../../../src/container/matroska/ebml.ts'
import { LimitError, MalformedError } from '../../../src/media/errors.ts'

const only = (bytes: Uint8Array): Element => {
  const [element, ...rest] = elementsOf(bytes, 0, 'test')
  expect(rest).toEqual([])
  return element
}

describe('variable-size integers', () => {
  it('come back as they were written, in every length that holds them', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.integer({ min: 0, max: 7 }), (value, more) => {
        const length = Math.min(8, sizeLength(value) + more)
        const bytes = new Uint8Array(length)
        expect(putSize(bytes, 0, value, length)).toBe(length)
        expect(vintLength(bytes[0])).toBe(length)
        expect(readSize(bytes, 0, length)).toBe(value)
      }),
    )
  })

  it('never take the value whose bits are all one, which means unknown', () => {
    for (let length = 1; length <= 7; length++) {
      const reserved = 2 ** (7 * length) - 1
      expect(sizeLength(reserved - 1)).toBe(length)
      expect(sizeLength(reserved)).toBe(length + 1)
    }
    expect(readSize(Uint8Array.of(0xff), 0, 1)).toBe(UNKNOWN_SIZE)
    expect(readSize(Uint8Array.of(0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), 0, 8)).toBe(UNKNOWN_SIZE)
    expect(readSize(Uint8Array.of(0x40, 0x7f), 0, 2)).toBe(0x7f)
  })

  it('start with no zero byte', () => {
    expect(vintLength(0)).toBe(9)
    expect(vintLength(1)).toBe(8)
    expect(vintLength(0xff)).toBe(1)
  })
})

describe('element headers', () => {
  const read = (...bytes: number[]) => {
    const header = new ElementHeader()
    return [header.read(Uint8Array.from(bytes), 0, bytes.length), header.id, header.size, header.length]
  }

  it('are told from what is too short and from what is none', () => {
    expect(read(0xa3, 0x84)).toEqual(['ok', 0xa3, 4, 2])
    expect(read(0x1a, 0x45, 0xdf, 0xa3, 0x40, 0x02)).toEqual(['ok', 0x1a45dfa3, 2, 6])
    expect(read()[0]).toBe('short')
    expect(read(0x1a, 0x45, 0xdf)[0]).toBe('short')
    expect(read(0xa3)[0]).toBe('short')
    expect(read(0xa3, 0x40)[0]).toBe('short')
    expect(read(0x08, 0, 0, 0, 0)[0]).toBe('bad')
    expect(read(0xa3, 0x00)[0]).toBe('bad')
  })

  it('refuse sizes beyond 2^53 - 1', () => {
    expect(read(0xa3, 0x01, 0xff, 0, 0, 0, 0, 0, 0)[0]).toBe('bad')
  })
})

describe('elements', () => {
  it('carry integers, floats, text and dates both ways', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        expect(readUint(only(new EbmlWriter().uint(0xd7, value).done()))).toBe(value)
        expect(readUint(only(new EbmlWriter().uint(0xd7, value, 8).done()))).toBe(value)
      }),
    )
    fc.assert(
      fc.property(fc.double({ noNaN: true }), (value) => {
        expect(readFloat(only(new EbmlWriter().float(0x4489, value).done()))).toBe(value)
      }),
    )
    expect(readText(only(new EbmlWriter().text(0x7ba9, 'Grüße 🎬').done()))).toBe('Grüße 🎬')
    expect(readText(only(new EbmlWriter().text(0x7ba9, 'a\0b').done()))).toBe('a')
    const date = only(new EbmlWriter().date(0x4461, Date.UTC(2001, 0, 1, 0, 0, 1)).done())
    expect(readUint(date)).toBe(1_000_000_000)
  })

  it('nest, and know where they lie', () => {
    const bytes = new EbmlWriter().master(0xae, (child) => child.uint(0xd7, 5).text(0x86, 'V')).done()
    const parent = only(bytes)
    const children = [...elementsOf(parent.data, parent.dataOffset, 'test')]
    expect(children.map(({ id, offset }) => [id, offset])).toEqual([
      [0xd7, 2],
      [0x86, 5],
    ])
  })

  it('fill any room with a Void', () => {
    for (const size of [2, 8, 9, 10, 127, 128, 129, 130, 8192]) {
      const bytes = voidElement(size)
      expect(bytes.length).toBe(size)
      expect(only(bytes).id).toBe(0xec)
    }
  })

  it('refuse children that are torn, overrun or have no size', () => {
    for (const bytes of [[0xd7], [0xd7, 0x82, 1], [0xae, 0xff], [0x00, 0x80]]) {
      expect(() => [...elementsOf(Uint8Array.from(bytes), 0, 'test')]).toThrow(MalformedError)
    }
    const many = new Uint8Array(60_000)
    for (let i = 0; i < many.length; i += 2) many.set([0xec, 0x80], i)
    expect(() => [...elementsOf(many, 0, 'test')]).toThrow(LimitError)
    expect(() => readUint(only(new EbmlWriter().binary(0xd7, new Uint8Array(9)).done()))).toThrow(MalformedError)
    expect(() => readFloat(only(new EbmlWriter().binary(0xd7, new Uint8Array(3)).done()))).toThrow(MalformedError)
  })

  it('get a size of 8 bytes in place of an unknown one', () => {
    expect([...longSize(0x1234)]).toEqual([1, 0, 0, 0, 0, 0, 0x12, 0x34])
  })
})
