import { BitReader } from '../media/bits.ts'
import { LimitError, MalformedError } from '../media/errors.ts'
import { AC3_MODE_CHANNELS, AC3_SAMPLE_RATES, AC3_SYNC_WORD } from './ac3.ts'
import { type Dec3, type Eac3Substream, substreamChannels, writeDec3 } from './dec3.ts'

/** The start of bsi() of E-AC-3, ETSI TS 102 366 §E.1.2.2. */
export type Eac3Header = {
  /** strmtyp 1: adds channels to the independent substream before it. */
  readonly dependent: boolean
  readonly substreamId: number
  /** Sync word included. */
  readonly frameBytes: number
  /** fscod; 3 is half of a rate. */
  readonly rateCode: number
  readonly sampleRateHz: number
  readonly samples: number
  readonly acmod: number
  readonly lfe: boolean
  readonly bsid: number
  /** Low frequency effects included, without what dependent substreams add. */
  readonly channels: number
  /** chanmap of a dependent substream: bit 0 is the highest of 16, Table E.1.5. */
  readonly channelMap?: number
}

const BLOCKS = [1, 2, 3, 6] // by numblkscod, Table E.1.3
const MAX_SUBSTREAMS = 64 // frames in one packet: 6 of one block with 8 substreams

/** Reads the header at the start of `frame`. @throws MalformedError */
export function parseEac3Header(frame: Uint8Array): Eac3Header {
  const bits = new BitReader(frame.subarray(0, 16), 'E-AC-3 frame')
  if (bits.bits(16) !== AC3_SYNC_WORD) bits.fail('no sync word')
  const type = bits.bits(2)
  if (type === 3) bits.fail('strmtyp 3 is reserved')
  const substreamId = bits.bits(3)
  const frameBytes = 2 * (bits.bits(11) + 1)
  const rateCode = bits.bits(2)
  const secondCode = bits.bits(2) // fscod2, or numblkscod
  const baseRate = AC3_SAMPLE_RATES[rateCode === 3 ? secondCode : rateCode]
  if (baseRate === undefined) bits.fail('fscod2 3 is reserved')
  const acmod = bits.bits(3)
  const lfe = bits.flag()
  const bsid = bits.bits(5)
  if (bsid < 11 || bsid > 16) bits.fail(`bsid ${bsid} is not E-AC-3`)
  const channelMap = type === 1 ? parseChannelMap(bits, acmod) : undefined
  return {
    dependent: type === 1,
    substreamId,
    frameBytes,
    rateCode,
    sampleRateHz: rateCode === 3 ? baseRate / 2 : baseRate,
    samples: 256 * (rateCode === 3 ? 6 : BLOCKS[secondCode]),
    acmod,
    lfe,
    bsid,
    channels: AC3_MODE_CHANNELS[acmod] + (lfe ? 1 : 0),
    ...(channelMap === undefined ? {} : { channelMap }),
  }
}

/** dialnorm to chanmap, §E.1.2.2. */
function parseChannelMap(bits: BitReader, acmod: number): number | undefined {
  for (let i = 0; i < (acmod === 0 ? 2 : 1); i++) {
    bits.skip(5) // dialnorm
    if (bits.flag()) bits.skip(8) // compr
  }
  return bits.flag() ? bits.bits(16) : undefined
}

/** What one packet — all substreams of one time — holds. */
export type Eac3Packet = {
  readonly sampleRateHz: number
  /** Of the first program, its dependent substreams included. */
  readonly channels: number
  readonly samples: number
  readonly dec3: Dec3
}

/** chanmap bits 5 … 12 and 14 (Table E.1.5) in the order of chan_loc bits 0 … 8 (Table F.6.1). */
const LOCATION_MAP_BITS = [5, 6, 7, 8, 9, 10, 11, 12, 14]

/** Reads all frames of a packet. @throws MalformedError */
export function parseEac3Packet(packet: Uint8Array): Eac3Packet {
  const substreams: Eac3Substream[] = []
  let first: Eac3Header | undefined
  let samples = 0
  let frames = 0
  let parent: number | undefined
  for (let at = 0; at < packet.length; ) {
    if (++frames > MAX_SUBSTREAMS) throw new LimitError('E-AC-3 frames in one packet', { limit: MAX_SUBSTREAMS })
    const header = parseEac3Header(packet.subarray(at))
    if (at + header.frameBytes > packet.length) throw new MalformedError('E-AC-3 packet', 'frame is cut short', at)
    at += header.frameBytes
    if (header.dependent) {
      if (parent === undefined) throw new MalformedError('E-AC-3 packet', 'starts with a dependent substream', 0)
      substreams[parent] = withDependent(substreams[parent], header)
      continue
    }
    first ??= header
    parent = header.substreamId
    if (header.substreamId === first.substreamId) samples += header.samples
    substreams[header.substreamId] ??= substreamOf(header)
  }
  if (first === undefined) throw new MalformedError('E-AC-3 packet', 'has no independent substream', 0)
  const { sampleRateHz } = first
  const dataRateKbps = Math.min(0x1fff, Math.round((packet.length * 8 * sampleRateHz) / samples / 1000))
  const program = substreams[first.substreamId]
  return {
    sampleRateHz,
    channels: substreamChannels(program),
    samples,
    dec3: {
      dataRateKbps,
      substreams: substreams.filter((substream) => substream !== undefined),
      extension: new Uint8Array(0),
    },
  }
}

function substreamOf(header: Eac3Header): Eac3Substream {
  const { rateCode, bsid, acmod, lfe } = header
  return { rateCode, bsid, asvc: false, bsmod: 0, acmod, lfe, dependents: 0, locations: 0 }
}

/** `parent` with what a dependent frame behind it adds. */
function withDependent(parent: Eac3Substream, header: Eac3Header): Eac3Substream {
  const map = header.channelMap ?? 0
  let locations = parent.locations
  LOCATION_MAP_BITS.forEach((mapBit, bit) => {
    if ((map & (0x8000 >> mapBit)) !== 0) locations |= 1 << bit
  })
  return { ...parent, dependents: Math.max(parent.dependents, header.substreamId + 1), locations }
}

/** The payload of a `dec3` box for a track that starts with `packet`. @throws MalformedError */
export function dec3FromFrame(packet: Uint8Array): Uint8Array {
  return writeDec3(parseEac3Packet(packet).dec3)
}
