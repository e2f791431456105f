import { ByteReader, ByteWriter } from '../../media/bytes.ts'
import { MalformedError } from '../../media/errors.ts'
import { joinSample, type LengthSize } from '../nal.ts'
import { h264NalType, NAL_PPS, NAL_SPS, NAL_SPS_EXT } from './nal.ts'
import { HIGH_PROFILES, parseH264Sps } from './sps.ts'

/** AVCDecoderConfigurationRecord, ISO 14496-15 §5.3.3.1. */
export type AvcC = {
  readonly profileIdc: number
  readonly constraintFlags: number
  readonly levelIdc: number
  readonly lengthSize: LengthSize
  /** NAL units with their header byte. */
  readonly sps: readonly Uint8Array[]
  readonly pps: readonly Uint8Array[]
  /** Only from profile 100 up, and left out by many encoders. */
  readonly high?: {
    readonly chromaFormat: number
    readonly bitDepthLuma: number
    readonly bitDepthChroma: number
    readonly spsExt: readonly Uint8Array[]
  }
}

/** Reads the payload of an `avcC` box. Bytes after it are ignored. @throws MalformedError */
export function parseAvcC(bytes: Uint8Array): AvcC {
  const reader = new ByteReader(bytes, 'avcC')
  if (reader.u8() !== 1) reader.fail('configurationVersion is not 1')
  const profileIdc = reader.u8()
  const constraintFlags = reader.u8()
  const levelIdc = reader.u8()
  const lengthSize = avcLengthSize(reader.u8())
  const sps = takeUnits(reader, reader.u8() & 0x1f)
  const pps = takeUnits(reader, reader.u8())
  const base = { profileIdc, constraintFlags, levelIdc, lengthSize, sps, pps }
  if (!HIGH_PROFILES.has(profileIdc) || !isExtension(bytes, reader.offset)) return base
  const chromaFormat = reader.u8() & 3
  const bitDepthLuma = (reader.u8() & 7) + 8
  const bitDepthChroma = (reader.u8() & 7) + 8
  const spsExt = takeUnits(reader, reader.u8())
  return { ...base, high: { chromaFormat, bitDepthLuma, bitDepthChroma, spsExt } }
}

/** By its reserved bits, all ones: some writers leave the extension out and pad with something else. */
function isExtension(bytes: Uint8Array, at: number): boolean {
  return bytes.length - at >= 4 && bytes[at] >= 0xfc && bytes[at + 1] >= 0xf8 && bytes[at + 2] >= 0xf8
}

function avcLengthSize(byte: number): LengthSize {
  const size = (byte & 3) + 1
  if (size === 3) throw new MalformedError('avcC', 'lengthSizeMinusOne 2 is reserved', 4)
  return size === 1 || size === 2 ? size : 4
}

function takeUnits(reader: ByteReader, count: number): Uint8Array[] {
  const units: Uint8Array[] = []
  for (let i = 0; i < count; i++) units.push(reader.take(reader.u16()))
  return units
}

/** The payload of an `avcC` box. */
export function writeAvcC(avcC: AvcC): Uint8Array {
  const writer = new ByteWriter()
  writer.u8(1).u8(avcC.profileIdc).u8(avcC.constraintFlags).u8(avcC.levelIdc)
  writer.u8(0xfc | (avcC.lengthSize - 1)).u8(0xe0 | avcC.sps.length)
  putUnits(writer, avcC.sps)
  writer.u8(avcC.pps.length)
  putUnits(writer, avcC.pps)
  if (avcC.high !== undefined) {
    const { chromaFormat, bitDepthLuma, bitDepthChroma, spsExt } = avcC.high
    writer
      .u8(0xfc | chromaFormat)
      .u8(0xf8 | (bitDepthLuma - 8))
      .u8(0xf8 | (bitDepthChroma - 8))
      .u8(spsExt.length)
    putUnits(writer, spsExt)
  }
  return writer.done()
}

function putUnits(writer: ByteWriter, units: readonly Uint8Array[]): void {
  for (const unit of units) {
    if (unit.length > 0xffff) throw new MalformedError('avcC', 'a parameter set is longer than 65535 bytes')
    writer.u16(unit.length).put(unit)
  }
}

/**
 * The configuration that `units` (any NAL units of a stream's start) ask for, 4-byte lengths.
 * @throws MalformedError when an SPS or a PPS is missing or broken
 */
export function buildAvcC(units: readonly Uint8Array[]): AvcC {
  const sps = units.filter((unit) => h264NalType(unit) === NAL_SPS).slice(0, 31)
  const pps = units.filter((unit) => h264NalType(unit) === NAL_PPS).slice(0, 255)
  if (sps.length === 0 || pps.length === 0) throw new MalformedError('avcC', 'needs an SPS and a PPS')
  const { profileIdc, constraintFlags, levelIdc, chromaFormat, bitDepthLuma, bitDepthChroma } = parseH264Sps(sps[0])
  const base = { profileIdc, constraintFlags, levelIdc, lengthSize: 4 as const, sps, pps }
  if (!HIGH_PROFILES.has(profileIdc)) return base
  const spsExt = units.filter((unit) => h264NalType(unit) === NAL_SPS_EXT).slice(0, 255)
  return { ...base, high: { chromaFormat, bitDepthLuma, bitDepthChroma, spsExt } }
}

/** The parameter sets of a configuration as length-prefixed bytes, to stand before a keyframe's sample. */
export function avcParameterSets(avcC: AvcC): Uint8Array {
  return joinSample([...avcC.sps, ...avcC.pps], avcC.lengthSize)
}
