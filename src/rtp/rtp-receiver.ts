import type { SourceTrackFigures } from '../media/source-report.ts'
import type { RtpPacket } from './packet.ts'
import type { PacketSink } from './packet-sink.ts'
import type { ReportBlock, SenderReport } from './rtcp.ts'
import type { RtcpOutbox } from './rtcp-outbox.ts'

/** How one encoding is received. */
export interface RtpReceiverOptions {
  readonly ssrc: number
  readonly clockRateHz: number
  /** Retransmission payload types → those of what they repeat (RFC 4588 §8.6 `apt`). */
  readonly rtxPayloadTypes?: ReadonlyMap<number, number>
  /** Whether lost packets are asked for again. A peer that never answers is found out. */
  readonly nack: boolean
  /** How long a hole is waited for, ms; 1000 by default. */
  readonly jitterBudgetMs?: number
  readonly outbox: RtcpOutbox
  readonly sink: PacketSink
}

/** The part of a track's figures that its receivers know. `bytes` and `packets` are of media, without retransmissions. */
export type RtpReceiverFigures = Pick<
  SourceTrackFigures,
  | 'packets'
  | 'packetsLost'
  | 'packetsRecovered'
  | 'packetsDuplicate'
  | 'packetsLate'
  | 'lossRate'
  | 'nacks'
  | 'rtx'
  | 'jitterMs'
  | 'bitrateBps'
> & {
  readonly bytes: number /** Restarts of the sequence numbers. */
  readonly resets: number
  readonly malformed: number
}

/**
 * Receives one encoding: one SSRC and the SSRC of its retransmissions. Packets go on in order, each once; what is missing is asked
 * for and waited for up to the budget, then given up. Nothing waits while nothing is missing. No timers: `tick` every 20 to 50 ms.
 */
export class RtpReceiver {
  readonly ssrc: number

  constructor(options: RtpReceiverOptions) {
    this.ssrc = options.ssrc
  }

  /** A packet of the SSRC or of its retransmissions, told apart by payload type. Never throws but what the sink throws. */
  receive(_packet: RtpPacket): void {}

  /** A sender report of the SSRC. */
  senderReport(_report: SenderReport, _arrivalMs: number): void {}

  /** Round trip to the sender, ms: paces requests. */
  set rttMs(_rttMs: number) {}

  /** Asks again, gives up. `nowMs` as `RtpPacket.arrivalMs`. */
  tick(_nowMs: number): void {}

  /** For the next receiver report; the interval of `fractionLost` ends with it. */
  reportBlock(_nowMs: number): ReportBlock | undefined {
    return undefined
  }

  figures(): RtpReceiverFigures | undefined {
    return undefined
  }

  /** The end: gives out what is held, with its holes. */
  flush(): void {}
}
