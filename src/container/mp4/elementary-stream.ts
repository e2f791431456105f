import { ByteReader, type ByteWriter } from '../../media/bytes.ts'
import { beginFullBox, endBox } from './box-writer.ts'

/** Class tags, ISO 14496-1 §7.2.2.1 */
const ES_DESCR_TAG = 0x03
const DECODER_CONFIG_DESCR_TAG = 0x04
const DEC_SPECIFIC_INFO_TAG = 0x05
const SL_CONFIG_DESCR_TAG = 0x06
/** streamType AudioStream (5) with the reserved bit set, §7.2.6.5 */
const AUDIO_STREAM = (0x05 << 2) | 1
/** predefined SL configuration of MP4 files, ISO 14496-14 §3.1.2 */
const SL_PREDEFINED_MP4 = 2

/** An `esds` box (ISO 14496-14 §5.6) for audio of one objectTypeIndication. */
export function writeEsds(out: ByteWriter, objectType: number, specificInfo: Uint8Array | undefined): void {
  const at = beginFullBox(out, 'esds', 0, 0)
  const specificBytes = specificInfo === undefined ? 0 : descriptorBytes(specificInfo.length)
  const decoderBytes = 13 + specificBytes
  writeDescriptor(out, ES_DESCR_TAG, 3 + descriptorBytes(decoderBytes) + descriptorBytes(1))
  out.u16(0).u8(0) // ES_ID, flags
  writeDescriptor(out, DECODER_CONFIG_DESCR_TAG, decoderBytes)
  out.u8(objectType).u8(AUDIO_STREAM).u24(0).u32(0).u32(0) // bufferSizeDB, maxBitrate, avgBitrate: not known
  if (specificInfo !== undefined) {
    writeDescriptor(out, DEC_SPECIFIC_INFO_TAG, specificInfo.length)
    out.put(specificInfo)
  }
  writeDescriptor(out, SL_CONFIG_DESCR_TAG, 1)
  out.u8(SL_PREDEFINED_MP4)
  endBox(out, at)
}

/** What an `esds` box says of its stream. */
export interface ElementaryStream {
  readonly objectType: number
  /** Empty when there is none. */
  readonly specificInfo: Uint8Array
}

/** Reads the payload of an `esds` box, after its FullBox header. @throws MalformedError */
export function parseEsds(payload: Uint8Array): ElementaryStream {
  const reader = new ByteReader(payload, 'esds')
  const es = openDescriptor(reader, ES_DESCR_TAG)
  es.skip(2)
  const flags = es.u8()
  if ((flags & 0x80) !== 0) es.skip(2) // dependsOn_ES_ID
  if ((flags & 0x40) !== 0) es.skip(es.u8()) // URL
  if ((flags & 0x20) !== 0) es.skip(2) // OCR_ES_Id
  const decoder = openDescriptor(es, DECODER_CONFIG_DESCR_TAG)
  const objectType = decoder.u8()
  decoder.skip(12)
  const specificInfo = decoder.remaining > 0 ? openDescriptor(decoder, DEC_SPECIFIC_INFO_TAG).rest() : new Uint8Array(0)
  return { objectType, specificInfo }
}

/** Tag, size and content of a descriptor whose content has `contentBytes`. */
function descriptorBytes(contentBytes: number): number {
  return 1 + sizeFieldBytes(contentBytes) + contentBytes
}

function sizeFieldBytes(size: number): number {
  return size < 0x80 ? 1 : size < 0x4000 ? 2 : 3
}

/** expandable size, §8.3.3 */
function writeDescriptor(out: ByteWriter, tag: number, size: number): void {
  out.u8(tag)
  for (let shift = (sizeFieldBytes(size) - 1) * 7; shift > 0; shift -= 7) out.u8(((size >>> shift) & 0x7f) | 0x80)
  out.u8(size & 0x7f)
}

function openDescriptor(reader: ByteReader, tag: number): ByteReader {
  if (reader.u8() !== tag) reader.fail(`descriptor ${tag} expected`)
  let size = 0
  for (let i = 0; i < 4; i++) {
    const byte = reader.u8()
    size = size * 128 + (byte & 0x7f)
    if (byte < 0x80) break
  }
  return new ByteReader(reader.take(Math.min(size, reader.remaining)), 'esds')
}
