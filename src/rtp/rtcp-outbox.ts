import type { ReportBlock } from './rtcp.ts'

/** Whom the outbox speaks for and where it sends. */
export interface RtcpOutboxOptions {
  /** Of this side. */
  readonly ssrc: number
  /** RFC 3550 §6.5.1. */
  readonly cname: string
  /** One compound packet, at most 1200 bytes, to be taken at once: the bytes are used again. */
  send(packet: Uint8Array): void
}

/** Gathers what one session has to say by RTCP, so that it goes out in few packets. `flush` after each batch and tick. */
export class RtcpOutbox {
  readonly ssrc: number

  constructor(options: RtcpOutboxOptions) {
    this.ssrc = options.ssrc
  }

  /** A receiver report with at most 31 blocks to the packet, and the CNAME. */
  receiverReport(_blocks: readonly ReportBlock[]): void {}

  /** A sender report of a stream of this side, and the CNAME. */
  senderReport(_report: { ssrc: number; ntpMs: number; timestamp: number; packets: number; octets: number }): void {}

  /** Asks for packets again: RFC 4585 §6.2.1. `sequences` in rising order. */
  nack(_mediaSsrc: number, _sequences: readonly number[]): void {}

  /** RFC 4585 §6.3.1. */
  pli(_mediaSsrc: number): void {}

  /** RFC 5104 §4.3.1; `sequence` is 8 bit. */
  fir(_mediaSsrc: number, _sequence: number): void {}

  /** What the other side may send at most on these streams together. */
  remb(_bitrateBps: number, _ssrcs: readonly number[]): void {}

  /** RFC 3550 §6.6. */
  bye(_ssrcs: readonly number[]): void {}

  /** A packet that was built elsewhere, whole words. */
  raw(_packet: Uint8Array): void {}

  flush(): void {}
}
