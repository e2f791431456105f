import { EncodingClock } from './encoding-clock.ts'
import { ParticipantLine } from './participant-line.ts'

export type { EncodingClock }

/**
 * The clock of one participant: RTP times of all its streams on one line, which follows our own clock.
 *
 * Before an encoding's first reference its frames lie where they came; then where the sender's wall clock has them, eased over.
 */
export class MediaClock {
  readonly #line = new ParticipantLine()

  /** One per track; all encodings (simulcast layers) of a track have one clock rate. */
  track(clockRateHz: number): TrackClock {
    return new TrackClock(clockRateHz, this.#line)
  }

  /** The participant's time at a moment of our clock, ms; 1000 at its first frame. */
  atMs(nowMs: number): number {
    return this.#line.atMs(nowMs)
  }
}

/** A peer may change its SSRC as often as it likes; the newest count. */
const MAX_ENCODINGS = 16
/** An encoding of which nothing came for so long, while others did, says nothing of now. */
const FLOWS_MS = 5000

/** The encodings of a track. */
export class TrackClock {
  readonly clockRateHz: number
  readonly #line: ParticipantLine
  readonly #encodings: EncodingClock[] = []

  constructor(clockRateHz: number, line: ParticipantLine) {
    this.clockRateHz = clockRateHz
    this.#line = line
  }

  /** For a new SSRC. */
  encoding(): EncodingClock {
    const encoding = new EncodingClock(this.clockRateHz, this.#line, this)
    this.#encodings.push(encoding)
    if (this.#encodings.length > MAX_ENCODINGS) this.#encodings.shift()
    return encoding
  }

  /**
   * How long after their time the frames of this track come at least, ms, by the encodings that flow or did last. Of video less that
   * of audio: the A/V offset.
   */
  get delayMs(): number {
    const newestMs = this.#encodings.reduce((newest, { lastArrivalMs }) => Math.max(newest, lastArrivalMs), 0)
    let least = Number.POSITIVE_INFINITY
    for (const { delayMs, lastArrivalMs } of this.#encodings) {
      if (newestMs - lastArrivalMs < FLOWS_MS && delayMs < least) least = delayMs
    }
    return least === Number.POSITIVE_INFINITY ? 0 : least
  }
}
