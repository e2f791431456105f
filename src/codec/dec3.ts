import { BitReader } from '../media/bits.ts'
import { AC3_MODE_CHANNELS } from './ac3.ts'
import { BitWriter } from './bit-writer.ts'

/** An independent substream with what its dependent ones add, as `dec3` describes it (§F.6). */
export type Eac3Substream = {
  readonly rateCode: number
  readonly bsid: number
  readonly asvc: boolean
  /** 0, complete main: the frames say it deep in their metadata only, and hardly ever anything else. */
  readonly bsmod: number
  readonly acmod: number
  readonly lfe: boolean
  readonly dependents: number
  /** chan_loc: which pairs and channels the dependents add, Table F.6.1; 0 without dependents. */
  readonly locations: number
}

/** EC3SpecificBox payload, §F.6. */
export type Dec3 = {
  readonly dataRateKbps: number
  readonly substreams: readonly Eac3Substream[]
  /** Extension bytes (such as the Atmos complexity index), kept as they are. */
  readonly extension: Uint8Array
}

/** Channels that each chan_loc bit stands for. */
const LOCATION_CHANNELS = [2, 2, 1, 1, 2, 2, 2, 1, 1]

/** Channels of one program, those of its dependent substreams included. */
export function substreamChannels(substream: Eac3Substream): number {
  let channels = AC3_MODE_CHANNELS[substream.acmod] + (substream.lfe ? 1 : 0)
  LOCATION_CHANNELS.forEach((count, bit) => {
    if ((substream.locations & (1 << bit)) !== 0) channels += count
  })
  return channels
}

/** The payload of a `dec3` box. */
export function writeDec3(dec3: Dec3): Uint8Array {
  const bits = new BitWriter().put(dec3.dataRateKbps, 13).put(dec3.substreams.length - 1, 3)
  for (const substream of dec3.substreams) {
    bits.put(substream.rateCode, 2).put(substream.bsid, 5).put(0, 1).flag(substream.asvc).put(substream.bsmod, 3)
    bits.put(substream.acmod, 3).flag(substream.lfe).put(0, 3).put(substream.dependents, 4)
    if (substream.dependents > 0) bits.put(substream.locations, 9)
    else bits.put(0, 1)
  }
  return bits.bytes(dec3.extension).done()
}

/** Reads the payload of a `dec3` box. @throws MalformedError */
export function parseDec3(bytes: Uint8Array): Dec3 {
  const bits = new BitReader(bytes, 'dec3')
  const dataRateKbps = bits.bits(13)
  const count = bits.bits(3) + 1
  const substreams = Array.from({ length: count }, () => parseSubstream(bits))
  const extension = Uint8Array.from({ length: bits.bitsLeft >> 3 }, () => bits.bits(8))
  return { dataRateKbps, substreams, extension }
}

function parseSubstream(bits: BitReader): Eac3Substream {
  const rateCode = bits.bits(2)
  const bsid = bits.bits(5)
  bits.skip(1)
  const asvc = bits.flag()
  const [bsmod, acmod] = [bits.bits(3), bits.bits(3)]
  const lfe = bits.flag()
  bits.skip(3)
  const dependents = bits.bits(4)
  const locations = bits.bits(dependents > 0 ? 9 : 1)
  return { rateCode, bsid, asvc, bsmod, acmod, lfe, dependents, locations: dependents > 0 ? locations : 0 }
}
