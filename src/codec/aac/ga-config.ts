import type { BitReader } from '../../media/bits.ts'
import { UnsupportedError } from '../../media/errors.ts'
import type { BitWriter } from '../bit-writer.ts'
import { type ProgramConfig, parseProgramConfig, writeProgramConfig } from './program-config.ts'

/** Object types whose configuration is GASpecificConfig, ISO 14496-3 §1.6.2.1. */
const GA_TYPES: ReadonlySet<number> = new Set([1, 2, 3, 4, 6, 7, 17, 19, 20, 21, 22, 23])
/** Those of them with epConfig behind it. */
const ER_TYPES: ReadonlySet<number> = new Set([17, 19, 20, 21, 22, 23])

/** GASpecificConfig, ISO 14496-3 §4.4.1, and epConfig after it. */
export type GaConfig = {
  /** frameLengthFlag: 960 samples instead of 1024, 480 instead of 512. */
  readonly shortFrames: boolean
  /** 14 bits; absent when the frames depend on no core coder. */
  readonly coreCoderDelay?: number
  /** Only where channelConfiguration is 0. */
  readonly program?: ProgramConfig
  /** Scalable object types 6 and 20. */
  readonly layer?: number
  readonly extension?: {
    /** BSAC: numOfSubFrame (5 bits) and layer_length (11 bits). */
    readonly bsac?: { readonly subFrames: number; readonly layerLength: number }
    /** The three resilience flags of types 17, 19, 20, 23. */
    readonly resilience?: number
    readonly version3: boolean
  }
  /** 0 or 1; only for error resilient types. */
  readonly epConfig?: number
}

/** Whether the configuration of this object type is a GASpecificConfig. */
export function hasGaConfig(objectType: number): boolean {
  return GA_TYPES.has(objectType)
}

/** Whether epConfig follows it. */
export function isErrorResilient(objectType: number): boolean {
  return ER_TYPES.has(objectType)
}

/** @throws MalformedError @throws UnsupportedError for error protection tools, which no live source uses */
export function parseGaConfig(bits: BitReader, objectType: number, channelConfiguration: number): GaConfig {
  const shortFrames = bits.flag()
  const coreCoderDelay = bits.flag() ? bits.bits(14) : undefined
  const extended = bits.flag()
  const program = channelConfiguration === 0 ? parseProgramConfig(bits) : undefined
  const layer = objectType === 6 || objectType === 20 ? bits.bits(3) : undefined
  const extension = extended ? parseExtension(bits, objectType) : undefined
  const epConfig = isErrorResilient(objectType) ? bits.bits(2) : undefined
  if (epConfig !== undefined && epConfig > 1) {
    throw new UnsupportedError(
      `AudioSpecificConfig: epConfig ${epConfig} (error protection) is not read; send plain AAC`,
    )
  }
  return {
    shortFrames,
    ...(coreCoderDelay === undefined ? {} : { coreCoderDelay }),
    ...(program === undefined ? {} : { program }),
    ...(layer === undefined ? {} : { layer }),
    ...(extension === undefined ? {} : { extension }),
    ...(epConfig === undefined ? {} : { epConfig }),
  }
}

function parseExtension(bits: BitReader, objectType: number): NonNullable<GaConfig['extension']> {
  if (objectType === 22) {
    const bsac = { subFrames: bits.bits(5), layerLength: bits.bits(11) }
    return { bsac, version3: bits.flag() }
  }
  if (objectType === 17 || objectType === 19 || objectType === 20 || objectType === 23) {
    const resilience = bits.bits(3)
    return { resilience, version3: bits.flag() }
  }
  return { version3: bits.flag() }
}

/** The reverse of `parseGaConfig`. */
export function writeGaConfig(bits: BitWriter, ga: GaConfig, errorResilient: boolean): void {
  bits.flag(ga.shortFrames).flag(ga.coreCoderDelay !== undefined)
  if (ga.coreCoderDelay !== undefined) bits.put(ga.coreCoderDelay, 14)
  bits.flag(ga.extension !== undefined)
  if (ga.program !== undefined) writeProgramConfig(bits, ga.program)
  if (ga.layer !== undefined) bits.put(ga.layer, 3)
  if (ga.extension !== undefined) {
    const { bsac, resilience, version3 } = ga.extension
    if (bsac !== undefined) bits.put(bsac.subFrames, 5).put(bsac.layerLength, 11)
    if (resilience !== undefined) bits.put(resilience, 3)
    bits.flag(version3)
  }
  if (errorResilient) bits.put(ga.epConfig ?? 0, 2)
}
