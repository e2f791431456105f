import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  annexBToSample,
  joinAnnexB,
  joinSample,
  sampleToAnnexB,
  splitAnnexB,
  splitSample,
  unescapeNal,
} from '../../src/codec/nal.ts'
import { LimitError, MalformedError } from '../../src/media/errors.ts'

/** Legal NAL units: no 00 00 00 … 02 inside, no zero at the end. */
const unit = fc
  .uint8Array({ minLength: 1, maxLength: 40 })
  .map((bytes) => bytes.map((byte, i) => (byte <= 3 && i > 0 ? byte + 4 : byte || 1)))
const units = fc.array(unit, { maxLength: 8 })

describe('NAL units', () => {
  it('survive samples and byte streams', () => {
    fc.assert(
      fc.property(units, fc.constantFrom(1, 2, 4), (list, size) => {
        expect(splitSample(joinSample(list, size), size)).toEqual(list)
        expect(splitAnnexB(joinAnnexB(list))).toEqual(list)
        expect(annexBToSample(sampleToAnnexB(joinSample(list, size), size), size)).toEqual(joinSample(list, size))
      }),
    )
  })

  it('are found behind three- and four-byte start codes, trailing zeros and leading noise', () => {
    const bytes = Buffer.from('ff00000001670102000000000168030000016500', 'hex')
    expect(splitAnnexB(bytes).map((each) => Buffer.from(each).toString('hex'))).toEqual(['670102', '6803', '65'])
    expect(splitAnnexB(Buffer.from('000000000000', 'hex'))).toEqual([])
    expect(splitAnnexB(Buffer.from('000001', 'hex'))).toEqual([])
  })

  it('lose their emulation prevention bytes', () => {
    const escaped = Buffer.from('670000030000030100000302000003030300000400000300', 'hex')
    expect(Buffer.from(unescapeNal(escaped)).toString('hex')).toBe('67000000000100000200000303000004000000')
  })

  it('do not reach over the end of their sample', () => {
    expect(() => splitSample(Buffer.from('0000000565', 'hex'), 4)).toThrow(MalformedError)
    expect(() => splitSample(Buffer.from('00', 'hex'), 2)).toThrow(MalformedError)
    expect(() => splitSample(Buffer.from('ffffffff65', 'hex'), 4)).toThrow(MalformedError)
  })

  it('are bounded in number and, with short length fields, in size', () => {
    expect(() => splitAnnexB(Buffer.from('00000109'.repeat(20_000), 'hex'))).toThrow(LimitError)
    expect(() => joinSample([new Uint8Array(256)], 1)).toThrow(LimitError)
  })
})
