import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { configFromAdts, parseAdtsHeader, splitAdts, writeAdtsHeader } from '../../src/codec/aac/adts.ts'
import {
  type AudioSpecificConfig,
  aacFacts,
  parseAudioSpecificConfig,
  writeAudioSpecificConfig,
} from '../../src/codec/aac/audio-specific-config.ts'
import { BitWriter } from '../../src/codec/bit-writer.ts'
import { LimitError, MalformedError, UnsupportedError } from '../../src/media/errors.ts'
import { VECTORS, vector } from './vectors.ts'

const int = (min: number, max: number) => fc.integer({ min, max })
const rate = fc.oneof(fc.constantFrom(96_000, 48_000, 44_100, 22_050, 8000, 7350), int(1, 2 ** 24 - 1))
const program = fc.record(
  {
    instanceTag: int(0, 15),
    profile: int(0, 3),
    sampleRateIndex: int(0, 12),
    front: fc.array(fc.record({ pair: fc.boolean(), tag: int(0, 15) }), { minLength: 1, maxLength: 15 }),
    side: fc.array(fc.record({ pair: fc.boolean(), tag: int(0, 15) }), { maxLength: 3 }),
    back: fc.array(fc.record({ pair: fc.boolean(), tag: int(0, 15) }), { maxLength: 3 }),
    lfe: fc.array(int(0, 15), { maxLength: 3 }),
    associatedData: fc.array(int(0, 15), { maxLength: 7 }),
    coupling: fc.array(fc.record({ pair: fc.boolean(), tag: int(0, 15) }), { maxLength: 3 }),
    monoMixdown: int(0, 15),
    stereoMixdown: int(0, 15),
    matrixMixdown: int(0, 7),
    comment: fc.uint8Array({ maxLength: 20 }),
  },
  {
    requiredKeys: [
      'instanceTag',
      'profile',
      'sampleRateIndex',
      'front',
      'side',
      'back',
      'lfe',
      'associatedData',
      'coupling',
      'comment',
    ],
  },
)
const sbr = fc.oneof(
  fc.record({ kind: fc.constant('hierarchical' as const), present: fc.constant(true), rateHz: rate, ps: fc.boolean() }),
  fc.record({ kind: fc.constant('backward' as const), present: fc.constant(true), rateHz: rate }),
  fc.record({ kind: fc.constant('backward' as const), present: fc.constant(true), rateHz: rate, ps: fc.boolean() }),
  fc.constant({ kind: 'backward' as const, present: false, rateHz: 0 }),
)

/** Configurations of every kind that is read in full. */
const config: fc.Arbitrary<AudioSpecificConfig> = fc
  .tuple(fc.constantFrom(1, 2, 3, 4, 17, 19, 23), rate, int(0, 7), fc.boolean(), fc.option(int(0, 16_383)), program)
  .chain(([objectType, sampleRateHz, channelConfiguration, shortFrames, delay, pce]) => {
    const resilient = objectType >= 17
    const ga = {
      shortFrames,
      ...(delay === null ? {} : { coreCoderDelay: delay }),
      ...(channelConfiguration === 0 ? { program: pce } : {}),
      ...(resilient ? { extension: { resilience: 5, version3: false }, epConfig: 1 } : {}),
    }
    const base = { objectType, sampleRateHz, channelConfiguration, ga }
    return fc.oneof(fc.constant(base), fc.record({ ...mapConstant(base), sbr }))
  })

function mapConstant<T extends object>(fields: T): { [K in keyof T]: fc.Arbitrary<T[K]> } {
  const entries = Object.entries(fields).map(([key, value]) => [key, fc.constant(value)])
  return Object.fromEntries(entries)
}

function read(hex: string) {
  const parsed = parseAudioSpecificConfig(Buffer.from(hex, 'hex'))
  return { objectType: parsed.objectType, sbr: parsed.sbr?.kind, ...aacFacts(parsed) }
}

describe('AudioSpecificConfig', () => {
  it.each(VECTORS.filter(({ codec }) => codec === 'aac'))('$name: comes out as it went in', ({ config }) => {
    expect(Buffer.from(writeAudioSpecificConfig(parseAudioSpecificConfig(config)))).toEqual(config)
  })

  it('keeps every field', () => {
    fc.assert(
      fc.property(config, (each) => {
        expect(parseAudioSpecificConfig(writeAudioSpecificConfig(each))).toEqual(each)
      }),
    )
  })

  it.each([
    [
      'AAC-LC 44.1 stereo',
      '1210',
      { objectType: 2, sbr: undefined, sampleRateHz: 44_100, channels: 2, frameSamples: 1024 },
    ],
    [
      'explicitly no SBR',
      '121056e500',
      { objectType: 2, sbr: 'backward', sampleRateHz: 44_100, channels: 2, frameSamples: 1024 },
    ],
    [
      'HE-AAC, backward',
      '139056e5a0',
      { objectType: 2, sbr: 'backward', sampleRateHz: 44_100, channels: 2, frameSamples: 2048 },
    ],
    [
      'HE-AAC, hierarchical',
      '2b920800',
      { objectType: 2, sbr: 'hierarchical', sampleRateHz: 44_100, channels: 2, frameSamples: 2048 },
    ],
    [
      'HE-AAC v2',
      'eb8a0800',
      { objectType: 2, sbr: 'hierarchical', sampleRateHz: 44_100, channels: 2, frameSamples: 2048 },
    ],
    [
      'HE-AAC v2, backward',
      '138856e5a54880',
      { objectType: 2, sbr: 'backward', sampleRateHz: 44_100, channels: 2, frameSamples: 2048 },
    ],
    ['960 samples', '1214', { objectType: 2, sbr: undefined, sampleRateHz: 44_100, channels: 2, frameSamples: 960 }],
    ['7.1', '11b8', { objectType: 2, sbr: undefined, sampleRateHz: 48_000, channels: 8, frameSamples: 1024 }],
    [
      '24-bit rate',
      '178056220800',
      { objectType: 2, sbr: undefined, sampleRateHz: 44_100, channels: 1, frameSamples: 1024 },
    ],
    ['AAC-LD', 'ba080000', { objectType: 23, sbr: undefined, sampleRateHz: 44_100, channels: 1, frameSamples: 512 }],
    ['AAC-ELD', 'f8e85000', { objectType: 39, sbr: undefined, sampleRateHz: 44_100, channels: 2, frameSamples: 480 }],
    [
      '6.1 by configuration 11',
      '11d8',
      { objectType: 2, sbr: undefined, sampleRateHz: 48_000, channels: 7, frameSamples: 1024 },
    ],
  ])('reads %s', (_, hex, facts) => {
    expect(read(hex)).toEqual(facts)
  })

  it('counts the channels of a program config element', () => {
    const element = { pair: true, tag: 0 }
    const bytes = writeAudioSpecificConfig({
      objectType: 2,
      sampleRateHz: 48_000,
      channelConfiguration: 0,
      ga: {
        shortFrames: false,
        program: {
          instanceTag: 0,
          profile: 1,
          sampleRateIndex: 3,
          front: [{ pair: false, tag: 0 }, element],
          side: [],
          back: [element],
          lfe: [0],
          associatedData: [],
          coupling: [],
          comment: Buffer.from('5.1'),
        },
      },
    })
    expect(aacFacts(parseAudioSpecificConfig(bytes)).channels).toBe(6)
  })

  it('refuses what says nothing or too little', () => {
    for (const hex of ['', '12', '1680', '1150', '178000000000', '1200']) {
      expect(() => read(hex), hex).toThrow(MalformedError)
    }
    const ga = { shortFrames: false, epConfig: 2 }
    const protectedFrames = { objectType: 17, sampleRateHz: 48_000, channelConfiguration: 2, ga }
    expect(() => parseAudioSpecificConfig(writeAudioSpecificConfig(protectedFrames))).toThrow(UnsupportedError)
  })
})

describe('ADTS', () => {
  const stereo = parseAudioSpecificConfig(Buffer.from('1210', 'hex'))

  it('round-trips frames of any length', () => {
    const frames = fc.array(fc.uint8Array({ maxLength: 600 }), { maxLength: 5 })
    fc.assert(
      fc.property(frames, (list) => {
        const bytes = Buffer.concat(list.flatMap((frame) => [writeAdtsHeader(stereo, frame.length), frame]))
        expect(splitAdts(bytes).map((frame) => Buffer.from(frame))).toEqual(list.map((frame) => Buffer.from(frame)))
        if (list.length > 0) expect(writeAudioSpecificConfig(configFromAdts(bytes))).toEqual(Uint8Array.of(0x12, 0x10))
      }),
    )
  })

  it('is stripped of its CRC', () => {
    const header = Buffer.from(writeAdtsHeader(stereo, 5))
    header[1] &= 0xfe
    const [frame] = splitAdts(Buffer.concat([header, Buffer.from('cccc010203', 'hex')]))
    expect(Buffer.from(frame)).toEqual(Buffer.from('010203', 'hex'))
    expect(parseAdtsHeader(header).headerBytes).toBe(9)
  })

  it('finds the channels in the frame where the header has none', () => {
    const bits = new BitWriter().put(5, 3).put(0, 4).put(1, 2).put(4, 4).put(1, 4).put(0, 4).put(1, 4).put(1, 2)
    bits.put(0, 3).put(0, 4).put(0, 3).put(0, 5).put(1, 1).put(0, 4).put(0, 4).align().put(0, 8)
    const payload = bits.done()
    const header = writeAdtsHeader({ ...stereo, channelConfiguration: 0 }, payload.length)
    const parsed = configFromAdts(Buffer.concat([header, payload]))
    expect(aacFacts(parsed).channels).toBe(4) // centre, a pair behind, LFE
    expect(() => configFromAdts(Buffer.concat([header, Buffer.alloc(8)]))).toThrow(MalformedError)
  })

  it('is refused when torn, foreign or beyond what it can say', () => {
    const whole = Buffer.concat([writeAdtsHeader(stereo, 3), Buffer.from('010203', 'hex')])
    for (let length = 1; length < whole.length; length++) {
      expect(() => splitAdts(whole.subarray(0, length))).toThrow(MalformedError)
    }
    expect(() => splitAdts(Buffer.from('494433040000000000', 'hex'))).toThrow(/sync word/)
    const several = Buffer.from(whole)
    several[6] |= 1
    expect(() => splitAdts(several)).toThrow(UnsupportedError)
    expect(() => writeAdtsHeader(stereo, 8185)).toThrow(LimitError)
    expect(() => writeAdtsHeader({ ...stereo, objectType: 23 }, 1)).toThrow(UnsupportedError)
    expect(() => writeAdtsHeader({ ...stereo, sampleRateHz: 44_101 }, 1)).toThrow(UnsupportedError)
    expect(vector('aac-stereo').codec).toBe('aac')
  })
})
