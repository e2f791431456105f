import { BitReader } from '../../media/bits.ts'
import { BitWriter } from '../bit-writer.ts'
import { type GaConfig, hasGaConfig, isErrorResilient, parseGaConfig, writeGaConfig } from './ga-config.ts'
import { programChannels } from './program-config.ts'
import { parseSampleRate, writeSampleRate } from './sample-rates.ts'

// Audio object types, ISO 14496-3 Table 1.17
export const AOT_SBR = 5 // what HE-AAC is announced as
export const AOT_PS = 29 // what HE-AAC v2 is announced as
const AOT_ER_BSAC = 22
const AOT_ER_AAC_LD = 23
const AOT_ER_AAC_ELD = 39
const AOT_USAC = 42
const AOT_ESCAPE = 31 // 5 bits, then 6 more counted from 32, §1.6.2.1

const SYNC_SBR = 0x2b7 // 11 bits, syncExtensionType, §1.6.2.1
const SYNC_PS = 0x548 // 11 bits, same

/** Channels by channelConfiguration (Table 1.19); 0 is said by a program config, undefined is reserved. */
const CHANNELS: readonly (number | undefined)[] = [0, 1, 2, 3, 4, 5, 6, 8, undefined, undefined, undefined, 7, 8, 24, 8]

/** How high-efficiency AAC is announced, §1.6.5. */
export type SbrSignalling = {
  /** `hierarchical`: object type 5 or 29 comes first. `backward`: an extension at the end, which older decoders skip. */
  readonly kind: 'hierarchical' | 'backward'
  /** False only in a `backward` extension that says there is none. */
  readonly present: boolean
  /** Output rate; equals the core's where SBR runs downsampled. 0 when not present. */
  readonly rateHz: number
  /** Parametric stereo: one coded channel, two heard. Undefined where the extension leaves it open. */
  readonly ps?: boolean
}

/**
 * AudioSpecificConfig, ISO 14496-3 §1.6.2.1.
 *
 * Without `sbr`, high efficiency may still be there, hidden in the frames (implicit signalling): then only a decoder
 * finds out, and everything here speaks of the core: its rate, its channels.
 */
export type AudioSpecificConfig = {
  /** Of the core: 2 for AAC-LC and for HE-AAC. */
  readonly objectType: number
  /** Of the core. */
  readonly sampleRateHz: number
  readonly channelConfiguration: number
  readonly sbr?: SbrSignalling
  /** GASpecificConfig; absent for object types that have another one, which `other` then holds. */
  readonly ga?: GaConfig
  /** What follows for object types not read here (ELD, USAC, CELP…): bits, left-aligned. */
  readonly other?: { readonly bytes: Uint8Array; readonly bitCount: number }
}

/** Reads an AudioSpecificConfig; unknown bits at its end are ignored. @throws MalformedError @throws UnsupportedError */
export function parseAudioSpecificConfig(bytes: Uint8Array): AudioSpecificConfig {
  const bits = new BitReader(bytes, 'AudioSpecificConfig')
  let objectType = parseObjectType(bits)
  const sampleRateHz = parseSampleRate(bits)
  const channelConfiguration = bits.bits(4)
  let sbr: SbrSignalling | undefined
  if (objectType === AOT_SBR || objectType === AOT_PS) {
    sbr = { kind: 'hierarchical', present: true, rateHz: parseSampleRate(bits), ps: objectType === AOT_PS }
    objectType = parseObjectType(bits)
    if (objectType === AOT_ER_BSAC) bits.skip(4) // extensionChannelConfiguration
  }
  const base = { objectType, sampleRateHz, channelConfiguration }
  if (!hasGaConfig(objectType)) {
    return { ...base, ...(sbr === undefined ? {} : { sbr }), other: parseRest(bits) }
  }
  const ga = parseGaConfig(bits, objectType, channelConfiguration)
  sbr ??= parseBackwardSbr(bits)
  return { ...base, ga, ...(sbr === undefined ? {} : { sbr }) }
}

function parseObjectType(bits: BitReader): number {
  const type = bits.bits(5)
  return type === AOT_ESCAPE ? 32 + bits.bits(6) : type
}

function parseRest(bits: BitReader): { bytes: Uint8Array; bitCount: number } {
  const bitCount = bits.bitsLeft
  const out = new BitWriter()
  for (let i = 0; i < bitCount; i++) out.put(bits.bit(), 1)
  return { bytes: out.done(), bitCount }
}

function parseBackwardSbr(bits: BitReader): SbrSignalling | undefined {
  if (bits.bitsLeft < 16 || bits.bits(11) !== SYNC_SBR) return undefined
  if (parseObjectType(bits) !== AOT_SBR) return undefined
  if (!bits.flag()) return { kind: 'backward', present: false, rateHz: 0 }
  const rateHz = parseSampleRate(bits)
  const base = { kind: 'backward', present: true, rateHz } as const
  return bits.bitsLeft >= 12 && bits.bits(11) === SYNC_PS ? { ...base, ps: bits.flag() } : base
}

/** Writes the shortest form of what `parseAudioSpecificConfig` reads. */
export function writeAudioSpecificConfig(config: AudioSpecificConfig): Uint8Array {
  const bits = new BitWriter()
  const { sbr, objectType } = config
  const hierarchical = sbr?.kind === 'hierarchical'
  putObjectType(bits, hierarchical ? (sbr.ps === true ? AOT_PS : AOT_SBR) : objectType)
  writeSampleRate(bits, config.sampleRateHz)
  bits.put(config.channelConfiguration, 4)
  if (hierarchical) {
    writeSampleRate(bits, sbr.rateHz)
    putObjectType(bits, objectType)
    if (objectType === AOT_ER_BSAC) bits.put(config.channelConfiguration, 4)
  }
  if (config.ga !== undefined) writeGaConfig(bits, config.ga, isErrorResilient(objectType))
  if (config.other !== undefined) putRest(bits, config.other)
  if (sbr?.kind === 'backward') putBackwardSbr(bits, sbr)
  return bits.done()
}

function putObjectType(bits: BitWriter, type: number): void {
  if (type < 32) bits.put(type, 5)
  else bits.put(AOT_ESCAPE, 5).put(type - 32, 6)
}

function putRest(bits: BitWriter, rest: { bytes: Uint8Array; bitCount: number }): void {
  const reader = new BitReader(rest.bytes, 'AudioSpecificConfig')
  for (let i = 0; i < rest.bitCount; i++) bits.put(reader.bit(), 1)
}

function putBackwardSbr(bits: BitWriter, sbr: SbrSignalling): void {
  bits.put(SYNC_SBR, 11)
  putObjectType(bits, AOT_SBR)
  bits.flag(sbr.present)
  if (!sbr.present) return
  writeSampleRate(bits, sbr.rateHz)
  if (sbr.ps !== undefined) bits.put(SYNC_PS, 11).flag(sbr.ps)
}

/** What is heard: rate with SBR, channels with parametric stereo; `samples` per frame at that rate. */
export type AacFacts = { readonly sampleRateHz: number; readonly channels: number; readonly frameSamples: number }

/** The facts of a track with this configuration. @throws MalformedError for reserved channel configurations */
export function aacFacts(config: AudioSpecificConfig): AacFacts {
  const core = coreFrameSamples(config)
  const doubled = config.sbr?.present === true
  const sampleRateHz = doubled ? config.sbr.rateHz : config.sampleRateHz
  const frameSamples = Math.round((core * sampleRateHz) / config.sampleRateHz)
  const program = config.ga?.program
  let channels = program === undefined ? CHANNELS[config.channelConfiguration] : programChannels(program)
  if (config.sbr?.ps === true && channels === 1) channels = 2
  if (channels === undefined || (channels === 0 && config.objectType !== AOT_USAC)) {
    return new BitReader(new Uint8Array(0), 'AudioSpecificConfig').fail('says no channels')
  }
  return { sampleRateHz, channels, frameSamples }
}

/** Samples per frame at the core's rate, Table 4.1 (GASpecificConfig), §4.6.20 (ELD), 23003-3 Table 70 (USAC). */
function coreFrameSamples(config: AudioSpecificConfig): number {
  const first = config.other?.bytes[0] ?? 0
  switch (config.objectType) {
    case AOT_ER_AAC_LD:
      return config.ga?.shortFrames === true ? 480 : 512
    case AOT_ER_AAC_ELD:
      return (first & 0x80) !== 0 ? 480 : 512
    case AOT_USAC:
      return usacFrameSamples(first)
    default:
      return config.ga?.shortFrames === true ? 960 : 1024
  }
}

/** coreSbrFrameLengthIndex, after a 5-bit usacSamplingFrequencyIndex that is no escape: output samples per frame. */
function usacFrameSamples(first: number): number {
  return [768, 1024, 2048, 2048, 4096][first & 7] ?? 1024
}
