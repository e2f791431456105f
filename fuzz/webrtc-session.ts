import { RtcpOutbox } from '../src/rtp/rtcp-outbox.ts'
import { PublishSession } from '../src/webrtc/publish-session.ts'
import { negotiatePublish } from '../src/webrtc/sdp/publish-offer.ts'
import { MemoryTransport } from '../test/webrtc/memory-transport.ts'
import { localTransport, offerOf, publishRequest } from '../test/webrtc/offers.ts'
import { RtpSource } from '../test/webrtc/rtp-source.ts'
import { KeepingSink } from '../test/webrtc/sinks.ts'
import type { FuzzTarget } from './target.ts'

const OFFERS = ['chromium-camera', 'chromium-simulcast-screen'].map((name) => {
  const request = publishRequest(offerOf(name))
  return { request, negotiation: negotiatePublish(request) }
})
/** One in so many packets is followed by a tick, so much later, ms. */
const TICK_EVERY = 5
const TICK_MS = 40
const MAX_HELD = 2000

/** Packets as an input has them: the length of each before it, 16 bit. */
function joined(first: number, packets: readonly Buffer[]): Buffer {
  const parts = packets.flatMap((packet) => {
    const length = Buffer.alloc(2)
    length.writeUInt16BE(packet.length)
    return [length, packet]
  })
  return Buffer.concat([Buffer.from([first]), ...parts])
}

function senderReport(ssrc: number): Buffer {
  const reports: Buffer[] = []
  const outbox = new RtcpOutbox({ ssrc, cname: 'fuzz', send: (packet) => void reports.push(Buffer.from(packet)) })
  outbox.senderReport({ ssrc, ntpMs: 4e12, timestamp: 90_000, packets: 3, octets: 3000 })
  outbox.bye([ssrc])
  outbox.flush()
  return Buffer.concat(reports)
}

function seeds(): Buffer[] {
  const rtx = { ssrc: 574582983, payloadType: 97 }
  const camera = { ssrc: 147827419, payloadType: 96, clockRateHz: 90_000, rtx, extensions: { 4: '1' } }
  const video = new RtpSource(camera)
  const audio = new RtpSource({ ssrc: 966676454, payloadType: 111, clockRateHz: 48_000, extensions: { 4: '0' } })
  const layers = ['q', 'h', 'f'].map(
    (rid, index) => new RtpSource({ ...camera, ssrc: 10 * (index + 1), extensions: { 4: '1', 10: rid } }),
  )
  const inOrder = [0, 1, 2, 3].flatMap((i) => [...video.vp8(i * 40, i % 2 === 0), ...audio.opus(i * 40)])
  const nack = { type: 'nack', senderSsrc: 1, mediaSsrc: 147827419, sequences: [1000, 1004] } as const
  const layered = [0, 1, 2].flatMap((i) => layers.flatMap((layer) => layer.vp8(i * 40, i === 0)))
  const others = [102, 45, 98].map((payloadType) => new RtpSource({ ...camera, payloadType }).vp8(0, true)[0])
  return [
    joined(0, [...inOrder, senderReport(147827419), ...video.answer(nack)]),
    joined(0, [...inOrder].reverse()),
    joined(1, [...layered, senderReport(10)]),
    joined(0, others),
  ]
}

/** What a peer may send in one session; the first byte says which offer it had made. */
export const target: FuzzTarget = {
  name: 'webrtc-session',
  seeds,
  run(input) {
    const bytes = Buffer.from(input.buffer, input.byteOffset, input.length)
    if (bytes.length === 0) return
    const sink = new KeepingSink()
    const { request, negotiation } = OFFERS[bytes[0] % OFFERS.length]
    const layers = (bytes[0] & 2) === 0 ? 'best' : 'all'
    const session = new PublishSession({ ...request, layers }, negotiation, sink, () => {})
    const transport = new MemoryTransport(session)
    session.attach(localTransport(transport))
    transport.move('connected')
    let nowMs = performance.now()
    let count = 0
    for (let at = 1; at + 2 <= bytes.length; count++) {
      const length = bytes.readUInt16BE(at)
      transport.deliver(Buffer.from(bytes.subarray(at + 2, at + 2 + length)))
      at += 2 + length
      if (count % TICK_EVERY === 0) session.tick((nowMs += TICK_MS))
      if (sink.frames.length > MAX_HELD) throw new Error('more frames than packets can have')
    }
    session.tick(nowMs + 1100)
    session.close()
    for (const { code, message } of sink.ends) {
      if (code !== 'TD_SOURCE_LOST' && code !== 'TD_SOURCE_CONNECTION') throw new Error(`${code}: ${message}`)
    }
  },
}
