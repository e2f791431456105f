import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { buildAv1C, parseAv1C, writeAv1C } from '../../src/codec/av1/av1c.ts'
import { isAv1Keyframe } from '../../src/codec/av1/keyframe.ts'
import {
  findObu,
  OBU_FRAME,
  OBU_SEQUENCE_HEADER,
  OBU_TEMPORAL_DELIMITER,
  ObuCursor,
  temporalUnitToSample,
  writeObu,
} from '../../src/codec/av1/obu.ts'
import { parseAv1SequenceHeader } from '../../src/codec/av1/sequence-header.ts'
import { BitWriter } from '../../src/codec/bit-writer.ts'
import { LimitError, MalformedError } from '../../src/media/errors.ts'
import { VECTORS, vector } from './vectors.ts'

const real = VECTORS.filter(({ codec }) => codec === 'av1')
const delimiter = writeObu(OBU_TEMPORAL_DELIMITER, new Uint8Array(0))

describe('av1C', () => {
  it.each(real)('$name: what ffmpeg wrote comes out as it went in', ({ config }) => {
    expect(Buffer.from(writeAv1C(parseAv1C(config)))).toEqual(config)
  })

  it.each(real)('$name: is the one built from the first keyframe', ({ name, config, packets }) => {
    const ours = Buffer.from(writeAv1C(buildAv1C(packets[0].data)))
    // SVT-AV1 hands out another sequence header (tools switched on) than it then sends.
    const length = name === 'av1-svt' ? 4 : config.length
    expect(ours.subarray(0, length)).toEqual(config.subarray(0, length))
  })

  it('keeps every field', () => {
    const bit = fc.constantFrom(0, 1)
    const common = {
      profile: fc.integer({ min: 0, max: 7 }),
      level: fc.integer({ min: 0, max: 31 }),
      tier: bit,
      bitDepth: fc.constantFrom(8 as const, 10 as const, 12 as const),
      monochrome: fc.boolean(),
      subsamplingX: bit,
      subsamplingY: bit,
      chromaSamplePosition: fc.integer({ min: 0, max: 3 }),
      configObus: fc.uint8Array({ maxLength: 20 }),
    }
    const delayed = fc.record({ ...common, initialPresentationDelay: fc.integer({ min: 1, max: 16 }) })
    fc.assert(
      fc.property(fc.oneof(fc.record(common), delayed), (each) => {
        expect(parseAv1C(writeAv1C(each))).toEqual(each)
      }),
    )
  })

  it('is refused when cut or of another version', () => {
    expect(() => parseAv1C(Buffer.from('810000', 'hex'))).toThrow(MalformedError)
    expect(() => parseAv1C(Buffer.from('82000000', 'hex'))).toThrow(MalformedError)
    expect(() => buildAv1C(delimiter)).toThrow(/sequence header/)
  })
})

describe('sequence header', () => {
  it('states timing, decoder model and several operating points', () => {
    const bits = new BitWriter().put(0, 3).flag(false).flag(false) // profile, still, reduced
    bits.flag(true).put(1001, 32).put(60_000, 32).flag(true).put(0b010, 3) // timing; two ticks a picture (uvlc 1)
    bits.flag(true).put(9, 5).put(1, 32).put(9, 5).put(9, 5) // decoder model, delays of 10 bits
    bits.flag(true).put(1, 5) // display delays, two points
    bits.put(0x103, 12).put(13, 5).flag(true).flag(true).put(0, 21).flag(true).put(7, 4)
    bits.put(0x101, 12).put(5, 5).flag(false).flag(false)
    bits.put(11, 4).put(10, 4).put(2559, 12).put(1439, 11)
    bits.flag(true).put(0, 7) // frame ids
    bits.put(0, 3).put(0, 4).flag(true).put(0, 2).flag(false).flag(true).flag(true).put(6, 3).put(0, 3)
    bits.flag(true).flag(false).flag(true).put(9, 8).put(16, 8).put(9, 8).flag(false).put(2, 2).flag(false)
    expect(parseAv1SequenceHeader(bits.put(1, 1).done())).toEqual({
      profile: 0,
      reducedStillPicture: false,
      level: 13,
      tier: 1,
      initialDisplayDelay: 8,
      width: 2560,
      height: 1440,
      frameRate: 60_000 / 1001 / 2,
      colour: {
        bitDepth: 10,
        monochrome: false,
        primaries: 9,
        transfer: 16,
        matrix: 9,
        fullRange: false,
        subsamplingX: 1,
        subsamplingY: 1,
        chromaSamplePosition: 2,
      },
    })
  })

  it('of a still picture is short', () => {
    const bits = new BitWriter().put(1, 3).flag(true).flag(true).put(4, 5)
    bits.put(7, 4).put(7, 4).put(63, 8).put(47, 8).put(0, 3).put(0, 3)
    bits.flag(false).flag(true).put(1, 8).put(13, 8).put(0, 8).flag(false) // sRGB, identity: 4:4:4
    const header = bits.flag(false).put(1, 1).done()
    expect(parseAv1SequenceHeader(header)).toMatchObject({ width: 64, height: 48, colour: { subsamplingX: 0 } })
    const unit = Buffer.concat([writeObu(OBU_SEQUENCE_HEADER, header), writeObu(OBU_FRAME, Uint8Array.of(0xff))])
    expect(isAv1Keyframe(unit, new Uint8Array(0))).toBe(true)
    expect(isAv1Keyframe(writeObu(OBU_FRAME, Uint8Array.of(0xff)), writeAv1C(buildAv1C(unit)))).toBe(true)
  })
})

describe('temporal units', () => {
  it('lose their delimiters and gain sizes', () => {
    const frame = Uint8Array.of((OBU_FRAME << 3) | 4, 0x20, 0x10, 1, 2, 3) // extension, no size
    const unit = Buffer.concat([delimiter, frame])
    expect(Buffer.from(temporalUnitToSample(unit)).toString('hex')).toBe('36200410010203')
  })

  it('stay themselves when they are samples already', () => {
    for (const { packets } of real) for (const { data } of packets) expect(temporalUnitToSample(data)).toBe(data)
  })

  it('hold what was put in', () => {
    const units = fc.array(fc.tuple(fc.integer({ min: 3, max: 7 }), fc.uint8Array({ maxLength: 300 })), {
      maxLength: 6,
    })
    fc.assert(
      fc.property(units, (list) => {
        const sample = temporalUnitToSample(
          Buffer.concat([delimiter, ...list.map(([type, body]) => writeObu(type, body))]),
        )
        const cursor = new ObuCursor().reset(sample)
        const found: [number, Uint8Array][] = []
        while (cursor.next())
          found.push([cursor.type, new Uint8Array(sample.subarray(cursor.payloadStart, cursor.end))])
        expect(found).toEqual(list)
        expect(cursor.broken).toBe(false)
      }),
    )
  })

  it('that are cut, forbidden or a flood are refused', () => {
    const { data } = vector('av1-aom').packets[0]
    expect(() => temporalUnitToSample(data.subarray(0, -1))).toThrow(MalformedError)
    expect(() => temporalUnitToSample(Uint8Array.of(0x80))).toThrow(MalformedError)
    expect(() => temporalUnitToSample(Buffer.from(`32${'ff'.repeat(9)}`, 'hex'))).toThrow(MalformedError)
    expect(() => temporalUnitToSample(Buffer.alloc(60_000, Buffer.from('1a00', 'hex')))).toThrow(LimitError)
  })
})

describe('keyframes', () => {
  const { config, packets } = vector('av1-aom')
  const sequence = writeObu(OBU_SEQUENCE_HEADER, findObu(packets[0].data, OBU_SEQUENCE_HEADER) ?? new Uint8Array(0))
  const none = new Uint8Array(0)

  it.each([
    [0x10, 'shown KEY_FRAME', true],
    [0x00, 'hidden KEY_FRAME', false],
    [0x30, 'shown INTER_FRAME', false],
    [0x50, 'shown INTRA_ONLY_FRAME', false],
    [0x80, 'show_existing_frame', false],
  ])('header %i, %s: %s', (first, _, key) => {
    const frame = writeObu(OBU_FRAME, Uint8Array.of(first, 0))
    expect(isAv1Keyframe(frame, config)).toBe(key)
    expect(isAv1Keyframe(Buffer.concat([delimiter, sequence, frame]), none)).toBe(key)
    expect(isAv1Keyframe(frame, none)).toBe(false) // nothing says how to decode it
  })
})
