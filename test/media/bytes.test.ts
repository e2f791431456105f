import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BitReader } from '../../src/media/bits.ts'
import { ByteReader, ByteWriter } from '../../src/media/bytes.ts'
import { MalformedError } from '../../src/media/errors.ts'

describe('ByteWriter and ByteReader', () => {
  it('agree on every field', () => {
    fc.assert(
      fc.property(
        fc.nat(255),
        fc.nat(65535),
        fc.nat(0xffffff),
        fc.nat(0xffffffff),
        fc.integer(),
        fc.maxSafeNat(),
        fc.double({ noNaN: true }),
        fc.uint8Array(),
        (a, b, c, d, e, f, g, h) => {
          const writer = new ByteWriter(1).u8(a).u16(b).u24(c).u32(d).i32(e).u64(f).f64(g).u16le(b).u32le(d).put(h)
          const reader = new ByteReader(writer.done(), 'test')
          expect([reader.u8(), reader.u16(), reader.u24(), reader.u32(), reader.i32(), reader.u64()]).toEqual([
            a,
            b,
            c,
            d,
            e,
            f,
          ])
          expect(reader.f64()).toBe(g)
          expect([reader.u16le(), reader.u32le()]).toEqual([b, d])
          expect(reader.rest()).toEqual(h)
          expect(() => reader.u8()).toThrow(MalformedError)
        },
      ),
    )
  })

  it('refuses a 64-bit field that no number can hold', () => {
    expect(() => new ByteReader(new Uint8Array(8).fill(0xff), 'test').u64()).toThrow(MalformedError)
  })
})

describe('BitReader', () => {
  it('reads Exp-Golomb codes as H.264 §9.1 tabulates them', () => {
    const codes = new BitReader(Uint8Array.of(0b1_010_011_0, 0b0100_0010, 0b1_0000000), 'test')
    expect([codes.ue(), codes.ue(), codes.ue(), codes.ue(), codes.ue()]).toEqual([0, 1, 2, 3, 4])
    const signed = new BitReader(Uint8Array.of(0b1_010_011_0, 0b0100_0010, 0b1_0000000), 'test')
    expect([signed.se(), signed.se(), signed.se(), signed.se(), signed.se()].map((v) => v + 0)).toEqual([
      0, 1, -1, 2, -2,
    ])
  })

  it('ends with an error, not with invented bits', () => {
    expect(() => new BitReader(new Uint8Array(2), 'test').ue()).toThrow(MalformedError)
    expect(() => new BitReader(new Uint8Array(8), 'test').ue()).toThrow(MalformedError)
    expect(() => new BitReader(new Uint8Array(1), 'test').bits(9)).toThrow(MalformedError)
  })
})
