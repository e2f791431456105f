import { ByteReader, ByteWriter } from '../media/bytes.ts'

/** Decoders run at this rate whatever the encoder was fed, RFC 7845 §4. */
export const OPUS_RATE_HZ = 48_000
const MAGIC = 'OpusHead'
const MAX_PACKET_SAMPLES = 5760 // 120 ms, RFC 6716 §3.2.5 [R5]

/** The identification header, RFC 7845 §5.1. */
export type OpusHead = {
  readonly channels: number
  /** Samples at 48 kHz to throw away at the start. */
  readonly preSkip: number
  /** Of the encoder's input, Hz; only told. */
  readonly inputSampleRateHz: number
  /** 1/256 dB, signed. */
  readonly outputGain: number
  /** 0 mono or stereo, 1 Vorbis order, 255 no order; others carry a mapping too. */
  readonly mappingFamily: number
  /** Absent in family 0. */
  readonly mapping?: {
    readonly streams: number
    readonly coupled: number
    /** One byte per channel; demixing matrices of families 2 and 3 are kept as they are. */
    readonly table: Uint8Array
  }
}

/** Reads an OpusHead packet. @throws MalformedError */
export function parseOpusHead(bytes: Uint8Array): OpusHead {
  const reader = new ByteReader(bytes, 'OpusHead')
  if (reader.ascii(8) !== MAGIC) reader.fail('no magic signature')
  if (reader.u8() > 15) reader.fail('version above 15 is not compatible') // §5.1, item 2
  const channels = reader.u8()
  const preSkip = reader.u16le()
  const inputSampleRateHz = reader.u32le()
  const outputGain = (reader.u16le() << 16) >> 16
  return parseMapping(reader, { channels, preSkip, inputSampleRateHz, outputGain })
}

/** An OpusHead packet, version 1. */
export function writeOpusHead(head: OpusHead): Uint8Array {
  const writer = new ByteWriter(32).ascii(MAGIC).u8(1).u8(head.channels).u16le(head.preSkip)
  writer.u32le(head.inputSampleRateHz).u16le(head.outputGain & 0xffff)
  return putMapping(writer, head).done()
}

/** Reads the payload of a `dOps` box, Opus-in-ISOBMFF §4.3.2: the same fields, big-endian. @throws MalformedError */
export function parseDOps(bytes: Uint8Array): OpusHead {
  const reader = new ByteReader(bytes, 'dOps')
  if (reader.u8() !== 0) reader.fail('version is not 0')
  const channels = reader.u8()
  const preSkip = reader.u16()
  const inputSampleRateHz = reader.u32()
  const outputGain = (reader.u16() << 16) >> 16
  return parseMapping(reader, { channels, preSkip, inputSampleRateHz, outputGain })
}

/** The payload of a `dOps` box. */
export function writeDOps(head: OpusHead): Uint8Array {
  const writer = new ByteWriter(32).u8(0).u8(head.channels).u16(head.preSkip)
  writer.u32(head.inputSampleRateHz).i16(head.outputGain)
  return putMapping(writer, head).done()
}

function parseMapping(reader: ByteReader, base: Omit<OpusHead, 'mappingFamily' | 'mapping'>): OpusHead {
  const mappingFamily = reader.u8()
  if (base.channels === 0) reader.fail('no channels')
  if (mappingFamily === 0) {
    if (base.channels > 2) reader.fail('more than two channels in mapping family 0')
    return { ...base, mappingFamily }
  }
  const streams = reader.u8()
  const coupled = reader.u8()
  if (streams === 0 || coupled > streams || streams + coupled > 255) reader.fail('impossible stream counts')
  const matrixBytes = 2 * base.channels * (streams + coupled) // RFC 8486 §3.2
  const table = reader.take(mappingFamily === 3 ? matrixBytes : base.channels)
  return { ...base, mappingFamily, mapping: { streams, coupled, table } }
}

function putMapping(writer: ByteWriter, head: OpusHead): ByteWriter {
  writer.u8(head.mappingFamily)
  if (head.mapping !== undefined) writer.u8(head.mapping.streams).u8(head.mapping.coupled).put(head.mapping.table)
  return writer
}

/** Samples at 48 kHz per Opus frame by TOC config, RFC 6716 §3.1, Table 2: SILK, hybrid, CELT. */
const FRAME_SAMPLES: readonly number[] = [
  ...[480, 960, 1920, 2880, 480, 960, 1920, 2880, 480, 960, 1920, 2880],
  ...[480, 960, 480, 960],
  ...[120, 240, 480, 960, 120, 240, 480, 960, 120, 240, 480, 960, 120, 240, 480, 960],
]

/** Samples at 48 kHz in a packet, by its TOC byte; undefined for an empty or impossible packet. */
export function opusPacketSamples(packet: Uint8Array): number | undefined {
  if (packet.length === 0) return undefined
  const code = packet[0] & 3
  if (code === 3 && packet.length < 2) return undefined
  const frames = code === 0 ? 1 : code === 3 ? packet[1] & 0x3f : 2 // §3.2
  const samples = frames * FRAME_SAMPLES[packet[0] >> 3]
  return samples === 0 || samples > MAX_PACKET_SAMPLES ? undefined : samples
}
