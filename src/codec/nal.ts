import { LimitError, MalformedError } from '../media/errors.ts'

/** How many bytes say how long a NAL unit is, in a sample (ISO 14496-15 §5.3.3: lengthSizeMinusOne, where 2 is reserved). */
export type LengthSize = 1 | 2 | 4

/** NAL units in one access unit: a 8K picture in one slice per macroblock row has some 270; garbage has millions. */
const MAX_NAL_UNITS = 16_384

/** The length of the NAL unit whose length field starts at `offset`; -1 where it does not fit into `data`. */
export function nalLength(data: Uint8Array, offset: number, lengthSize: number): number {
  const end = offset + lengthSize
  if (end > data.length) return -1
  let length = 0
  for (let i = offset; i < end; i++) length = length * 256 + data[i]
  return length > data.length - end ? -1 : length
}

/**
 * The NAL units of a length-prefixed sample, as views. Empty units are left out.
 * @throws MalformedError when a length runs over the end
 */
export function splitSample(sample: Uint8Array, lengthSize: LengthSize): Uint8Array[] {
  const units: Uint8Array[] = []
  for (let at = 0; at < sample.length; ) {
    const length = nalLength(sample, at, lengthSize)
    if (length < 0) throw new MalformedError('NAL unit', 'is longer than its sample', at)
    at += lengthSize
    if (length > 0) keep(units, sample.subarray(at, at + length))
    at += length
  }
  return units
}

/**
 * The NAL units of a byte stream with start codes, as views, without trailing zeros (H.264 Annex B, HEVC Annex B).
 * Bytes before the first start code are passed over.
 */
export function splitAnnexB(bytes: Uint8Array): Uint8Array[] {
  const units: Uint8Array[] = []
  let start = afterStartCode(bytes, 0)
  while (start >= 0) {
    const next = afterStartCode(bytes, start)
    let end = next < 0 ? bytes.length : next - 3
    while (end > start && bytes[end - 1] === 0) end--
    if (end > start) keep(units, bytes.subarray(start, end))
    start = next
  }
  return units
}

/** Where the bytes after the next 00 00 01 at or after `from` begin; -1 when there is none. */
function afterStartCode(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(1, from + 2); at >= 0; at = bytes.indexOf(1, at + 1)) {
    if (bytes[at - 1] === 0 && bytes[at - 2] === 0) return at + 1
  }
  return -1
}

function keep(units: Uint8Array[], unit: Uint8Array): void {
  if (units.length >= MAX_NAL_UNITS) throw new LimitError('NAL units in one access unit', { limit: MAX_NAL_UNITS })
  units.push(unit)
}

/** One sample of `units`, each with its length before it (ISO 14496-15 §4.3.3). */
export function joinSample(units: readonly Uint8Array[], lengthSize: LengthSize = 4): Uint8Array {
  let size = 0
  for (const unit of units) size += lengthSize + unit.length
  const sample = new Uint8Array(size)
  let at = 0
  for (const unit of units) {
    if (unit.length >= 2 ** (8 * lengthSize)) {
      throw new LimitError(`NAL unit with ${lengthSize} length bytes`, {
        limit: 2 ** (8 * lengthSize) - 1,
        asked: unit.length,
      })
    }
    for (let shift = 8 * (lengthSize - 1); shift >= 0; shift -= 8) sample[at++] = unit.length >>> shift
    sample.set(unit, at)
    at += unit.length
  }
  return sample
}

/** `units` as a byte stream, each after a 4-byte start code (Annex B). */
export function joinAnnexB(units: readonly Uint8Array[]): Uint8Array {
  let size = 0
  for (const unit of units) size += 4 + unit.length
  const bytes = new Uint8Array(size)
  let at = 0
  for (const unit of units) {
    bytes[at + 3] = 1
    bytes.set(unit, at + 4)
    at += 4 + unit.length
  }
  return bytes
}

/** An access unit in Annex B form as a length-prefixed sample. Nothing is filtered: parameter sets and delimiters stay. */
export function annexBToSample(bytes: Uint8Array, lengthSize: LengthSize = 4): Uint8Array {
  return joinSample(splitAnnexB(bytes), lengthSize)
}

/** A length-prefixed sample in Annex B form. */
export function sampleToAnnexB(sample: Uint8Array, lengthSize: LengthSize): Uint8Array {
  return joinAnnexB(splitSample(sample, lengthSize))
}

/** What a NAL unit says, without the emulation prevention bytes: 00 00 03 → 00 00 (H.264 §7.3.1, HEVC §7.3.1.1). */
export function unescapeNal(unit: Uint8Array): Uint8Array {
  const rbsp = new Uint8Array(unit.length)
  let length = 0
  let zeros = 0
  for (const byte of unit) {
    if (zeros >= 2 && byte === 3) {
      zeros = 0
      continue
    }
    zeros = byte === 0 ? zeros + 1 : 0
    rbsp[length++] = byte
  }
  return rbsp.subarray(0, length)
}
