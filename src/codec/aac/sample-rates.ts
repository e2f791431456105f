import type { BitReader } from '../../media/bits.ts'
import type { BitWriter } from '../bit-writer.ts'

/** samplingFrequencyIndex 0 … 12, ISO 14496-3 Table 1.18. */
export const AAC_SAMPLE_RATES: readonly number[] = [
  96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350,
]

const ESCAPE_INDEX = 15 // followed by 24 bits of Hz, §1.6.2.1

/** Reads samplingFrequencyIndex and, after the escape, the rate itself. Hz. */
export function parseSampleRate(bits: BitReader): number {
  const index = bits.bits(4)
  const rate = index === ESCAPE_INDEX ? bits.bits(24) : AAC_SAMPLE_RATES[index]
  if (rate === undefined) bits.fail(`samplingFrequencyIndex ${index} is reserved`)
  if (rate === 0) bits.fail('sampling rate is 0')
  return rate
}

/** Writes `rateHz` by its index, or by the 24-bit escape when it has none. */
export function writeSampleRate(bits: BitWriter, rateHz: number): void {
  const index = AAC_SAMPLE_RATES.indexOf(rateHz)
  if (index >= 0) bits.put(index, 4)
  else bits.put(ESCAPE_INDEX, 4).put(rateHz, 24)
}
