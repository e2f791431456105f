import type { TransportFeedbackPacket } from './transport-feedback-packet.ts'

/** What a receiver says of one stream, RFC 3550 §6.4.1. */
export interface ReportBlock {
  readonly ssrc: number
  /** Since the report before, in 1/256. */
  readonly fractionLost: number
  /** Signed: duplicates make it negative. */
  readonly cumulativeLost: number
  /** Extended by the count of cycles, 32 bit. */
  readonly highestSequence: number
  /** In ticks of the stream's clock. */
  readonly jitter: number
  /** Middle 32 bits of the NTP time of the last sender report; 0 when there was none. */
  readonly lastSr: number
  /** Since that came, in 1/65536 s. */
  readonly delaySinceLastSr: number
}

/** RFC 3550 §6.4.1. */
export interface SenderReport {
  readonly type: 'sr'
  readonly ssrc: number
  /** The sender's wall clock, ms since 1900 (exact to the microsecond). */
  readonly ntpMs: number
  /** Middle 32 bits of it, as in `ReportBlock.lastSr`. */
  readonly ntpMiddle: number
  /** RTP time at that moment, 32 bit. */
  readonly timestamp: number
  readonly packets: number
  readonly octets: number
  readonly blocks: readonly ReportBlock[]
}

/** One packet out of a compound one. What is not understood is `other`. */
export type RtcpPacket =
  | SenderReport
  | { readonly type: 'rr'; readonly ssrc: number; readonly blocks: readonly ReportBlock[] }
  | { readonly type: 'sdes'; readonly chunks: readonly { readonly ssrc: number; readonly cname?: string }[] }
  | { readonly type: 'bye'; readonly ssrcs: readonly number[]; readonly reason?: string }
  /** RFC 4585 §6.2.1. */
  | {
      readonly type: 'nack'
      readonly senderSsrc: number
      readonly mediaSsrc: number
      readonly sequences: readonly number[]
    }
  /** RFC 4585 §6.3.1. */
  | { readonly type: 'pli'; readonly senderSsrc: number; readonly mediaSsrc: number }
  /** RFC 5104 §4.3.1. */
  | { readonly type: 'fir'; readonly senderSsrc: number; readonly requests: readonly FirRequest[] }
  /** draft-alvestrand-rmcat-remb-03 §2.2. */
  | {
      readonly type: 'remb'
      readonly senderSsrc: number
      readonly bitrateBps: number
      readonly ssrcs: readonly number[]
    }
  | TransportFeedbackPacket
  /** RFC 3611 §4.5: what was heard of our reference times. */
  | { readonly type: 'xr'; readonly ssrc: number; readonly heard: readonly HeardReference[] }
  | { readonly type: 'other'; readonly packetType: number; readonly format: number }

/** RFC 3611 §4.5; for `roundTripMs`. */
export interface HeardReference {
  readonly ssrc: number
  /** Middle 32 bits of the NTP time of the reference. */
  readonly lastReference: number
  /** Since that came, in 1/65536 s. */
  readonly delay: number
}

/** RFC 5104 §4.3.1.1. */
export interface FirRequest {
  readonly ssrc: number
  /** 8 bit: another one asks anew. */
  readonly sequence: number
}

/** Whether a packet that came on a port shared by both is RTCP: payload types 64 to 95 are, RFC 5761 §4. */
export function isRtcp(bytes: Uint8Array): boolean {
  return bytes.length >= 2 && (bytes[1] & 0x7f) >= 64 && (bytes[1] & 0x7f) <= 95
}
