import { BitReader } from '../../media/bits.ts'
import { ByteReader } from '../../media/bytes.ts'
import { LimitError, MalformedError } from '../../media/errors.ts'
import { BitWriter } from '../bit-writer.ts'
import { joinSample, type LengthSize } from '../nal.ts'
import { hevcLayerId, hevcNalType, NAL_HEVC_PPS, NAL_HEVC_SPS, NAL_VPS } from './nal.ts'
import { type ProfileTierLevel, parseGeneralProfile } from './profile-tier-level.ts'
import { type HevcSps, parseHevcSps } from './sps.ts'
import { parseHevcVps } from './vps.ts'

/** NAL units of one type in a configuration. */
export type HvcArray = {
  /** All of this type are here, none in the samples. */
  readonly complete: boolean
  readonly type: number
  /** With their two header bytes. */
  readonly units: readonly Uint8Array[]
}

/** HEVCDecoderConfigurationRecord, ISO 14496-15 §8.3.3.1. */
export type HvcC = {
  readonly profile: ProfileTierLevel
  /** 0: not known. */
  readonly minSpatialSegmentation: number
  /** 0: not known. */
  readonly parallelism: number
  readonly chromaFormat: number
  readonly bitDepthLuma: number
  readonly bitDepthChroma: number
  /** Frames in 256 s; 0: not said. */
  readonly averageFrameRate: number
  readonly constantFrameRate: number
  /** 0: not known. */
  readonly temporalLayers: number
  readonly temporalIdNested: boolean
  readonly lengthSize: LengthSize
  readonly arrays: readonly HvcArray[]
}

const FIXED_BYTES = 22 // up to numOfArrays
const MAX_UNITS = 1024 // parameter sets and SEI in one configuration; 16 SPS and 64 PPS is what the ids allow

/** Reads the payload of an `hvcC` box. Bytes after it are ignored. @throws MalformedError */
export function parseHvcC(bytes: Uint8Array): HvcC {
  const bits = new BitReader(bytes, 'hvcC')
  if (bits.bits(8) !== 1) bits.fail('configurationVersion is not 1')
  const profile = parseGeneralProfile(bits)
  bits.skip(4)
  const minSpatialSegmentation = bits.bits(12)
  bits.skip(6)
  const parallelism = bits.bits(2)
  bits.skip(6)
  const chromaFormat = bits.bits(2)
  bits.skip(5)
  const bitDepthLuma = bits.bits(3) + 8
  bits.skip(5)
  const bitDepthChroma = bits.bits(3) + 8
  const averageFrameRate = bits.bits(16)
  const constantFrameRate = bits.bits(2)
  const temporalLayers = bits.bits(3)
  const temporalIdNested = bits.flag()
  const size = bits.bits(2) + 1
  if (size === 3) bits.fail('lengthSizeMinusOne 2 is reserved')
  return {
    profile,
    minSpatialSegmentation,
    parallelism,
    chromaFormat,
    bitDepthLuma,
    bitDepthChroma,
    averageFrameRate,
    constantFrameRate,
    temporalLayers,
    temporalIdNested,
    lengthSize: size === 1 || size === 2 ? size : 4,
    arrays: parseArrays(bytes),
  }
}

function parseArrays(bytes: Uint8Array): HvcArray[] {
  const reader = new ByteReader(bytes, 'hvcC')
  reader.skip(FIXED_BYTES)
  const arrays: HvcArray[] = []
  let total = 0
  for (let left = reader.u8(); left > 0; left--) {
    const head = reader.u8()
    const units: Uint8Array[] = []
    for (let count = reader.u16(); count > 0; count--) {
      if (++total > MAX_UNITS) throw new LimitError('hvcC: NAL units', { limit: MAX_UNITS })
      units.push(reader.take(reader.u16()))
    }
    arrays.push({ complete: (head & 0x80) !== 0, type: head & 0x3f, units })
  }
  return arrays
}

/** The payload of an `hvcC` box. */
export function writeHvcC(hvcC: HvcC): Uint8Array {
  const { profile } = hvcC
  const bits = new BitWriter().put(1, 8)
  bits.put(profile.profileSpace, 2).put(profile.tier, 1).put(profile.profileIdc, 5)
  bits.put(profile.compatibilityFlags, 32).put(profile.constraintFlags, 48).put(profile.levelIdc, 8)
  bits.put(0xf, 4).put(hvcC.minSpatialSegmentation, 12).put(0x3f, 6).put(hvcC.parallelism, 2)
  bits.put(0x3f, 6).put(hvcC.chromaFormat, 2)
  bits
    .put(0x1f, 5)
    .put(hvcC.bitDepthLuma - 8, 3)
    .put(0x1f, 5)
    .put(hvcC.bitDepthChroma - 8, 3)
  bits.put(hvcC.averageFrameRate, 16).put(hvcC.constantFrameRate, 2).put(hvcC.temporalLayers, 3)
  bits
    .flag(hvcC.temporalIdNested)
    .put(hvcC.lengthSize - 1, 2)
    .put(hvcC.arrays.length, 8)
  for (const { complete, type, units } of hvcC.arrays) {
    bits.flag(complete).put(type, 7).put(units.length, 16)
    for (const unit of units) {
      if (unit.length > 0xffff) throw new MalformedError('hvcC', 'a parameter set is longer than 65535 bytes')
      bits.put(unit.length, 16).bytes(unit)
    }
  }
  return bits.done()
}

/**
 * The configuration that `units` (any NAL units of a stream's start) ask for, 4-byte lengths.
 * @throws MalformedError when a VPS, SPS or PPS is missing or broken
 */
export function buildHvcC(units: readonly Uint8Array[]): HvcC {
  const arrays = [NAL_VPS, NAL_HEVC_SPS, NAL_HEVC_PPS].map((type) => ({
    complete: true,
    type,
    units: units
      .filter((unit) => unit.length > 2 && hevcNalType(unit) === type && hevcLayerId(unit) === 0)
      .slice(0, 64),
  }))
  if (arrays.some(({ units }) => units.length === 0)) throw new MalformedError('hvcC', 'needs a VPS, an SPS and a PPS')
  const sps = parseHevcSps(arrays[1].units[0])
  return {
    profile: sps.profile,
    minSpatialSegmentation: 0,
    parallelism: 0,
    chromaFormat: sps.chromaFormat,
    bitDepthLuma: sps.bitDepthLuma,
    bitDepthChroma: sps.bitDepthChroma,
    averageFrameRate: 0,
    constantFrameRate: 0,
    temporalLayers: sps.temporalLayers,
    temporalIdNested: sps.temporalIdNested,
    lengthSize: 4,
    arrays,
  }
}

/** The first base-layer SPS of a configuration, and the frame rate that it or the VPS states. @throws MalformedError */
export function hevcFacts(hvcC: HvcC): { readonly sps: HevcSps; readonly frameRate: number | undefined } {
  const unit = unitsOf(hvcC, NAL_HEVC_SPS)[0]
  if (unit === undefined) throw new MalformedError('hvcC', 'has no SPS')
  const sps = parseHevcSps(unit)
  if (sps.vui?.frameRate !== undefined) return { sps, frameRate: sps.vui.frameRate }
  const vps = unitsOf(hvcC, NAL_VPS)[0]
  return { sps, frameRate: vps === undefined ? undefined : parseHevcVps(vps).frameRate }
}

function unitsOf(hvcC: HvcC, type: number): readonly Uint8Array[] {
  return hvcC.arrays.find((array) => array.type === type)?.units ?? []
}

/** The parameter sets of a configuration as length-prefixed bytes, to stand before a keyframe's sample. */
export function hevcParameterSets(hvcC: HvcC): Uint8Array {
  return joinSample(
    [NAL_VPS, NAL_HEVC_SPS, NAL_HEVC_PPS].flatMap((type) => unitsOf(hvcC, type)),
    hvcC.lengthSize,
  )
}
