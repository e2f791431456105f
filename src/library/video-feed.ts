import { buildAv1C, writeAv1C } from '../codec/av1/av1c.ts'
import { findObu, OBU_SEQUENCE_HEADER, temporalUnitToSample } from '../codec/av1/obu.ts'
import { buildAvcC, writeAvcC } from '../codec/h264/avcc.ts'
import { h264NalType, NAL_AUD, NAL_PPS, NAL_SPS } from '../codec/h264/nal.ts'
import { buildHvcC, writeHvcC } from '../codec/hevc/hvcc.ts'
import { hevcNalType, NAL_HEVC_AUD, NAL_HEVC_PPS, NAL_HEVC_SPS, NAL_VPS } from '../codec/hevc/nal.ts'
import { joinSample, type LengthSize, nalLength, splitAnnexB, splitSample } from '../codec/nal.ts'
import { MalformedError } from '../media/errors.ts'
import type { VideoCodec } from '../media/track.ts'

/** One access unit in the form that containers keep. */
export interface FedSample {
  readonly data: Uint8Array
  /** The configuration that this access unit brought along; undefined when it brought none. */
  readonly config: Uint8Array | undefined
}

/** Which NAL units make the configuration, and which say nothing in a sample. */
interface NalDialect {
  readonly name: string
  typeOf(unit: Uint8Array): number
  readonly parameterSets: readonly number[]
  readonly delimiter: number
  build(units: readonly Uint8Array[]): Uint8Array
}

const H264: NalDialect = {
  name: 'H.264',
  typeOf: h264NalType,
  parameterSets: [NAL_SPS, NAL_PPS],
  delimiter: NAL_AUD,
  build: (units) => writeAvcC(buildAvcC(units)),
}
const HEVC: NalDialect = {
  name: 'HEVC',
  typeOf: hevcNalType,
  parameterSets: [NAL_VPS, NAL_HEVC_SPS, NAL_HEVC_PPS],
  delimiter: NAL_HEVC_AUD,
  build: (units) => writeHvcC(buildHvcC(units)),
}

/**
 * What an embedder's access unit is, as a sample. H.264 and HEVC may be Annex B (start codes) or length-prefixed, AV1 may
 * have temporal delimiters. Parameter sets within Annex B become the configuration and leave the sample.
 *
 * `lengthSize` is of length-prefixed NAL units, in and out.
 * @throws MalformedError when it is neither
 */
export function feedVideo(codec: VideoCodec, data: Uint8Array, lengthSize: LengthSize): FedSample {
  switch (codec) {
    case 'h264':
      return feedNalUnits(H264, data, lengthSize)
    case 'hevc':
      return feedNalUnits(HEVC, data, lengthSize)
    case 'av1':
      return {
        data: temporalUnitToSample(data),
        config: findObu(data, OBU_SEQUENCE_HEADER) === undefined ? undefined : writeAv1C(buildAv1C(data)),
      }
    case 'vp9':
    case 'vp8':
      return { data, config: undefined }
    default:
      return codec satisfies never
  }
}

/** How long the lengths of NAL units are, by the configuration of a track: 4 bytes where it does not say. */
export function lengthSizeOf(track: { readonly codec: string; readonly config: Uint8Array }): LengthSize {
  const at = track.codec === 'hevc' ? 21 : 4 // hvcC, ISO 14496-15 §8.3.3; avcC, §5.3.3
  const size = track.config.length <= at ? 4 : (track.config[at] & 3) + 1
  return size === 1 || size === 2 ? size : 4
}

function feedNalUnits(dialect: NalDialect, data: Uint8Array, lengthSize: LengthSize): FedSample {
  const prefixed = isLengthPrefixed(data, lengthSize)
  if (!prefixed && !isAnnexB(data)) {
    throw new MalformedError(
      `${dialect.name} access unit`,
      'begins with no start code, and NAL lengths do not fit it',
      0,
    )
  }
  const units = prefixed ? splitSample(data, lengthSize) : splitAnnexB(data)
  const sets = units.filter((unit) => dialect.parameterSets.includes(dialect.typeOf(unit)))
  const complete = dialect.parameterSets.every((type) => sets.some((unit) => dialect.typeOf(unit) === type))
  const config = complete ? dialect.build(sets) : undefined
  if (prefixed && sets.length === 0) return { data, config }
  const media = units.filter((unit) => !sets.includes(unit) && dialect.typeOf(unit) !== dialect.delimiter)
  return { data: joinSample(media, lengthSize), config }
}

/** The lengths lead exactly to the end: Annex B practically never does, though 00 00 01 may begin either. */
function isLengthPrefixed(data: Uint8Array, lengthSize: LengthSize): boolean {
  let at = 0
  while (at < data.length) {
    const length = nalLength(data, at, lengthSize)
    if (length <= 0) return false
    at += lengthSize + length
  }
  return data.length > 0
}

function isAnnexB(data: Uint8Array): boolean {
  return data[0] === 0 && data[1] === 0 && (data[2] === 1 || (data[2] === 0 && data[3] === 1))
}
