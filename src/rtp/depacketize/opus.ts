import { OPUS_RATE_HZ, opusPacketSamples, writeOpusHead } from '../../codec/opus.ts'
import type { AccessUnitSink } from '../access-unit.ts'
import { PacketUnits } from './packet-units.ts'

const STEREO = 0x04 // in the TOC byte, RFC 6716 §3.1
/** The look-ahead of libopus at 48 kHz, 6.5 ms, which is what browsers, OBS and ffmpeg encode with; RTP does not say it. */
export const OPUS_LOOK_AHEAD = 312 // samples

/**
 * Opus (RFC 7587): each packet as it is. Nothing is made up where the sender was silent (DTX), and what a packet repeats of the one
 * before it (in-band FEC) stays in it.
 *
 * Two channels where the session description announces them (§7.1) or a packet has them: mono decodes to two channels without
 * loss, stereo to one does not.
 */
export class OpusDepacketizer extends PacketUnits {
  #config: Uint8Array
  #isStereo: boolean

  constructor(sink: AccessUnitSink, isStereo: boolean) {
    super(sink)
    this.#isStereo = isStereo
    this.#config = opusHead(isStereo)
  }

  protected override sample(payload: Uint8Array): Uint8Array | undefined {
    if (opusPacketSamples(payload) === undefined) return undefined
    if (!this.#isStereo && (payload[0] & STEREO) !== 0) {
      this.#isStereo = true
      this.#config = opusHead(true)
    }
    return payload
  }

  protected override configuration(): Uint8Array {
    return this.#config
  }
}

function opusHead(isStereo: boolean): Uint8Array {
  return writeOpusHead({
    channels: isStereo ? 2 : 1,
    preSkip: OPUS_LOOK_AHEAD,
    inputSampleRateHz: OPUS_RATE_HZ,
    outputGain: 0,
    mappingFamily: 0,
  })
}
