import type { ForwardSource } from './forward-source.ts'
import type { RtcpPacket } from './rtcp.ts'
import type { RtcpOutbox } from './rtcp-outbox.ts'

/** One stream to one watcher. */
export interface RtpForwarderOptions {
  readonly ssrc: number
  /** Payload types of the publisher → those of the watcher; packets of others are left out. */
  readonly payloadTypes: ReadonlyMap<number, number>
  /** When negotiated: the watcher's payload types → its retransmission payload types, and the SSRC for them. */
  readonly rtx?: { readonly ssrc: number; readonly payloadTypes: ReadonlyMap<number, number> }
  /** Header extension identifiers of the publisher → of the watcher (1 to 14); others are left out. */
  readonly extensions: ReadonlyMap<number, number>
  /** The watcher's `mid` with its extension identifier, when it is to be sent. */
  readonly mid?: { readonly extensionId: number; readonly value: string }
  /** Speaks to the watcher. */
  readonly outbox: RtcpOutbox
  /** To be taken at once: the bytes are used again. */
  send(packet: Uint8Array): void
}

/** What was sent to a watcher. */
export interface RtpForwarderFigures {
  readonly packets: number
  readonly bytes: number
  readonly retransmitted: number
  /** Asked for, but no longer there. */
  readonly notFound: number
  readonly keyframeRequests: number
  readonly lossRate: number
  readonly rttMs: number | undefined
}

/** One stream to one watcher: rewrites what differs between publisher, layers and watcher; answers NACK. */
export class RtpForwarder {
  readonly ssrc: number

  constructor(options: RtpForwarderOptions) {
    this.ssrc = options.ssrc
  }

  /** Forwards this one from its next keyframe on, which is asked for; the one before goes on until then. Undefined: stops. */
  switchTo(_source: ForwardSource | undefined): void {}

  /** What the watcher says by RTCP; only what concerns this stream is taken. */
  rtcp(_packet: RtcpPacket, _nowMs: number): void {}

  /** Sender reports. */
  tick(_nowMs: number): void {}

  figures(): RtpForwarderFigures | undefined {
    return undefined
  }

  /** Leaves its source. Idempotent. */
  close(): void {}
}
