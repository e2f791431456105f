import type { AudioCodec, VideoCodec } from '../media/track.ts'
import type { PacketSink } from './packet-sink.ts'

/** Packets of one encoding, in order, to access units. Hostile payloads are counted and left out, never thrown over. */
export interface Depacketizer extends PacketSink {
  /** Payloads that could not be read. */
  readonly malformed: number
  /** The end: what was lost is told. A unit whose marker has not come is left out, since nothing tells whether it is whole. */
  flush(): void
}

/** What was negotiated for the payload type (RFC 8866 §6.6, §6.15). */
export interface RtpFormat {
  readonly codec: VideoCodec | AudioCodec
  readonly clockRateHz: number
  readonly channels: number
  /** `a=fmtp`; names are lower case. */
  readonly parameters: ReadonlyMap<string, string>
  /** Local identifier of the dependency descriptor (AV1 RTP §A), where it was taken. */
  readonly dependencyDescriptorId?: number
}
