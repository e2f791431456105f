import { BitReader } from '../media/bits.ts'
import { ByteReader, ByteWriter } from '../media/bytes.ts'
import { BitWriter } from './bit-writer.ts'

const MARKER = 0x664c6143 // "fLaC", RFC 9639 §7
const BLOCK_STREAMINFO = 0 // §8.1
const LAST_BLOCK = 0x80 // §8.1
const STREAMINFO_BYTES = 34 // §8.2

/** STREAMINFO, RFC 9639 §8.2. Zeros stand for unknown in frame sizes, total and MD5. */
export type FlacStreamInfo = {
  readonly minBlockSamples: number
  readonly maxBlockSamples: number
  readonly minFrameBytes: number
  readonly maxFrameBytes: number
  readonly sampleRateHz: number
  readonly channels: number
  readonly bitsPerSample: number
  readonly totalSamples: number
  readonly md5: Uint8Array
}

/**
 * Reads STREAMINFO out of what protocols and containers send as FLAC header: metadata blocks, with the `fLaC` marker
 * (Matroska, enhanced RTMP, files) or without (`dfLa` payload, `Track.config`).
 * @throws MalformedError
 */
export function parseFlacStreamInfo(header: Uint8Array): FlacStreamInfo {
  const bits = new BitReader(streamInfoBlock(header), 'FLAC STREAMINFO')
  const minBlockSamples = bits.bits(16)
  const maxBlockSamples = bits.bits(16)
  const minFrameBytes = bits.bits(24)
  const maxFrameBytes = bits.bits(24)
  const sampleRateHz = bits.bits(20)
  if (sampleRateHz === 0) bits.fail('sampling rate is 0')
  const channels = bits.bits(3) + 1
  const bitsPerSample = bits.bits(5) + 1
  const totalSamples = bits.bits(36)
  const md5 = Uint8Array.from({ length: 16 }, () => bits.bits(8))
  return {
    minBlockSamples,
    maxBlockSamples,
    minFrameBytes,
    maxFrameBytes,
    sampleRateHz,
    channels,
    bitsPerSample,
    totalSamples,
    md5,
  }
}

/** The 34 bytes of STREAMINFO, which is always the first block (§8.2). */
function streamInfoBlock(header: Uint8Array): Uint8Array {
  const reader = new ByteReader(header, 'FLAC header')
  if (header.length >= 4 && reader.u32() !== MARKER) reader.offset = 0
  if ((reader.u8() & 0x7f) !== BLOCK_STREAMINFO) reader.fail('first block is not STREAMINFO')
  if (reader.u24() !== STREAMINFO_BYTES) reader.fail('STREAMINFO is not 34 bytes long')
  return reader.take(STREAMINFO_BYTES)
}

/** STREAMINFO as the only metadata block, 4-byte header included: what `Track.config` and a `dfLa` payload hold. */
export function writeFlacStreamInfo(info: FlacStreamInfo): Uint8Array {
  const bits = new BitWriter().put(LAST_BLOCK | BLOCK_STREAMINFO, 8).put(STREAMINFO_BYTES, 24)
  bits.put(info.minBlockSamples, 16).put(info.maxBlockSamples, 16)
  bits.put(info.minFrameBytes, 24).put(info.maxFrameBytes, 24)
  bits
    .put(info.sampleRateHz, 20)
    .put(info.channels - 1, 3)
    .put(info.bitsPerSample - 1, 5)
  return bits.put(info.totalSamples, 36).bytes(info.md5).done()
}

/** Whatever FLAC header came, as `Track.config` wants it. @throws MalformedError */
export function flacConfig(header: Uint8Array): Uint8Array {
  const block = streamInfoBlock(header)
  return new ByteWriter(4 + STREAMINFO_BYTES)
    .u8(LAST_BLOCK | BLOCK_STREAMINFO)
    .u24(STREAMINFO_BYTES)
    .put(block)
    .done()
}

/** `config` with the `fLaC` marker before it: Matroska's CodecPrivate and the sequence header of enhanced RTMP. */
export function flacHeaderWithMarker(config: Uint8Array): Uint8Array {
  return new ByteWriter(4 + config.length).u32(MARKER).put(config).done()
}

/** A frame header up to its block size, §9.1. */
export type FlacFrameHeader = { readonly variableBlockSize: boolean; readonly samples: number }

/** Reads the start of a frame; undefined where it is none. Allocates little: one object. */
export function parseFlacFrameHeader(frame: Uint8Array): FlacFrameHeader | undefined {
  if (frame.length < 6 || frame[0] !== 0xff || (frame[1] & 0xfe) !== 0xf8) return undefined // sync code, reserved 0
  const variableBlockSize = (frame[1] & 1) === 1
  const code = frame[2] >> 4
  if (code === 0) return undefined // reserved, §9.1.1
  if (code === 1) return { variableBlockSize, samples: 192 }
  if (code <= 5) return { variableBlockSize, samples: 144 * 2 ** code }
  if (code >= 8) return { variableBlockSize, samples: 2 ** code }
  const at = 4 + codedNumberBytes(frame[4]) // §9.1.5
  if (at + code - 5 > frame.length) return undefined
  return { variableBlockSize, samples: (code === 6 ? frame[at] : (frame[at] << 8) | frame[at + 1]) + 1 }
}

/** How long the UTF-8-like coded number is that starts with `first`. */
function codedNumberBytes(first: number): number {
  const ones = Math.clz32(~(first << 24))
  return ones === 0 ? 1 : ones
}
