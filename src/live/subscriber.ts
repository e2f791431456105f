import type { Frame } from '../media/frame.ts'
import type { Track } from '../media/track.ts'

/** Why a stream ended. `lost`: the connection died; `replaced`: a takeover; `kicked`: by an operator or a limit. */
export type EndReason = 'finished' | 'lost' | 'replaced' | 'kicked' | 'shutdown'

/**
 * One who follows a live stream. Calls come synchronously in this order: `track` for each track known, then frames, each
 * preceded by the `track` call of its track and epoch, then exactly one `end`. A subscriber that throws is dropped and
 * logged: it never takes the stream along.
 */
export interface Subscriber {
  /** Players make a stream one that must not be held back. */
  readonly kind: 'recording' | 'player'
  track(track: Track): void
  /** `frame` is lent for the call; `retain` it to keep it. */
  frame(frame: Frame): void
  /** A batch of frames is through: a good moment to send what was gathered. At least every 150 ms while media flows. */
  flush(): void
  end(reason: EndReason): void
}
