import { BitReader } from '../media/bits.ts'
import { MalformedError } from '../media/errors.ts'
import type { VpcC } from './vpcc.ts'

/** uncompressed_header() of a keyframe, VP9 bitstream §6.2. */
export type Vp9KeyframeHeader = {
  readonly profile: number
  readonly bitDepth: 8 | 10 | 12
  /** color_space, §7.2.2. */
  readonly colourSpace: number
  readonly fullRange: boolean
  readonly subsamplingX: number
  readonly subsamplingY: number
  readonly width: number
  readonly height: number
}

const FRAME_MARKER = 2 // 2 bits, §6.2
const SYNC_CODE = 0x498342 // §6.2.1
const COLOUR_RGB = 7 // CS_RGB, §7.2.2
const SUPERFRAME_MARKER = 0b110 // 3 bits, §B.2

/** Whether decoding may start at this frame or superframe: its first frame is a keyframe. Allocates nothing. */
export function isVp9Keyframe(data: Uint8Array): boolean {
  if (data.length < 4 || data[0] >> 6 !== FRAME_MARKER) return false
  if ((data[0] & 0x30) === 0x30) return (data[0] & 0x0e) === 0 // profile 3: a reserved bit more
  if ((data[0] & 0x0c) !== 0) return false // show_existing_frame, frame_type
  return ((data[1] << 16) | (data[2] << 8) | data[3]) === SYNC_CODE
}

/** Reads the header of a keyframe. @throws MalformedError for anything else */
export function parseVp9Keyframe(data: Uint8Array): Vp9KeyframeHeader {
  const bits = new BitReader(data, 'VP9 frame')
  if (bits.bits(2) !== FRAME_MARKER) bits.fail('no frame marker')
  const profile = bits.bit() + 2 * bits.bit()
  if (profile === 3 && bits.flag()) bits.fail('profile above 3')
  if (bits.flag()) bits.fail('shows an existing frame')
  if (bits.flag()) bits.fail('is no keyframe')
  bits.skip(2) // show_frame, error_resilient_mode
  if (bits.bits(24) !== SYNC_CODE) bits.fail('no sync code')
  const colour = parseColour(bits, profile)
  const width = bits.bits(16) + 1
  const height = bits.bits(16) + 1
  return { profile, ...colour, width, height }
}

type Colour = Omit<Vp9KeyframeHeader, 'profile' | 'width' | 'height'>

/** color_config(), §6.2.2. */
function parseColour(bits: BitReader, profile: number): Colour {
  const bitDepth = profile >= 2 ? (bits.flag() ? 12 : 10) : 8
  const colourSpace = bits.bits(3)
  const explicit = profile === 1 || profile === 3
  if (colourSpace === COLOUR_RGB) {
    if (!explicit) bits.fail('RGB in a profile of 4:2:0')
    bits.skip(1)
    return { bitDepth, colourSpace, fullRange: true, subsamplingX: 0, subsamplingY: 0 }
  }
  const fullRange = bits.flag()
  if (!explicit) return { bitDepth, colourSpace, fullRange, subsamplingX: 1, subsamplingY: 1 }
  const subsamplingX = bits.bit()
  const subsamplingY = bits.bit()
  bits.skip(1) // reserved_zero
  return { bitDepth, colourSpace, fullRange, subsamplingX, subsamplingY }
}

/** The frames of a superframe (Annex B), as views; one that has no index is the only one. @throws MalformedError */
export function splitSuperframe(data: Uint8Array): Uint8Array[] {
  const marker = data[data.length - 1] ?? 0
  const sizeBytes = ((marker >> 3) & 3) + 1
  const count = (marker & 7) + 1
  const indexBytes = 2 + sizeBytes * count
  const index = data.length - indexBytes
  if (marker >> 5 !== SUPERFRAME_MARKER || index < 0 || data[index] !== marker) return [data]
  const frames: Uint8Array[] = []
  let at = 0
  for (let i = 0; i < count; i++) {
    let size = 0
    for (let j = 0; j < sizeBytes; j++) size += data[index + 1 + i * sizeBytes + j] * 256 ** j
    if (at + size > index) throw new MalformedError('VP9 superframe', 'frames are longer than the superframe', index)
    if (size > 0) frames.push(data.subarray(at, at + size))
    at += size
  }
  return frames
}

/** The index that stands behind the frames of a superframe (Annex B); `ends`: where each ends, from 1 to 8 of them. */
export function vp9SuperframeIndex(ends: readonly number[]): Uint8Array {
  let largest = 0
  for (let i = 0; i < ends.length; i++) largest = Math.max(largest, ends[i] - (ends[i - 1] ?? 0))
  const sizeBytes = largest < 2 ** 8 ? 1 : largest < 2 ** 16 ? 2 : largest < 2 ** 24 ? 3 : 4
  const index = new Uint8Array(2 + sizeBytes * ends.length)
  index[0] = index[index.length - 1] = (SUPERFRAME_MARKER << 5) | ((sizeBytes - 1) << 3) | (ends.length - 1)
  for (let i = 0; i < ends.length; i++) {
    const size = ends[i] - (ends[i - 1] ?? 0)
    for (let j = 0; j < sizeBytes; j++) index[1 + i * sizeBytes + j] = size >>> (8 * j)
  }
  return index
}

/** Largest luma picture, and luma samples per second, of each level; VP9 levels as in VP-ISOBMFF §2.2. */
const LEVELS: readonly (readonly [level: number, pictureSize: number, samplesPerSecond: number])[] = [
  [10, 36_864, 829_440],
  [11, 73_728, 2_764_800],
  [20, 122_880, 4_608_000],
  [21, 245_760, 9_216_000],
  [30, 552_960, 20_736_000],
  [31, 983_040, 36_864_000],
  [40, 2_228_224, 83_558_400],
  [41, 2_228_224, 160_432_128],
  [50, 8_912_896, 311_951_360],
  [51, 8_912_896, 588_251_136],
  [52, 8_912_896, 1_176_502_272],
  [60, 35_651_584, 1_176_502_272],
  [61, 35_651_584, 2_353_004_544],
]
const HIGHEST_LEVEL = 62

/** The lowest level that holds pictures of this size at this rate; VP9 frames do not say theirs. */
export function vp9Level(width: number, height: number, framesPerSecond: number): number {
  const size = width * height
  const found = LEVELS.find(([, picture, rate]) => size <= picture && size * framesPerSecond <= rate)
  return found?.[0] ?? HIGHEST_LEVEL
}

/** [primaries, transfer, matrix] of ISO 23091-2 by color_space, §7.2.2; 2 is unspecified. */
const COLOURS: readonly (readonly [number, number, number])[] = [
  [2, 2, 2],
  [5, 6, 5],
  [1, 1, 1],
  [6, 6, 6],
  [7, 7, 7],
  [9, 14, 9],
  [2, 2, 2],
  [1, 13, 0],
]

const ASSUMED_FRAME_RATE = 30 // for the level, where nobody says

/** The configuration that a keyframe implies. @throws MalformedError when it is none */
export function vpcCFromVp9(keyframe: Uint8Array, framesPerSecond = ASSUMED_FRAME_RATE): VpcC {
  const header = parseVp9Keyframe(keyframe)
  const [primaries, transfer, matrix] = COLOURS[header.colourSpace]
  return {
    profile: header.profile,
    level: vp9Level(header.width, header.height, framesPerSecond),
    bitDepth: header.bitDepth,
    chromaSubsampling: chromaSubsampling(header.subsamplingX, header.subsamplingY),
    fullRange: header.fullRange,
    primaries,
    transfer,
    matrix,
    initData: new Uint8Array(0),
  }
}

/** VP-ISOBMFF §2.2: 1 is 4:2:0 colocated with (0,0) luma, 2 is 4:2:2, 3 is 4:4:4; 4:4:0 has taken 4. */
function chromaSubsampling(x: number, y: number): number {
  if (x === 1) return y === 1 ? 1 : 2
  return y === 1 ? 4 : 3
}
