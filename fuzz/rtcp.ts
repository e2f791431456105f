import { RtcpOutbox } from '../src/rtp/rtcp-outbox.ts'
import { parseRtcp } from '../src/rtp/rtcp-parser.ts'
import type { FuzzTarget } from './target.ts'

/** What an outbox makes of everything it can say. */
function everything(): Uint8Array[] {
  const packets: Uint8Array[] = []
  const outbox = new RtcpOutbox({ ssrc: 1, cname: 'tape', send: (bytes) => packets.push(bytes.slice()) })
  outbox.senderReport({ ssrc: 1, ntpMs: 3.9e12, timestamp: 90_000, packets: 3, octets: 99 })
  const block = {
    ssrc: 2,
    fractionLost: 3,
    cumulativeLost: 4,
    highestSequence: 5,
    jitter: 6,
    lastSr: 7,
    delaySinceLastSr: 8,
  }
  outbox.receiverReport([block, { ...block, ssrc: 3 }])
  outbox.flush()
  outbox.nack(2, [1, 2, 3, 20, 65_535])
  outbox.pli(2)
  outbox.fir(2, 1)
  outbox.flush()
  outbox.remb(3e6, [2, 3])
  outbox.bye([1])
  outbox.flush()
  return packets
}

/** RTCP as peers send it. What is read of one datagram is bounded. */
export const target: FuzzTarget = {
  name: 'rtcp',
  seeds: () => [
    ...everything(),
    Buffer.from('afcd00070000000100000002000100050000010020050000040404040c000000', 'hex'),
    Buffer.from('8fcd0006000000010000000200010007000001009fc0d1240404ffff04040404', 'hex'),
    Buffer.from('81cb000300000001067469726564210080cf000100000001', 'hex'),
  ],
  run(input) {
    let entries = 0
    for (const packet of parseRtcp(input)) {
      if (packet.type === 'nack') entries += packet.sequences.length
      else if (packet.type === 'transport-cc') entries += packet.arrivalsMs.length
      else if (packet.type === 'remb' && !Number.isFinite(packet.bitrateBps)) throw new Error('bitrate')
    }
    if (entries > 128 * 8192 + 5 * input.length) throw new Error(`${entries} entries in ${input.length} bytes`)
  },
}
