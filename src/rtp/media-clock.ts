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

  /** Its SSRC is gone. */
  remove(encoding: EncodingClock): void {
    const at = this.#encodings.indexOf(encoding)
    if (at >= 0) this.#encodings.splice(at, 1)
  }

  /** How long after their time the frames of this track come at least, ms. Of video less that of audio: the A/V offset. */
  get delayMs(): number {
    let least = Number.POSITIVE_INFINITY
    for (const { delayMs } of this.#encodings) if (delayMs < least) least = delayMs
    return least === Number.POSITIVE_INFINITY ? 0 : least
  }
}
