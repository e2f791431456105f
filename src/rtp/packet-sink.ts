import type { RtpPacket } from './packet.ts'

/** What follows a `RtpReceiver`: the packets of one encoding, in the order of their sequence numbers, each once. */
export interface PacketSink {
  /** `packet` may be kept: its bytes are nobody else's. */
  packet(packet: RtpPacket): void
  /** Before the next packet, `count` were given up for lost. */
  lost(count: number): void
}
