import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { avcParameterSets, buildAvcC, parseAvcC, writeAvcC } from '../../src/codec/h264/avcc.ts'
import { isH264Keyframe } from '../../src/codec/h264/nal.ts'
import { parseH264Pps } from '../../src/codec/h264/pps.ts'
import { parseH264Sps } from '../../src/codec/h264/sps.ts'
import { joinSample, splitSample } from '../../src/codec/nal.ts'
import { MalformedError } from '../../src/media/errors.ts'
import { ParameterSetWriter } from './exp-golomb.ts'
import { VECTORS, vector } from './vectors.ts'

const real = VECTORS.filter(({ codec }) => codec === 'h264')
const bytes = fc.uint8Array({ minLength: 1, maxLength: 30 })

describe('avcC', () => {
  it.each(real)('$name: what ffmpeg wrote comes out as it went in', ({ config }) => {
    expect(Buffer.from(writeAvcC(parseAvcC(config)))).toEqual(config)
  })

  it.each(real)('$name: is the one built from the parameter sets', ({ config }) => {
    const avcC = parseAvcC(config)
    const sets = splitSample(avcParameterSets(avcC), avcC.lengthSize)
    expect(Buffer.from(writeAvcC(buildAvcC(sets)))).toEqual(config)
  })

  it('keeps every field', () => {
    const byte = fc.integer({ min: 0, max: 255 })
    const common = {
      constraintFlags: byte,
      levelIdc: byte,
      lengthSize: fc.constantFrom(1 as const, 2 as const, 4 as const),
      sps: fc.array(bytes, { maxLength: 31 }),
      pps: fc.array(bytes, { maxLength: 40 }),
    }
    const depth = fc.integer({ min: 8, max: 15 })
    const high = fc.record({
      chromaFormat: fc.integer({ min: 0, max: 3 }),
      bitDepthLuma: depth,
      bitDepthChroma: depth,
      spsExt: fc.array(bytes, { maxLength: 3 }),
    })
    const avcC = fc.oneof(
      fc.record({ ...common, profileIdc: fc.constantFrom(66, 77, 88, 100) }),
      fc.record({ ...common, profileIdc: fc.constantFrom(100, 110, 122, 244), high }),
    )
    fc.assert(
      fc.property(avcC, (each) => {
        expect(parseAvcC(writeAvcC(each))).toEqual(each)
      }),
    )
  })

  it('passes over padding where the high profile extension would be', () => {
    const config = writeAvcC({ ...parseAvcC(vector('h264-480p').config), profileIdc: 100 })
    const padded = Buffer.concat([config.subarray(0, -4), Buffer.from('00000000', 'hex')])
    expect(parseAvcC(padded).high).toBeUndefined()
  })

  it('is refused when cut, of another version, or with reserved lengths', () => {
    const { config } = vector('h264-480p')
    for (let length = 0; length < config.length - 4; length++) {
      expect(() => parseAvcC(config.subarray(0, length))).toThrow(MalformedError)
    }
    expect(() => parseAvcC(Buffer.from('0242001effe100', 'hex'))).toThrow(/configurationVersion/)
    expect(() => parseAvcC(Buffer.from('0142001efee100', 'hex'))).toThrow(/lengthSizeMinusOne/)
    expect(() => buildAvcC([])).toThrow(MalformedError)
  })
})

/** An SPS whose every branch the test chooses. */
function sps(options: { chroma?: number; planes?: boolean; frameMbsOnly?: boolean; crop?: number[]; poc?: number }) {
  const { chroma = 1, planes = false, frameMbsOnly = true, crop, poc = 0 } = options
  const writer = new ParameterSetWriter().put(0x67, 8).put(244, 8).put(0, 8).put(40, 8).ue(3, chroma)
  if (chroma === 3) writer.flag(planes)
  writer.ue(2, 2).flag(false).flag(true) // 10 bits; scaling matrix
  for (let i = 0; i < (chroma === 3 ? 12 : 8); i++) {
    writer.flag(i % 3 !== 0)
    if (i % 3 === 1) writer.se(...Array.from({ length: i < 6 ? 16 : 64 }, (_, j) => (j % 5) - 2))
    if (i % 3 === 2) writer.se(-8) // next scale 0: the default list
  }
  writer.ue(0, poc)
  if (poc === 0) writer.ue(2)
  if (poc === 1) writer.flag(false).se(-3, 4).ue(3).se(1, -2, 3)
  writer
    .ue(4)
    .flag(false)
    .ue(19, frameMbsOnly ? 11 : 5)
    .flag(frameMbsOnly)
  if (!frameMbsOnly) writer.flag(true)
  writer.flag(true).flag(crop !== undefined)
  if (crop !== undefined) writer.ue(...crop)
  return writer
}

describe('SPS', () => {
  it.each([
    [{ chroma: 0, crop: [1, 2, 3, 4] }, 317, 185],
    [{ chroma: 1, crop: [1, 2, 3, 4] }, 314, 178],
    [{ chroma: 2, crop: [1, 2, 3, 4] }, 314, 185],
    [{ chroma: 3, crop: [1, 2, 3, 4] }, 317, 185],
    [{ chroma: 3, planes: true, crop: [1, 2, 3, 4] }, 317, 185],
    [{ chroma: 1, frameMbsOnly: false, crop: [0, 0, 0, 2] }, 320, 184],
    [{ chroma: 0, frameMbsOnly: false, crop: [0, 0, 0, 2] }, 320, 188],
    [{ poc: 1 }, 320, 192],
    [{ poc: 2 }, 320, 192],
  ])('crops %j to %dx%d', (options, width, height) => {
    const parsed = parseH264Sps(sps(options).flag(false).nal())
    expect(parsed).toMatchObject({
      id: 3,
      width,
      height,
      bitDepthLuma: 10,
      pocType: 'poc' in options ? options.poc : 0,
    })
  })

  it('reads usability information behind two HRD', () => {
    const writer = sps({}).flag(true)
    writer.flag(true).put(255, 8).put(64, 16).put(45, 16) // extended SAR
    writer.flag(true).flag(true) // overscan
    writer.flag(true).put(5, 3).flag(true).flag(true).put(9, 8).put(16, 8).put(9, 8) // colours
    writer.flag(true).ue(1, 1) // chroma location
    writer.flag(true).put(1001, 32).put(120_000, 32).flag(true) // timing
    for (let i = 0; i < 2; i++) writer.flag(true).ue(1).put(0, 8).ue(9, 9).flag(true).ue(7, 7).flag(false).put(0, 20)
    writer.flag(false).flag(true) // low delay, pic_struct
    writer.flag(true).flag(true).ue(2, 1, 16, 16, 2, 4)
    expect(parseH264Sps(writer.nal()).vui).toEqual({
      sampleAspect: { width: 64, height: 45 },
      fullRange: true,
      colour: { primaries: 9, transfer: 16, matrix: 9 },
      frameRate: 60_000 / 1001,
      fixedFrameRate: true,
      maxReorderFrames: 2,
    })
  })

  it('says how far B-frames reorder', () => {
    const reorder = (name: string) => parseH264Sps(parseAvcC(vector(name).config).sps[0]).vui?.maxReorderFrames
    expect({ without: reorder('h264-480p'), with: reorder('h264-odd') }).toEqual({ without: 0, with: 2 })
  })

  it('does not believe impossible sizes', () => {
    expect(() =>
      parseH264Sps(
        sps({ crop: [200, 200, 0, 0] })
          .flag(false)
          .nal(),
      ),
    ).toThrow(/impossible picture size/)
    expect(() => parseH264Sps(Buffer.from('68eb', 'hex'))).toThrow(/no SPS/)
  })
})

describe('PPS', () => {
  it('names its SPS', () => {
    expect(parseH264Pps(parseAvcC(vector('h264-480p').config).pps[0])).toEqual({ id: 0, spsId: 0, cabac: true })
    expect(() => parseH264Pps(Buffer.from('67', 'hex'))).toThrow(MalformedError)
  })
})

describe('keyframes', () => {
  const slice = Uint8Array.of(0x41, 0x9a)
  const sei = (...payload: number[]) => Uint8Array.of(0x06, ...payload, 0x80)
  const key = (...units: Uint8Array[]) => isH264Keyframe(joinSample(units), 4)

  it('are IDR pictures, wherever in the unit', () => {
    expect(key(Uint8Array.of(9, 0xf0), sei(5, 1, 7), Uint8Array.of(0x65, 0x88))).toBe(true)
    expect(key(slice)).toBe(false)
    expect(key(Uint8Array.of(0x67, 1), Uint8Array.of(0x68, 1))).toBe(false)
  })

  it('are exact recovery points, not gradual ones', () => {
    expect(key(sei(6, 1, 0b1_0_0_00_100), slice)).toBe(true)
    expect(key(sei(6, 1, 0b00101_1_0_0), slice)).toBe(false) // recovery_frame_cnt 4
    expect(key(sei(6, 1, 0b1_0_0_00_100))).toBe(false) // no picture
  })

  it('are found behind other messages and emulation prevention', () => {
    // user data of 300 bytes: size ff 2d; inside it 00 00 03 stands for 00 00
    const user = [5, 0xff, 0x2d, ...Array.from({ length: 298 }, () => 0x55), 0, 0, 3]
    expect(key(sei(...user, 6, 1, 0x84), slice)).toBe(true)
    expect(key(sei(...user, 7, 1, 0x84), slice)).toBe(false)
    expect(key(sei(5, 3, 6, 1, 0x84), slice)).toBe(false) // looks like one, inside user data
  })

  it('of open GOPs are what ffmpeg calls key', () => {
    const keys = vector('h264-open-gop').packets.map(({ data }) => isH264Keyframe(data, 4))
    expect(keys.filter(Boolean).length).toBeGreaterThan(1)
  })

  it('are found by 1- and 2-byte lengths', () => {
    for (const size of [1, 2] as const) {
      expect(isH264Keyframe(joinSample([Uint8Array.of(9, 0xf0), Uint8Array.of(0x65, 1)], size), size)).toBe(true)
    }
  })
})
