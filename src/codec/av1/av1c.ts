import { ByteReader, ByteWriter } from '../../media/bytes.ts'
import { MalformedError } from '../../media/errors.ts'
import { findObu, OBU_SEQUENCE_HEADER, writeObu } from './obu.ts'
import { parseAv1SequenceHeader } from './sequence-header.ts'

/** AV1CodecConfigurationRecord, AV1-ISOBMFF §2.3.3. */
export type Av1C = {
  readonly profile: number
  readonly level: number
  readonly tier: number
  readonly bitDepth: 8 | 10 | 12
  readonly monochrome: boolean
  readonly subsamplingX: number
  readonly subsamplingY: number
  readonly chromaSamplePosition: number
  /** initial_presentation_delay_minus_one + 1; absent when not said. */
  readonly initialPresentationDelay?: number
  /** A sequence header OBU, perhaps metadata; may be empty. */
  readonly configObus: Uint8Array
}

const MARKER_VERSION = 0x81 // marker bit and version 1, §2.3.3

/** Reads the payload of an `av1C` box. @throws MalformedError */
export function parseAv1C(bytes: Uint8Array): Av1C {
  const reader = new ByteReader(bytes, 'av1C')
  if (reader.u8() !== MARKER_VERSION) reader.fail('marker and version are not 1')
  const profileLevel = reader.u8()
  const flags = reader.u8()
  const delay = reader.u8()
  const base = {
    profile: profileLevel >> 5,
    level: profileLevel & 0x1f,
    tier: flags >> 7,
    bitDepth: (flags & 0x40) === 0 ? 8 : (flags & 0x20) === 0 ? 10 : 12,
    monochrome: (flags & 0x10) !== 0,
    subsamplingX: (flags >> 3) & 1,
    subsamplingY: (flags >> 2) & 1,
    chromaSamplePosition: flags & 3,
    configObus: reader.rest(),
  } as const
  return (delay & 0x10) === 0 ? base : { ...base, initialPresentationDelay: (delay & 0xf) + 1 }
}

/** The payload of an `av1C` box. */
export function writeAv1C(av1C: Av1C): Uint8Array {
  const writer = new ByteWriter(4 + av1C.configObus.length)
  writer.u8(MARKER_VERSION).u8((av1C.profile << 5) | av1C.level)
  const depth = av1C.bitDepth === 8 ? 0 : av1C.bitDepth === 10 ? 0x40 : 0x60 // high_bitdepth, twelve_bit
  const chroma = (av1C.subsamplingX << 3) | (av1C.subsamplingY << 2) | av1C.chromaSamplePosition
  writer.u8((av1C.tier << 7) | depth | (av1C.monochrome ? 0x10 : 0) | chroma)
  const delay = av1C.initialPresentationDelay
  writer.u8(delay === undefined ? 0 : 0x10 | (delay - 1))
  return writer.put(av1C.configObus).done()
}

/**
 * The configuration for the sequence header in a sample (or any run of OBUs).
 * @throws MalformedError when there is none, or a broken one
 */
export function buildAv1C(obus: Uint8Array): Av1C {
  const payload = findObu(obus, OBU_SEQUENCE_HEADER)
  if (payload === undefined) throw new MalformedError('av1C', 'needs a sequence header OBU')
  const { profile, level, tier, colour } = parseAv1SequenceHeader(payload)
  return {
    profile,
    level,
    tier,
    bitDepth: colour.bitDepth,
    monochrome: colour.monochrome,
    subsamplingX: colour.subsamplingX,
    subsamplingY: colour.subsamplingY,
    chromaSamplePosition: colour.chromaSamplePosition,
    configObus: writeObu(OBU_SEQUENCE_HEADER, payload),
  }
}
