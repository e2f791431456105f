import type { EncodingClock, MediaClock } from './media-clock.ts'
import type { RtpPacket } from './packet.ts'
import type { PacketSink } from './packet-sink.ts'
import type { RtpForwarder } from './rtp-forwarder.ts'

/** Codecs whose packets can be told to begin a keyframe. Sound always does. */
export type ForwardCodec = 'h264' | 'h265' | 'vp8' | 'vp9' | 'av1' | 'audio'

/** One encoding to be forwarded. */
export interface ForwardSourceOptions {
  readonly codec: ForwardCodec
  /** The participant's, and the encoding's own: timestamps of all layers and all tracks come from it. */
  readonly mediaClock: MediaClock
  readonly encodingClock: EncodingClock
  readonly clockRateHz: number
  /** A watcher wants a keyframe of this encoding. */
  requestKeyframe(): void
}

/**
 * One encoding with its watchers: takes what a `RtpReceiver` gives in order, keeps the last packets for retransmission, once for
 * all watchers, and hands each to the forwarders that are on it. Costs nothing while there are none.
 */
export class ForwardSource implements PacketSink {
  readonly codec: ForwardCodec

  constructor(options: ForwardSourceOptions) {
    this.codec = options.codec
  }

  packet(_packet: RtpPacket): void {}
  lost(_count: number): void {}

  /** Called by forwarders. */
  add(_forwarder: RtpForwarder): void {}
  remove(_forwarder: RtpForwarder): void {}
}
