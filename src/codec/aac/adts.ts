import { BitReader } from '../../media/bits.ts'
import { LimitError, MalformedError, UnsupportedError } from '../../media/errors.ts'
import { BitWriter } from '../bit-writer.ts'
import type { AudioSpecificConfig } from './audio-specific-config.ts'
import { parseProgramConfig } from './program-config.ts'
import { AAC_SAMPLE_RATES } from './sample-rates.ts'

const SYNC_WORD = 0xfff // 12 bits, ISO 14496-3 §1.A.2.2.1
const HEADER_BYTES = 7 // without the CRC
const CRC_BYTES = 2
const MAX_FRAME_BYTES = 0x1fff // 13 bits, aac_frame_length
const MAX_FRAMES = 4096 // in one piece of input: 90 s
const ID_PCE = 5 // id_syn_ele, §4.4.2.1

/** An ADTS header, ISO 14496-3 §1.A.3.2. */
export type AdtsHeader = {
  /** 1 Main, 2 LC, 3 SSR, 4 LTP. */
  readonly objectType: number
  readonly sampleRateHz: number
  /** 0: a program config element in the frame says it. */
  readonly channelConfiguration: number
  /** 7, or 9 with a CRC. */
  readonly headerBytes: number
  /** Header included. */
  readonly frameBytes: number
  /** raw_data_block() elements in this frame, 1 to 4. */
  readonly blocks: number
}

/** Reads the header at `offset`. @throws MalformedError */
export function parseAdtsHeader(bytes: Uint8Array, offset = 0): AdtsHeader {
  const bits = new BitReader(bytes.subarray(offset, offset + HEADER_BYTES), 'ADTS')
  if (bits.bits(12) !== SYNC_WORD) bits.fail('no sync word')
  bits.skip(1) // ID: MPEG-2 or MPEG-4
  if (bits.bits(2) !== 0) bits.fail('layer is not 0')
  const headerBytes = HEADER_BYTES + (bits.flag() ? 0 : CRC_BYTES)
  const objectType = bits.bits(2) + 1
  const index = bits.bits(4)
  const sampleRateHz = AAC_SAMPLE_RATES[index]
  if (sampleRateHz === undefined) bits.fail(`sampling_frequency_index ${index} is reserved`)
  bits.skip(1) // private_bit
  const channelConfiguration = bits.bits(3)
  bits.skip(4) // original_copy, home, copyright id
  const frameBytes = bits.bits(13)
  bits.skip(11) // adts_buffer_fullness
  const blocks = bits.bits(2) + 1
  if (frameBytes < headerBytes) bits.fail('frame is shorter than its header')
  return { objectType, sampleRateHz, channelConfiguration, headerBytes, frameBytes, blocks }
}

/**
 * The raw frames of a run of ADTS frames, as views.
 * @throws MalformedError on a torn or foreign frame
 * @throws UnsupportedError for frames of several raw data blocks, whose borders only a decoder finds
 */
export function splitAdts(bytes: Uint8Array): Uint8Array[] {
  const frames: Uint8Array[] = []
  for (let at = 0; at < bytes.length; ) {
    const header = parseAdtsHeader(bytes, at)
    if (at + header.frameBytes > bytes.length)
      throw new MalformedError('ADTS', 'frame is longer than what is there', at)
    if (header.blocks > 1) throw new UnsupportedError('ADTS: several AAC frames in one ADTS frame; send one each')
    if (frames.length >= MAX_FRAMES) throw new LimitError('ADTS frames in one packet', { limit: MAX_FRAMES })
    frames.push(bytes.subarray(at + header.headerBytes, at + header.frameBytes))
    at += header.frameBytes
  }
  return frames
}

/** The configuration that an ADTS frame implies. @throws MalformedError when it names no channels at all */
export function configFromAdts(frame: Uint8Array): AudioSpecificConfig {
  const { objectType, sampleRateHz, channelConfiguration, headerBytes } = parseAdtsHeader(frame)
  const base = { objectType, sampleRateHz, channelConfiguration }
  if (channelConfiguration !== 0) return { ...base, ga: { shortFrames: false } }
  const bits = new BitReader(frame.subarray(headerBytes), 'ADTS')
  if (bits.bits(3) !== ID_PCE) bits.fail('no program config element where channel configuration is 0')
  return { ...base, ga: { shortFrames: false, program: parseProgramConfig(bits) } }
}

/**
 * The 7-byte header for a raw frame of `payloadBytes`, MPEG-4, no CRC. HE-AAC goes by its core (implicit signalling).
 * @throws UnsupportedError when ADTS cannot say this configuration
 * @throws LimitError when the frame is too long for it
 */
export function writeAdtsHeader(config: AudioSpecificConfig, payloadBytes: number): Uint8Array {
  const index = AAC_SAMPLE_RATES.indexOf(config.sampleRateHz)
  const { objectType, channelConfiguration } = config
  if (objectType < 1 || objectType > 4 || index < 0 || channelConfiguration > 7 || config.ga?.shortFrames === true) {
    throw new UnsupportedError('ADTS: carries only AAC Main, LC, SSR and LTP at table rates, up to 7.1, 1024 samples')
  }
  const frameBytes = HEADER_BYTES + payloadBytes
  if (frameBytes > MAX_FRAME_BYTES) {
    throw new LimitError('ADTS frame bytes', { limit: MAX_FRAME_BYTES, asked: frameBytes })
  }
  const bits = new BitWriter().put(SYNC_WORD, 12).put(0b0001, 4) // MPEG-4, layer 0, protection_absent
  bits
    .put(objectType - 1, 2)
    .put(index, 4)
    .put(0, 1)
    .put(channelConfiguration, 3)
    .put(0, 4)
  return bits.put(frameBytes, 13).put(0x7ff, 11).put(0, 2).done() // 0x7ff: variable rate
}
