import { BitReader } from '../../media/bits.ts'

/** color_config(), AV1 §5.5.2. Primaries, transfer and matrix are those of ISO 23091-4; 2 is unspecified. */
export type Av1Colour = {
  readonly bitDepth: 8 | 10 | 12
  readonly monochrome: boolean
  readonly primaries: number
  readonly transfer: number
  readonly matrix: number
  readonly fullRange: boolean
  readonly subsamplingX: number
  readonly subsamplingY: number
  readonly chromaSamplePosition: number
}

/** What a sequence header says that matters outside a decoder, AV1 §5.5.1. */
export type Av1SequenceHeader = {
  readonly profile: number
  /** Every frame is a shown keyframe; frame headers have no bits for it. */
  readonly reducedStillPicture: boolean
  /** seq_level_idx[0]. */
  readonly level: number
  /** seq_tier[0]: 0 Main, 1 High. */
  readonly tier: number
  readonly initialDisplayDelay?: number
  /** Of the largest frame. */
  readonly width: number
  readonly height: number
  /** Only where pictures are said to be equally spaced. */
  readonly frameRate?: number
  readonly colour: Av1Colour
}

const SELECT_SCREEN_CONTENT_TOOLS = 2 // §3
const MATRIX_IDENTITY = 0 // §6.4.2
const PRIMARIES_BT709 = 1
const TRANSFER_SRGB = 13

/** Reads the payload of a sequence header OBU. @throws MalformedError */
export function parseAv1SequenceHeader(payload: Uint8Array): Av1SequenceHeader {
  const bits = new BitReader(payload, 'AV1 sequence header')
  const profile = bits.bits(3)
  if (profile > 2) bits.fail('seq_profile above 2')
  bits.skip(1) // still_picture
  const reducedStillPicture = bits.flag()
  const operation = reducedStillPicture ? { level: bits.bits(5), tier: 0 } : parseOperation(bits)
  const widthBits = bits.bits(4) + 1
  const heightBits = bits.bits(4) + 1
  const width = bits.bits(widthBits) + 1
  const height = bits.bits(heightBits) + 1
  skipTools(bits, reducedStillPicture)
  const colour = parseColour(bits, profile)
  return { profile, reducedStillPicture, ...operation, width, height, colour }
}

type Operation = Pick<Av1SequenceHeader, 'level' | 'tier' | 'initialDisplayDelay' | 'frameRate'>

/** Timing, decoder model and operating points, of which the first counts. */
function parseOperation(bits: BitReader): Operation {
  const timingPresent = bits.flag()
  const frameRate = timingPresent ? parseTiming(bits) : undefined
  let delayBits = 0
  if (timingPresent && bits.flag()) {
    delayBits = bits.bits(5) + 1 // buffer_delay_length_minus_1
    bits.skip(42) // num_units_in_decoding_tick, two lengths
  }
  const displayDelayPresent = bits.flag()
  const points = bits.bits(5) + 1
  let first: { level: number; tier: number; initialDisplayDelay?: number } | undefined
  for (let i = 0; i < points; i++) {
    const point = parsePoint(bits, delayBits, displayDelayPresent)
    first ??= point
  }
  return { level: 0, tier: 0, ...first, ...(frameRate === undefined ? {} : { frameRate }) }
}

function parsePoint(
  bits: BitReader,
  delayBits: number,
  displayDelayPresent: boolean,
): { level: number; tier: number; initialDisplayDelay?: number } {
  bits.skip(12) // operating_point_idc
  const level = bits.bits(5)
  const tier = level > 7 ? bits.bit() : 0
  if (delayBits > 0 && bits.flag()) bits.skip(2 * delayBits + 1) // operating_parameters_info
  const delay = displayDelayPresent && bits.flag() ? bits.bits(4) + 1 : undefined
  return delay === undefined ? { level, tier } : { level, tier, initialDisplayDelay: delay }
}

/** timing_info(), §5.5.3. */
function parseTiming(bits: BitReader): number | undefined {
  const unitsInTick = bits.bits(32)
  const timeScale = bits.bits(32)
  if (!bits.flag()) return undefined // equal_picture_interval
  const ticksPerPicture = parseUvlc(bits) + 1
  return unitsInTick === 0 || timeScale === 0 ? undefined : timeScale / unitsInTick / ticksPerPicture
}

/** uvlc(), §4.10.3. */
function parseUvlc(bits: BitReader): number {
  let zeros = 0
  while (!bits.flag()) zeros++
  return zeros >= 32 ? 2 ** 32 - 1 : 2 ** zeros - 1 + bits.bits(zeros)
}

function skipTools(bits: BitReader, reducedStillPicture: boolean): void {
  if (!reducedStillPicture && bits.flag()) bits.skip(7) // frame_id_numbers_present_flag and lengths
  bits.skip(3) // use_128x128_superblock, enable_filter_intra, enable_intra_edge_filter
  if (!reducedStillPicture) {
    bits.skip(4) // enable_interintra_compound … enable_dual_filter
    const orderHint = bits.flag()
    if (orderHint) bits.skip(2) // enable_jnt_comp, enable_ref_frame_mvs
    const screenContentTools = bits.flag() ? SELECT_SCREEN_CONTENT_TOOLS : bits.bit()
    if (screenContentTools > 0 && !bits.flag()) bits.skip(1) // seq_force_integer_mv
    if (orderHint) bits.skip(3) // order_hint_bits_minus_1
  }
  bits.skip(3) // enable_superres, enable_cdef, enable_restoration
}

function parseColour(bits: BitReader, profile: number): Av1Colour {
  const highBitDepth = bits.flag()
  const bitDepth = highBitDepth ? (profile === 2 && bits.flag() ? 12 : 10) : 8
  const monochrome = profile !== 1 && bits.flag()
  const described = bits.flag()
  const primaries = described ? bits.bits(8) : 2
  const transfer = described ? bits.bits(8) : 2
  const matrix = described ? bits.bits(8) : 2
  const base = { bitDepth, monochrome, primaries, transfer, matrix, chromaSamplePosition: 0 } as const
  if (monochrome) return { ...base, fullRange: bits.flag(), subsamplingX: 1, subsamplingY: 1 }
  if (primaries === PRIMARIES_BT709 && transfer === TRANSFER_SRGB && matrix === MATRIX_IDENTITY) {
    return { ...base, fullRange: true, subsamplingX: 0, subsamplingY: 0 }
  }
  const fullRange = bits.flag()
  const [subsamplingX, subsamplingY] = parseSubsampling(bits, profile, bitDepth)
  const chromaSamplePosition = subsamplingX === 1 && subsamplingY === 1 ? bits.bits(2) : 0
  return { ...base, fullRange, subsamplingX, subsamplingY, chromaSamplePosition }
}

function parseSubsampling(bits: BitReader, profile: number, bitDepth: number): [number, number] {
  if (profile === 0) return [1, 1]
  if (profile === 1) return [0, 0]
  if (bitDepth !== 12) return [1, 0]
  const x = bits.bit()
  return [x, x === 1 ? bits.bit() : 0]
}
