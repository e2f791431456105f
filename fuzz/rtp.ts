import { MalformedError } from '../src/media/errors.ts'
import { BandwidthFeedback } from '../src/rtp/bandwidth-feedback.ts'
import { ForwardSource } from '../src/rtp/forward-source.ts'
import { MediaClock } from '../src/rtp/media-clock.ts'
import { RtpPacket } from '../src/rtp/packet.ts'
import { RtcpOutbox } from '../src/rtp/rtcp-outbox.ts'
import { parseRtcp } from '../src/rtp/rtcp-parser.ts'
import { RtpForwarder } from '../src/rtp/rtp-forwarder.ts'
import { RtpReceiver } from '../src/rtp/rtp-receiver.ts'
import { RtpWriter } from '../src/rtp/rtp-writer.ts'
import type { FuzzTarget } from './target.ts'

/** One packet with its length before it, as the inputs have them. */
function framed(sequenceNumber: number, payload: Uint8Array, payloadType = 96): Uint8Array {
  const writer = new RtpWriter()
  writer.begin({
    payloadType,
    marker: true,
    sequenceNumber,
    timestamp: sequenceNumber * 3000,
    ssrc: payloadType === 97 ? 2 : 1,
  })
  writer.extension(3, Uint8Array.of(sequenceNumber >> 8, sequenceNumber))
  const packet = writer.finish(payload) ?? new Uint8Array(0)
  return Uint8Array.of(20, packet.length, ...packet)
}

const VP8 = Uint8Array.of(0x90, 0xe0, 0x80, 5, 7, 0, 0, 1, 2, 3)

/** As a session does it: what cannot be read is passed over. */
function read(bytes: Uint8Array, nowMs: number): RtpPacket | undefined {
  try {
    return new RtpPacket(bytes, nowMs)
  } catch (error) {
    if (error instanceof MalformedError) return undefined
    throw error
  }
}

/** Packets through all that they pass: receiver, feedback, clock, forwarding. Inputs: steps in ms and lengths before the packets. */
export const target: FuzzTarget = {
  name: 'rtp',
  seeds: () => [
    Buffer.concat([1, 2, 3, 5, 4].map((sequence) => framed(sequence, VP8))),
    Buffer.concat([
      framed(65_534, VP8),
      framed(65_535, VP8),
      framed(1, VP8),
      framed(9, Uint8Array.of(0, 0, ...VP8), 97),
    ]),
    Buffer.concat([framed(1, VP8), framed(4000, VP8), framed(4001, VP8), framed(30, VP8)]),
  ],
  run(input) {
    const send = (bytes: Uint8Array) => {
      if (bytes.length > 1200) throw new Error('RTCP too long')
      parseRtcp(bytes)
    }
    const outbox = new RtcpOutbox({ ssrc: 9, cname: 'fuzz', send })
    const mediaClock = new MediaClock()
    const encodingClock = mediaClock.track(90_000).encoding()
    const clockRateHz = 90_000
    const source = new ForwardSource({
      codec: 'vp8',
      mediaClock,
      encodingClock,
      clockRateHz,
      requestKeyframe: () => {},
    })
    let forwarded = 0
    const forwarder = new RtpForwarder({
      ssrc: 3,
      payloadTypes: new Map([[96, 120]]),
      extensions: new Map([[3, 4]]),
      outbox,
      send(bytes) {
        forwarded++
        new RtpPacket(bytes, 0)
      },
    })
    forwarder.switchTo(source)
    const rtxPayloadTypes = new Map([[97, 96]])
    const receiver = new RtpReceiver({ ssrc: 1, clockRateHz, nack: true, rtxPayloadTypes, outbox, sink: source })
    const feedback = new BandwidthFeedback({ outbox, transportCc: true, remb: true, maxBitrateBps: 1e6 })
    let now = 1000
    let packets = 0
    for (let at = 0; at + 2 <= input.length; at += 2 + input[at + 1]) {
      now += input[at]
      const packet = read(input.slice(at + 2, at + 2 + input[at + 1]), now)
      if (packet === undefined) continue
      const sequence = packet.extension(3)
      if (sequence?.length === 2) feedback.packet((sequence[0] << 8) | sequence[1], now, packet.ssrc)
      receiver.receive(packet)
      receiver.tick(now)
      feedback.tick(now)
      packets++
    }
    receiver.flush()
    receiver.reportBlock(now)
    outbox.flush()
    const figures = receiver.figures()
    if (figures.packets > packets || forwarded > packets) throw new Error('more out than in')
    if (figures.packetsLost > 65_536 * packets) throw new Error('more lost than can be')
  },
}
