import type { Frame } from '../media/frame.ts'
import type { ChecklistLine, MediaLoss, SourceTrackFigures, StrayPackets } from '../media/source-report.ts'
import type { AudioCodec, Track, VideoCodec } from '../media/track.ts'

/** Which simulcast layers are kept: the best there is, or each as a track of its own. */
export type LayerChoice = 'best' | 'all'

/** A peer that wants to send. */
export interface PublishRequest {
  /** Of the session; unique in the engine. */
  readonly id: string
  /** Its session description (RFC 8866), as it came. */
  readonly offer: string
  /** Best first; what is not in it is refused. */
  readonly videoCodecs: readonly VideoCodec[]
  readonly audioCodecs: readonly AudioCodec[]
  readonly layers: LayerChoice
  /** What congestion control may let the peer send at most, bits per second. */
  readonly maxBitrateBps: number
  /** How long a lost packet is asked for again, ms. */
  readonly jitterBudgetMs: number
  /** Names of tracks by their `mid`; others are named by what they are. */
  readonly labels: Readonly<Record<string, string>>
}

/** A peer that wants to receive what a publishing session sends. */
export interface WatchRequest {
  readonly id: string
  readonly offer: string
  /** The session that is watched. */
  readonly publisherId: string
}

/** Why a session ended by itself. */
export interface SessionEnd {
  /** `finished`: the peer closed it; `lost`: it was no longer heard; `failed`: the engine or the transport broke. */
  readonly reason: 'finished' | 'lost' | 'failed'
  readonly code?: string
  readonly message?: string
}

/** What a session has to say, about once a second and whenever something changes for good. */
export interface SessionFigures {
  readonly tracks: readonly SourceTrackFigures[]
  readonly rttMs?: number
  readonly avOffsetMs?: number
  /** `performance.timeOrigin`-based wall clock of the last RTP packet, ms since 1970; undefined before the first. */
  readonly lastRtpAtMs?: number
  /** Of the pair that is used, for people. */
  readonly remote?: string
  readonly strays?: StrayPackets
}

/** What the two kinds of sessions have in common. Calls come in order; after `end` none. */
export interface SessionSink {
  /** A line of the checklist is met. Each at most once. */
  met(line: ChecklistLine): void
  figures(figures: SessionFigures): void
  end(end: SessionEnd): void
}

/** What a publishing session gives. */
export interface PublishSink extends SessionSink {
  track(track: Track): void
  /** Lent for the call, as in `Subscriber.frame`. dts and pts of all tracks have one zero: the participant's clock. */
  frame(frame: Frame): void
  /** A batch is through. */
  flush(): void
  loss(loss: MediaLoss): void
}

/** One peer's session. */
export interface EngineSession {
  readonly id: string
  /** Our session description. */
  readonly answer: string
  /** `candidate:…` lines that the peer trickled. */
  addCandidates(candidates: readonly string[]): void
  /** Asks the sender for a keyframe, of all video or of one track; rate-limited. Nothing for watchers. */
  requestKeyframe(trackId?: number): void
  /** Ends it and gives what is held: frames, figures, then `end` (`finished`). Idempotent. */
  finish(): void
  /** Ends it at once. Idempotent. No `end` follows. */
  close(): void
}

/** Everything of WebRTC behind signalling: sessions that receive and sessions that send. */
export interface MediaEngine {
  /**
   * @throws MalformedError for an offer that cannot be read
   * @throws UnsupportedError for one of which nothing can be taken
   * @throws TransportError when there can be no connection
   */
  publish(request: PublishRequest, sink: PublishSink): Promise<EngineSession>
  /** @throws as `publish`; UnsupportedError when that session is not there */
  watch(request: WatchRequest, sink: SessionSink): Promise<EngineSession>
  /** Ends all sessions. */
  close(): Promise<void>
}
