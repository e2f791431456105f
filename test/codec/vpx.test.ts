import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isVp8Keyframe, parseVp8Keyframe, vpcCForVp8 } from '../../src/codec/vp8.ts'
import { isVp9Keyframe, parseVp9Keyframe, splitSuperframe, vp9Level, vpcCFromVp9 } from '../../src/codec/vp9.ts'
import { parseVpcC, writeVpcC } from '../../src/codec/vpcc.ts'
import { MalformedError } from '../../src/media/errors.ts'
import { VECTORS, vector } from './vectors.ts'

const real = VECTORS.filter(({ codec }) => codec === 'vp9')

describe('vpcC', () => {
  it.each(real)('$name: what ffmpeg wrote comes out as it went in, and is what the keyframe implies', (stream) => {
    const { config, packets } = stream
    const theirs = parseVpcC(config)
    expect(Buffer.from(writeVpcC(theirs))).toEqual(config)
    const { profile, bitDepth, fullRange, initData } = vpcCFromVp9(packets[0].data)
    expect({ profile, bitDepth, fullRange, initData: Buffer.from(initData) }).toEqual({
      profile: theirs.profile,
      bitDepth: theirs.bitDepth,
      fullRange: theirs.fullRange,
      initData: Buffer.from(theirs.initData),
    })
  })

  it('keeps every field', () => {
    const byte = fc.integer({ min: 0, max: 255 })
    const vpcC = fc.record({
      profile: byte,
      level: byte,
      bitDepth: fc.constantFrom(8, 10, 12),
      chromaSubsampling: fc.integer({ min: 0, max: 7 }),
      fullRange: fc.boolean(),
      primaries: byte,
      transfer: byte,
      matrix: byte,
      initData: fc.uint8Array({ maxLength: 9 }),
    })
    fc.assert(
      fc.property(vpcC, (each) => {
        expect(parseVpcC(writeVpcC(each))).toEqual(each)
      }),
    )
    expect(parseVpcC(writeVpcC(vpcCForVp8(2)))).toEqual(vpcCForVp8(2))
    expect(() => parseVpcC(Buffer.from('001e8202', 'hex'))).toThrow(MalformedError)
  })
})

describe('VP9 frames', () => {
  it('say how they are coded', () => {
    expect(parseVp9Keyframe(vector('vp9').packets[0].data)).toMatchObject({ profile: 0, width: 854, height: 480 })
    const deep = parseVp9Keyframe(vector('vp9-422-10').packets[0].data)
    expect(deep).toMatchObject({ profile: 3, bitDepth: 10, subsamplingX: 1, subsamplingY: 0, width: 322, height: 182 })
    expect(vpcCFromVp9(vector('vp9-422-10').packets[0].data).chromaSubsampling).toBe(2)
  })

  it('are no keyframes without their marks', () => {
    const key = Buffer.from('8249834200', 'hex')
    expect(isVp9Keyframe(key)).toBe(true)
    for (const hex of ['8649834200', '8a49834200', '4249834200', '8249834300', '824983']) {
      expect(isVp9Keyframe(Buffer.from(hex, 'hex'))).toBe(false)
      expect(() => parseVp9Keyframe(Buffer.from(hex, 'hex'))).toThrow(MalformedError)
    }
  })

  it('come apart by the index of their superframe', () => {
    const index = Buffer.from('c9020001 00c9'.replace(' ', ''), 'hex') // two frames, sizes of two bytes: 2 and 1
    const frames = splitSuperframe(Buffer.concat([Buffer.from('aabbcc', 'hex'), index]))
    expect(frames.map((each) => Buffer.from(each).toString('hex'))).toEqual(['aabb', 'cc'])
    expect(() => splitSuperframe(Buffer.concat([Buffer.from('aa', 'hex'), index]))).toThrow(MalformedError)
    const { data } = vector('vp9').packets[1]
    expect(splitSuperframe(data)).toEqual([data])
    expect(splitSuperframe(new Uint8Array(0))).toEqual([new Uint8Array(0)])
  })

  it.each([
    [256, 144, 15, 10],
    [1280, 720, 30, 31],
    [1920, 1080, 30, 40],
    [1920, 1080, 60, 41],
    [3840, 2160, 60, 51],
    [16_384, 8704, 120, 62],
  ])('of %dx%d at %d need level %d', (width, height, rate, level) => {
    expect(vp9Level(width, height, rate)).toBe(level)
  })
})

describe('VP8 frames', () => {
  it('say their size, and only keyframes do', () => {
    const { packets } = vector('vp8')
    expect(parseVp8Keyframe(packets[0].data)).toEqual({ version: 0, width: 854, height: 478 })
    expect(() => parseVp8Keyframe(packets[1].data)).toThrow(MalformedError)
    expect(isVp8Keyframe(packets[0].data.subarray(0, 9))).toBe(false)
  })
})
