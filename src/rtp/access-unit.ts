/** Every temporal layer, in a set of layers: bit t stands for layer t. */
export const ALL_LAYERS = 0xff // 3 bits of temporal id, RFC 9628 §4.2, AV1 §5.3.3

/**
 * One access unit out of packets, before it has a track and a time. Reused from unit to unit: valid during the call only.
 *
 * Sets of temporal layers are bits: 1 is the base layer, which is all there is in a stream without layers.
 */
export interface AccessUnit {
  /** RTP timestamp, 32 bit, as sent. */
  readonly timestamp: number
  /** `RtpPacket.arrivalMs` of its first packet. */
  readonly arrivalMs: number
  /** As in `Frame.data`; a view into memory that the next unit overwrites. */
  readonly data: Uint8Array
  /** Decoding may start here: an IDR/IRAP picture, a keyframe. Sound is always key. */
  readonly key: boolean
  /**
   * The decoder configuration as in `Track.config`, when it is the first or another one than before; undefined when it is as it
   * was. Empty for codecs that have none. Comes with a key unit only.
   */
  readonly config: Uint8Array | undefined
  /** Of what is shown, of a key unit of video; 0 otherwise. */
  readonly width: number
  readonly height: number
  /** 0 is the base layer; 0 also where there are no layers. */
  readonly temporalLayer: number
  /** No other unit refers to this one, as far as the bitstream says so (H.264 nal_ref_idc 0, VP8 N bit, AV1 dependency…). */
  readonly isDisposable: boolean
  /** The layers to whose units it may refer: none of a key unit, the base alone with VP8's Y bit, up to its own otherwise. */
  readonly refersTo: number
  /**
   * The layers of which no unit after this one refers to any before it, once this one is decoded: all by a key unit, its own with
   * VP8's Y bit, those above it with VP9's U bit.
   */
  readonly opens: number
  /** It refers to a unit that did not come: said only where every single reference is known. */
  readonly isOrphan: boolean
}

/** What is missing before the next unit. */
export interface Damage {
  /** That were lost. 0 where whole packets came, but what they hold cannot be read. */
  readonly packets: number
  /** Units of which a part was missing, and which were left out. Those of which nothing came are not known. */
  readonly damagedUnits: number
  /** Of the torn unit. */
  readonly timestamp: number | undefined
  /** The layers of which something may be missing that others refer to; 0 when nothing refers to what was lost. */
  readonly layers: number
}

/** What comes out of a depacketizer. */
export interface AccessUnitSink {
  unit(unit: AccessUnit): void
  damaged(damage: Damage): void
}
