/** One access unit out of packets, before it has a track and a time. Reused from unit to unit: valid during the call only. */
export interface AccessUnit {
  /** RTP timestamp, 32 bit, as sent. */
  readonly timestamp: number
  /** As in `Frame.data`; a view into memory that the next unit overwrites. */
  readonly data: Uint8Array
  /** Decoding may start here: an IDR/IRAP picture, a keyframe. Sound is always key. */
  readonly key: boolean
  /**
   * The decoder configuration as in `Track.config`, when it is the first or another one than before; undefined when it is as it
   * was. Comes with a key unit only.
   */
  readonly config: Uint8Array | undefined
  /**
   * What is known of what this unit refers to, for the gate: `next` may be decoded whenever its temporal layer's base was.
   * 0 is the base layer; 0 also where there are no layers.
   */
  readonly temporalLayer: number
  /** No other unit refers to this one, as far as the bitstream says so (H.264 nal_ref_idc 0, VP8 N bit, AV1 dependency…). */
  readonly isDisposable: boolean
  /** Decoding of this temporal layer may begin here (VP8 Y bit, VP9 U bit). */
  readonly isSwitchingPoint: boolean
}

/** What comes out of a depacketizer. */
export interface AccessUnitSink {
  unit(unit: AccessUnit): void
  /**
   * A unit of which a part is missing was left out, or units of which nothing came lie before the next one. `packets` were lost;
   * `damagedUnits` is how many are known to have been torn. `timestamp` of the torn unit where there was one.
   * `isHarmless` when what was lost is known to be referred to by nothing.
   */
  damaged(damage: { packets: number; damagedUnits: number; timestamp: number | undefined; isHarmless: boolean }): void
}
