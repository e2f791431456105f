/**
 * The clock of one participant: RTP times of all its streams on one line, in ms of our own clock since it began.
 *
 * Before an encoding's first reference its frames lie where they came; then where the sender's clock has them, eased over.
 */
export class MediaClock {
  /** One per track; all encodings (simulcast layers) of a track have one clock rate. */
  track(clockRateHz: number): TrackClock {
    return new TrackClock(clockRateHz)
  }

  /** The participant's time at a moment of our clock, ms. */
  atMs(_nowMs: number): number {
    return 0
  }
}

/** The encodings of a track. */
export class TrackClock {
  readonly clockRateHz: number

  constructor(clockRateHz: number) {
    this.clockRateHz = clockRateHz
  }

  /** For a new SSRC. */
  encoding(): EncodingClock {
    return new EncodingClock()
  }

  /** How long after their time the frames of this track come at least, ms. Of video less that of audio: the A/V offset. */
  get delayMs(): number {
    return 0
  }
}

/** The clock of one SSRC. */
export class EncodingClock {
  /** The sender says which of its wall clock's times an RTP timestamp has: a sender report, or abs-capture-time of a packet. */
  reference(_ntpMs: number, _timestamp: number): void {}

  /**
   * The participant's time of an RTP timestamp, in ticks of the track's clock rate; never below 0. Call in decoding order;
   * twice for the same timestamp does no harm.
   * @param arrivalMs `RtpPacket.arrivalMs` of (any of) its packets
   */
  timeOf(timestamp: number, _arrivalMs: number): number {
    return timestamp
  }

  /** How much faster the sender's RTP clock runs than ours, in millionths. */
  get driftPpm(): number {
    return 0
  }
}
