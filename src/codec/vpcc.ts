import { ByteReader, ByteWriter } from '../media/bytes.ts'

/** VPCodecConfigurationRecord, VP-ISOBMFF §2.2, for VP8 and VP9. */
export type VpcC = {
  readonly profile: number
  /** 10 · level. */
  readonly level: number
  readonly bitDepth: number
  /** 0 4:2:0 vertical, 1 4:2:0 colocated, 2 4:2:2, 3 4:4:4, 4 4:4:0. */
  readonly chromaSubsampling: number
  readonly fullRange: boolean
  /** Primaries, transfer, matrix of ISO 23091-2; 2 is unspecified. */
  readonly primaries: number
  readonly transfer: number
  readonly matrix: number
  /** Empty for VP8 and VP9. */
  readonly initData: Uint8Array
}

/** Reads what follows the FullBox header of a `vpcC` box. @throws MalformedError */
export function parseVpcC(bytes: Uint8Array): VpcC {
  const reader = new ByteReader(bytes, 'vpcC')
  const profile = reader.u8()
  const level = reader.u8()
  const packed = reader.u8()
  const [primaries, transfer, matrix] = [reader.u8(), reader.u8(), reader.u8()]
  const initData = reader.take(reader.u16())
  return {
    profile,
    level,
    bitDepth: packed >> 4,
    chromaSubsampling: (packed >> 1) & 7,
    fullRange: (packed & 1) !== 0,
    primaries,
    transfer,
    matrix,
    initData,
  }
}

/** What follows the FullBox header of a `vpcC` box. */
export function writeVpcC(vpcC: VpcC): Uint8Array {
  const writer = new ByteWriter(8 + vpcC.initData.length)
  writer.u8(vpcC.profile).u8(vpcC.level)
  writer.u8((vpcC.bitDepth << 4) | (vpcC.chromaSubsampling << 1) | (vpcC.fullRange ? 1 : 0))
  writer.u8(vpcC.primaries).u8(vpcC.transfer).u8(vpcC.matrix)
  return writer.u16(vpcC.initData.length).put(vpcC.initData).done()
}
