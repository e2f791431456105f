/** Which packets of a transport came and when: draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1. */
export interface TransportFeedbackPacket {
  readonly type: 'transport-cc'
  readonly senderSsrc: number
  readonly mediaSsrc: number
  /** Transport sequence number of the first status, 16 bit. */
  readonly baseSequence: number
  /** Count of feedback packets, 8 bit. */
  readonly feedbackCount: number
  /** By sequence number: when it came, ms of the receiver's clock (exact to 0.25 ms, wraps with 24 bit of 64 ms); undefined when not. */
  readonly arrivalsMs: readonly (number | undefined)[]
}
