import type { RtcpOutbox } from './rtcp-outbox.ts'

/** What the sender of a transport is told about the network. */
export interface BandwidthFeedbackOptions {
  readonly outbox: RtcpOutbox
  /** Whether `transport-cc` was negotiated. */
  readonly transportCc: boolean
  /** Whether `goog-remb` was. libwebrtc takes it as an upper bound beside `transport-cc`, too. */
  readonly remb: boolean
  readonly maxBitrateBps: number
  /** Between two feedback packets, ms; 100 by default. */
  readonly intervalMs?: number
}

/** Congestion feedback of one transport: transport-wide-cc when the peer numbers its packets, and the bound by REMB. */
export class BandwidthFeedback {
  constructor(_options: BandwidthFeedbackOptions) {}

  /** A packet of whatever stream came. `sequence`: the two bytes of the transport-wide-cc extension, as a number. */
  packet(_sequence: number, _arrivalMs: number, _ssrc: number): void {}

  /** REMB names these; call whenever they change. */
  set ssrcs(_ssrcs: readonly number[]) {}

  tick(_nowMs: number): void {}
}
