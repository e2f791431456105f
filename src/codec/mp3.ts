import { MalformedError } from '../media/errors.ts'

/** A frame header of MPEG audio, ISO 11172-3 §2.4.1.3, ISO 13818-3, and the common 2.5 extension. */
export type Mp3Header = {
  readonly version: 1 | 2 | 2.5
  readonly layer: 1 | 2 | 3
  readonly sampleRateHz: number
  readonly channels: 1 | 2
  readonly bitrateKbps: number
  /** Header included. */
  readonly frameBytes: number
  readonly frameSamples: number
}

/** kbit/s by bitrate_index 0 … 14; 0 is free format. */
const BITRATES_V1_L1 = [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448]
const BITRATES_V1_L2 = [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384]
const BITRATES_V1_L3 = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320]
const BITRATES_V2_L1 = [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256]
const BITRATES_V2_L23 = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160]
const SAMPLE_RATES = [44_100, 48_000, 32_000] // of version 1; half of it in 2, a quarter in 2.5
const VERSIONS = [2.5, undefined, 2, 1] as const // by the two ID bits
const MONO = 3 // mode

/** Reads the four header bytes at the start of `frame`. @throws MalformedError, also for free format and reserved values */
export function parseMp3Header(frame: Uint8Array): Mp3Header {
  if (frame.length < 4 || frame[0] !== 0xff || (frame[1] & 0xe0) !== 0xe0) fail('no sync word')
  const version = VERSIONS[(frame[1] >> 3) & 3]
  const layer = 4 - ((frame[1] >> 1) & 3)
  if (version === undefined || (layer !== 1 && layer !== 2 && layer !== 3)) return fail('reserved version or layer')
  const bitrateKbps = bitrates(version, layer)[frame[2] >> 4] ?? 0
  if (bitrateKbps === 0) fail('free format or reserved bitrate')
  const baseRate = SAMPLE_RATES[(frame[2] >> 2) & 3]
  if (baseRate === undefined) fail('reserved sampling rate')
  const sampleRateHz = baseRate / (version === 1 ? 1 : version === 2 ? 2 : 4)
  const padding = (frame[2] >> 1) & 1
  const frameSamples = layer === 1 ? 384 : layer === 3 && version !== 1 ? 576 : 1152
  const slotBytes = layer === 1 ? 4 : 1
  const slots = Math.floor(((frameSamples / 8 / slotBytes) * 1000 * bitrateKbps) / sampleRateHz) + padding
  const channels = frame[3] >> 6 === MONO ? 1 : 2
  return { version, layer, sampleRateHz, channels, bitrateKbps, frameBytes: slots * slotBytes, frameSamples }
}

function bitrates(version: 1 | 2 | 2.5, layer: 1 | 2 | 3): readonly number[] {
  if (version === 1) return layer === 1 ? BITRATES_V1_L1 : layer === 2 ? BITRATES_V1_L2 : BITRATES_V1_L3
  return layer === 1 ? BITRATES_V2_L1 : BITRATES_V2_L23
}

function fail(what: string): never {
  throw new MalformedError('MP3 frame', what)
}
