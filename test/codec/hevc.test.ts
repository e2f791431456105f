import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { buildHvcC, hevcFacts, hevcParameterSets, parseHvcC, writeHvcC } from '../../src/codec/hevc/hvcc.ts'
import { isHevcKeyframe } from '../../src/codec/hevc/nal.ts'
import { parseHevcSps } from '../../src/codec/hevc/sps.ts'
import { parseHevcPps, parseHevcVps } from '../../src/codec/hevc/vps.ts'
import { joinSample, splitSample } from '../../src/codec/nal.ts'
import { LimitError, MalformedError } from '../../src/media/errors.ts'
import { ParameterSetWriter } from './exp-golomb.ts'
import { VECTORS, vector } from './vectors.ts'

const real = VECTORS.filter(({ codec }) => codec === 'hevc')
const int = (max: number, min = 0) => fc.integer({ min, max })

describe('hvcC', () => {
  it.each(real)('$name: what ffmpeg wrote comes out as it went in', ({ config }) => {
    expect(Buffer.from(writeHvcC(parseHvcC(config)))).toEqual(config)
  })

  it.each(real)('$name: built from the parameter sets it says the same', ({ config }) => {
    const theirs = parseHvcC(config)
    const ours = buildHvcC(splitSample(hevcParameterSets(theirs), 4))
    const units = (hvcC: typeof ours) =>
      hvcC.arrays.map(({ type, units }) => [type, units.map((each) => Buffer.from(each))])
    expect(units(ours)).toEqual(units(theirs).filter(([type]) => type !== 39)) // without x265's SEI
    expect({ ...ours, arrays: [] }).toEqual({
      ...theirs,
      arrays: [],
      minSpatialSegmentation: 0,
      parallelism: 0,
    })
  })

  it('keeps every field', () => {
    const hvcC = fc.record({
      profile: fc.record({
        profileSpace: int(3),
        tier: int(1),
        profileIdc: int(31),
        compatibilityFlags: int(2 ** 32 - 1),
        constraintFlags: int(2 ** 48 - 1),
        levelIdc: int(255),
      }),
      minSpatialSegmentation: int(4095),
      parallelism: int(3),
      chromaFormat: int(3),
      bitDepthLuma: int(15, 8),
      bitDepthChroma: int(15, 8),
      averageFrameRate: int(65_535),
      constantFrameRate: int(3),
      temporalLayers: int(7),
      temporalIdNested: fc.boolean(),
      lengthSize: fc.constantFrom(1 as const, 2 as const, 4 as const),
      arrays: fc.array(
        fc.record({
          complete: fc.boolean(),
          type: int(63),
          units: fc.array(fc.uint8Array({ maxLength: 30 }), { maxLength: 5 }),
        }),
        { maxLength: 5 },
      ),
    })
    fc.assert(
      fc.property(hvcC, (each) => {
        expect(parseHvcC(writeHvcC(each))).toEqual(each)
      }),
    )
  })

  it('is refused when cut, or with more units than any stream has', () => {
    const { config } = vector('hevc-480p')
    for (let length = 0; length < config.length; length++) {
      expect(() => parseHvcC(config.subarray(0, length))).toThrow(MalformedError)
    }
    const flood = Buffer.concat([config.subarray(0, 22), Buffer.from('01200fff', 'hex'), Buffer.alloc(2 * 0xfff)])
    expect(() => parseHvcC(flood)).toThrow(LimitError)
    expect(() => buildHvcC([])).toThrow(MalformedError)
  })
})

/** profile_tier_level() of Main at level 3, with one sub-layer that has its own level. */
function profile(writer: ParameterSetWriter): ParameterSetWriter {
  writer.put(1, 8).put(0x60000000, 32).put(0x90, 8).put(0, 40).put(90, 8)
  return writer.flag(false).flag(true).put(0, 14).put(63, 8)
}

describe('parameter sets', () => {
  it('say in the SPS what x265 was asked for', () => {
    const facts = (name: string) => hevcFacts(parseHvcC(vector(name).config))
    expect(facts('hevc-480p')).toMatchObject({ frameRate: 30_000 / 1001, sps: { width: 854, height: 480 } })
    expect(facts('hevc-10bit').sps).toMatchObject({ bitDepthLuma: 10, chromaFormat: 1, profile: { profileIdc: 2 } })
    expect(facts('hevc-444').sps).toMatchObject({ width: 322, height: 182, chromaFormat: 3, bitDepthLuma: 8 })
    const pps = parseHvcC(vector('hevc-480p').config).arrays.find(({ type }) => type === 34)?.units[0]
    expect(parseHevcPps(pps ?? new Uint8Array(0))).toEqual({ id: 0, spsId: 0 })
  })

  it('read timing from a VPS with sub-layers and layer sets', () => {
    const writer = new ParameterSetWriter().put(0x4001, 16).put(5, 4).put(0b11, 2).put(0, 6).put(1, 3).put(0x1ffff, 17)
    profile(writer).flag(true).ue(4, 2, 0, 4, 2, 0).put(3, 6).ue(2).put(0, 8).flag(true).put(1001, 32).put(24_000, 32)
    const vps = parseHevcVps(writer.flag(false).ue(0).nal())
    expect(vps).toMatchObject({ id: 5, temporalLayers: 2, frameRate: 24_000 / 1001, profile: { levelIdc: 90 } })
  })

  it('read an SPS with sub-layers, PCM, scaling lists and predicted reference sets', () => {
    const writer = new ParameterSetWriter().put(0x4201, 16).put(0, 4).put(1, 3).flag(true)
    profile(writer).ue(0, 2, 1920, 1088).flag(true).ue(0, 1, 0, 8) // 4:2:2: columns count twice, rows once
    writer.ue(0, 0, 4).flag(true).ue(4, 2, 0, 4, 3, 0).ue(0, 3, 0, 3, 0, 0)
    writer.flag(true).flag(true) // scaling lists
    for (let size = 0; size < 4; size++) {
      for (let matrix = 0; matrix < 6; matrix += size === 3 ? 3 : 1) {
        writer.flag(matrix > 0)
        if (matrix === 0) writer.ue(0)
        else writer.se(...Array.from({ length: (size > 1 ? 1 : 0) + (size === 0 ? 16 : 64) }, (_, i) => (i % 3) - 1))
      }
    }
    writer.put(0b11, 2).flag(true).put(0x77, 8).ue(0, 2).flag(true) // AMP, SAO; PCM
    writer.ue(3) // reference sets: two pictures before and one after; then two predicted ones
    writer.ue(2, 1)
    for (let i = 0; i < 3; i++) writer.ue(i).flag(true)
    writer.flag(true).flag(true).ue(0) // inter prediction over 3 + 1 pictures
    for (const used of [true, false, true, false]) writer.flag(used) && !used && writer.flag(used)
    writer.flag(true).flag(false).ue(1) // over 2 + 1
    for (let i = 0; i < 3; i++) writer.flag(true)
    writer.flag(true).ue(2).put(17, 8).flag(true).put(33, 8).flag(false) // long-term, 8 bits of POC
    writer.put(0b11, 2).flag(true) // VUI
    writer.flag(false).flag(false).flag(false).flag(false).put(0, 3).flag(true).ue(1, 2, 3, 4).flag(true)
    const parsed = parseHevcSps(writer.put(1, 32).put(50, 32).flag(false).flag(false).nal())
    expect(parsed).toMatchObject({ width: 1918, height: 1080, temporalLayers: 2, maxReorderFrames: 3 })
    expect(parsed.vui).toEqual({ frameRate: 50 })
  })

  it('are told apart', () => {
    expect(() => parseHevcSps(Buffer.from('4001', 'hex'))).toThrow(/no SPS/)
    expect(() => parseHevcVps(Buffer.from('42', 'hex'))).toThrow(/no VPS/)
    expect(() => parseHevcPps(new Uint8Array(0))).toThrow(MalformedError)
  })
})

describe('keyframes', () => {
  it.each([
    [1, false],
    [9, false],
    [16, true],
    [19, true],
    [20, true],
    [21, true],
    [22, false],
  ])('a slice of type %d: %s', (type, key) => {
    const sei = Uint8Array.of(39 << 1, 1, 0)
    expect(isHevcKeyframe(joinSample([sei, Uint8Array.of(type << 1, 1, 0xaf)]), 4)).toBe(key)
  })

  it('are not parameter sets alone', () => {
    expect(isHevcKeyframe(hevcParameterSets(parseHvcC(vector('hevc-480p').config)), 4)).toBe(false)
  })
})
