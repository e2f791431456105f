import { opusPacketSamples } from '../../codec/opus.ts'

/** The shortest Opus frame, 2.5 ms at 48 kHz (RFC 6716 §2.1.4): gaps are filled in multiples of it. */
const SHORTEST_SAMPLES = 120
const MAX_PACKET_SAMPLES = 5760 // 120 ms, RFC 6716 §3.2.5
const CODE = 0x03 // how frames lie in a packet, in the TOC byte, §3.1
const STEREO = 0x04 // same
const CELT_FULLBAND_2_5_MS = 28 << 3 // same, Table 2

/** A packet without any data, and how many samples at 48 kHz it stands for. */
export interface ConcealingPacket {
  readonly packet: Uint8Array
  readonly samples: number
}

/**
 * Packets that ask a decoder to conceal up to `samples` of lost sound (RFC 7845 §4.1): frames of no bytes, of the kind that came
 * before (`toc`), the rest of 2.5 ms each. What is less than that stays missing.
 */
export function* concealingPackets(toc: number, samples: number): Generator<ConcealingPacket> {
  let missing = samples
  for (const kind of [toc & ~CODE, CELT_FULLBAND_2_5_MS | (toc & STEREO)]) {
    const frameSamples = opusPacketSamples(Uint8Array.of(kind)) ?? SHORTEST_SAMPLES
    const mostFrames = Math.floor(MAX_PACKET_SAMPLES / frameSamples)
    while (missing >= frameSamples) {
      const frames = Math.min(mostFrames, Math.floor(missing / frameSamples))
      const packet = frames === 1 ? Uint8Array.of(kind) : Uint8Array.of(kind | CODE, frames)
      yield { packet, samples: frames * frameSamples }
      missing -= frames * frameSamples
    }
  }
}
