import { BitReader } from '../media/bits.ts'
import { MalformedError } from '../media/errors.ts'
import { BitWriter } from './bit-writer.ts'

/** syncinfo() and the start of bsi() of AC-3, ETSI TS 102 366 §4.3. */
export type Ac3Header = {
  /** fscod: 0 48, 1 44.1, 2 32 kHz. */
  readonly rateCode: number
  readonly sampleRateHz: number
  /** frmsizecod. */
  readonly frameSizeCode: number
  /** Sync word included. */
  readonly frameBytes: number
  readonly bsid: number
  readonly bsmod: number
  readonly acmod: number
  readonly lfe: boolean
  /** Low frequency effects included. */
  readonly channels: number
}

/** Six blocks of 256, §4.1. */
export const AC3_FRAME_SAMPLES = 1536

/** syncword, §4.3.1; the same in E-AC-3. */
export const AC3_SYNC_WORD = 0x0b77
/** Full-bandwidth channels by acmod, Table 4.3. */
export const AC3_MODE_CHANNELS: readonly number[] = [2, 1, 2, 3, 3, 4, 4, 5]
/** Hz by fscod, Table 4.1. */
export const AC3_SAMPLE_RATES: readonly number[] = [48_000, 44_100, 32_000]
const BITRATES_KBPS = [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640] // Table 4.13
const HIGHEST_BSID = 10 // 9 and 10 are half and quarter rate; from 11 it is E-AC-3, §E.1.3.1.6

/** Reads the header at the start of `frame`. @throws MalformedError */
export function parseAc3Header(frame: Uint8Array): Ac3Header {
  const bits = new BitReader(frame.subarray(0, 16), 'AC-3 frame')
  if (bits.bits(16) !== AC3_SYNC_WORD) bits.fail('no sync word')
  bits.skip(16) // crc1
  const rateCode = bits.bits(2)
  const baseRate = AC3_SAMPLE_RATES[rateCode]
  if (baseRate === undefined) bits.fail('fscod 3 is reserved')
  const frameSizeCode = bits.bits(6)
  const bitrateKbps = BITRATES_KBPS[frameSizeCode >> 1]
  if (bitrateKbps === undefined) bits.fail('frmsizecod is reserved')
  const bsid = bits.bits(5)
  if (bsid > HIGHEST_BSID) bits.fail(`bsid ${bsid} is not AC-3`)
  const bsmod = bits.bits(3)
  const acmod = bits.bits(3)
  if ((acmod & 1) === 1 && acmod !== 1) bits.skip(2) // cmixlev
  if ((acmod & 4) !== 0) bits.skip(2) // surmixlev
  if (acmod === 2) bits.skip(2) // dsurmod
  const lfe = bits.flag()
  const words = Math.floor((bitrateKbps * 96_000) / baseRate) + (rateCode === 1 ? frameSizeCode & 1 : 0)
  return {
    rateCode,
    sampleRateHz: baseRate >> Math.max(0, bsid - 8),
    frameSizeCode,
    frameBytes: 2 * words,
    bsid,
    bsmod,
    acmod,
    lfe,
    channels: AC3_MODE_CHANNELS[acmod] + (lfe ? 1 : 0),
  }
}

/** AC3SpecificBox payload, §F.4. */
export type Dac3 = {
  readonly rateCode: number
  readonly bsid: number
  readonly bsmod: number
  readonly acmod: number
  readonly lfe: boolean
  /** frmsizecod without its lowest bit, Table F.4.1. */
  readonly bitrateCode: number
}

/** The payload of a `dac3` box for a track that starts with `frame`. @throws MalformedError */
export function dac3FromFrame(frame: Uint8Array): Uint8Array {
  const { rateCode, bsid, bsmod, acmod, lfe, frameSizeCode } = parseAc3Header(frame)
  return writeDac3({ rateCode, bsid, bsmod, acmod, lfe, bitrateCode: frameSizeCode >> 1 })
}

/** The payload of a `dac3` box. */
export function writeDac3(dac3: Dac3): Uint8Array {
  const bits = new BitWriter().put(dac3.rateCode, 2).put(dac3.bsid, 5).put(dac3.bsmod, 3).put(dac3.acmod, 3)
  return bits.flag(dac3.lfe).put(dac3.bitrateCode, 5).put(0, 5).done()
}

/** Reads the payload of a `dac3` box. @throws MalformedError */
export function parseDac3(bytes: Uint8Array): Dac3 {
  const bits = new BitReader(bytes, 'dac3')
  const rateCode = bits.bits(2)
  if (rateCode === 3) throw new MalformedError('dac3', 'fscod 3 is reserved', 0)
  const [bsid, bsmod, acmod] = [bits.bits(5), bits.bits(3), bits.bits(3)]
  return { rateCode, bsid, bsmod, acmod, lfe: bits.flag(), bitrateCode: bits.bits(5) }
}
