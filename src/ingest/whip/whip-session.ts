import { randomBytes, randomUUID } from 'node:crypto'
import { type SourceFault, SourceLife, type SourceOwner } from '../../live/source-life.ts'
import type { LiveStream, StreamAddress } from '../../live/stream.ts'
import type { EndReason } from '../../live/subscriber.ts'
import type { Frame } from '../../media/frame.ts'
import type { Logger } from '../../media/ports.ts'
import type { ChecklistLine, MediaLoss, SourceReport } from '../../media/source-report.ts'
import type { Track } from '../../media/track.ts'
import type { EngineSession, PublishSink, SessionEnd, SessionFigures } from '../../webrtc/engine.ts'
import { MediaProgress } from './media-progress.ts'
import { PublisherFigures } from './publisher-figures.ts'

/** A publisher that was not heard for so long gives way to a newcomer of its name, ms: a browser that lost its network. */
const YIELDS_AFTER_MS = 2000
/** How long the engine may take for the last of it, ms. */
const FINISH_DEADLINE_MS = 1000
/** Track announcements that may wait for the stream to be there. */
const MAX_EARLY_TRACKS = 64

/** Whose session it is. */
export interface WhipSessionOptions {
  readonly address: StreamAddress
  /** For people and logs: where the request came from. */
  readonly peer: string
  /** Of the offer. */
  readonly iceUfrag: string | undefined
  readonly logger: Logger
  /** A monotonic clock, ms. */
  readonly now: () => number
  /** It is over, whoever ended it. Once. */
  onEnded(session: WhipSession): void
}

/**
 * One WHIP publisher: from its offer to its end. What the media engine makes of its packets goes into a live stream; its
 * state, its checklist and its figures are what the stream's report says.
 */
export class WhipSession implements PublishSink, SourceOwner {
  /** Hard to guess: whoever knows it may change and end the session (RFC 9725 §5). */
  readonly id = randomUUID()
  /** Of its one ICE session, a strong entity tag (RFC 9110 §8.8.3). */
  readonly etag = `"${randomBytes(12).toString('base64url')}"`
  readonly address: StreamAddress
  readonly peer: string
  readonly iceUfrag: string | undefined
  readonly #life: SourceLife
  readonly #logger: Logger
  readonly #now: () => number
  readonly #onEnded: (session: WhipSession) => void
  readonly #progress: MediaProgress
  readonly #figures = new PublisherFigures()
  #engine: EngineSession | undefined
  #stream: LiveStream | undefined
  #earlyTracks: Track[] = []
  #hasVideo = false
  #finishing: { readonly reason: 'finished' | 'shutdown'; readonly untilMs: number } | undefined
  #isEnded = false

  constructor(options: WhipSessionOptions) {
    this.address = options.address
    this.peer = options.peer
    this.iceUfrag = options.iceUfrag
    this.#logger = options.logger
    this.#now = options.now
    this.#onEnded = options.onEnded
    this.#life = new SourceLife(this, { now: options.now })
    this.#life.move('connecting')
    this.#progress = new MediaProgress(this.#life)
  }

  /** Our session description; empty before `accepted`. */
  get answer(): string {
    return this.#engine?.answer ?? ''
  }
  /** As last told by the engine. */
  get lastFigures(): SessionFigures {
    return this.#figures.last
  }
  get isEnded(): boolean {
    return this.#isEnded
  }
  /** It has ended, or is about to: nobody asks it for anything any more. */
  get isLeaving(): boolean {
    return this.#isEnded || this.#finishing !== undefined
  }
  /** How it ended, as its stream says it. */
  get endReason(): EndReason | undefined {
    return this.#stream?.ended
  }
  /** What has come in, for the log. */
  get media(): { readonly bytes: number; readonly videoFrames: number; readonly audioFrames: number } | undefined {
    if (this.#stream === undefined) return undefined
    const { bytes, videoFrames, audioFrames } = this.#stream.stats.snapshot()
    return { bytes, videoFrames, audioFrames }
  }
  /** Why it ended, or what is wrong now. */
  get fault(): SourceFault | undefined {
    return this.#life.fault
  }
  /** Somebody else may have its name: it was not heard for a while. */
  get yields(): boolean {
    return this.isLeaving || this.#life.silentMs >= YIELDS_AFTER_MS
  }

  /** The engine has taken the offer. */
  accepted(engine: EngineSession): void {
    this.#engine = engine
    this.#hasVideo = /^m=video (?!0 )/m.test(engine.answer)
    this.#life.meet('tracks_published')
    if (this.#isEnded) engine.close()
  }

  /** It is live: what comes goes into `stream`. */
  feed(stream: LiveStream): void {
    this.#stream = stream
    for (const track of this.#earlyTracks.splice(0)) stream.track(track)
  }

  /** Trickled by the peer: `candidate:…`. */
  addCandidates(candidates: readonly string[]): void {
    if (candidates.length > 0) this.#engine?.addCandidates(candidates)
  }

  requestKeyframe(trackId?: number): void {
    if (this.#isEnded || !this.#life.isMet('connected')) return // senders begin with one
    if (this.#figures.seesVideo) this.#life.keyframeAsked()
    this.#engine?.requestKeyframe(trackId)
  }

  met(line: ChecklistLine): void {
    if (this.#isEnded) return
    if (line === 'connected') this.#connected()
    else if (line === 'first_rtp') this.#heardFirst()
    else this.#life.meet(line)
  }

  track(track: Track): void {
    if (this.#isEnded) return
    if (this.#stream !== undefined) this.#stream.track(track)
    else if (this.#earlyTracks.length < MAX_EARLY_TRACKS) this.#earlyTracks.push(track)
  }

  frame(frame: Frame): void {
    if (this.#isEnded) return
    if (!this.#progress.isDone) this.#noteFirst(frame)
    if (frame.key && frame.track.kind === 'video') this.#keyframeCame(frame.track.id)
    this.#stream?.write(frame)
  }

  flush(): void {
    if (this.#isEnded) return
    this.#life.heard()
    this.#stream?.flush()
  }

  loss(loss: MediaLoss): void {
    this.#figures.loss(loss)
  }

  figures(figures: SessionFigures): void {
    if (this.#isEnded) return
    const wasBlind = this.#figures.isBlind
    this.#figures.take(figures)
    const { lastRtpAtMs } = figures
    if (lastRtpAtMs !== undefined) {
      this.#heardFirst()
      this.#life.heard(this.#now() - Math.max(0, Date.now() - lastRtpAtMs))
    }
    if (this.#figures.hasFeedback) this.#life.meet('feedback_seen')
    if (this.#figures.isBlind) this.#life.keyframeAsked()
    else if (wasBlind) this.#life.keyframeCame()
  }

  end({ reason, code, message }: SessionEnd): void {
    const fault = code === undefined ? undefined : { code, message: message ?? code }
    this.#end(this.#finishing?.reason ?? (reason === 'finished' ? 'finished' : 'lost'), fault)
  }

  /**
   * Ends it, with what the engine still holds: the peer asked for it (`finished`), or the server ends (`shutdown`). It is not
   * over before the engine says so. Idempotent.
   */
  finish(reason: 'finished' | 'shutdown'): void {
    if (this.#isEnded || this.#finishing !== undefined) return
    this.#life.move('stopping')
    this.#finishing = { reason, untilMs: this.#now() + FINISH_DEADLINE_MS }
    this.#engine?.finish()
  }

  /** Ends it at once. Idempotent. */
  close(reason: EndReason): void {
    this.#end(reason)
  }

  /** Looks at the deadlines, and at whether what comes is recorded. Called twice a second. */
  tick(): void {
    if (this.#isEnded) return
    if (this.#finishing !== undefined) {
      if (this.#now() >= this.#finishing.untilMs) this.#end(this.#finishing.reason)
      return
    }
    const isRecorded = this.#progress.isFlowing && (this.#stream?.recordingCount ?? 0) > 0
    if (this.#life.state === 'subscribed' && isRecorded) this.#life.move('recording')
    else if (this.#life.state === 'recording' && !isRecorded) this.#life.move('subscribed')
    this.#life.tick()
  }

  /** What the stream's report says. */
  report(): SourceReport {
    const report = this.#life.report(this.#figures.report)
    return this.#stream?.ended === undefined ? report : { ...report, state: 'stopped' } // whoever ended that is about to end this
  }

  reported(fault: SourceFault | undefined): void {
    const fields = { ...this.address, peer: this.peer }
    if (fault === undefined) this.#logger.info(fields, 'publisher is heard again')
    else this.#logger.warn({ ...fields, ...fault }, 'publisher is not as it should be')
  }

  expired({ code, message }: SourceFault): void {
    this.#end('lost', { code, message })
  }

  #connected(): void {
    if (this.#life.state !== 'connecting') return
    this.#life.move('connected')
    this.#life.meet('subscribed') // the answer did that
    this.#life.move('subscribing')
  }

  #heardFirst(): void {
    this.#connected()
    if (this.#life.state !== 'subscribing') return
    this.#life.meet('first_rtp')
    this.#life.move('subscribed')
    this.#life.heard()
  }

  #keyframeCame(trackId: number): void {
    this.#figures.keyframe(trackId)
    if (!this.#figures.isBlind) this.#life.keyframeCame()
  }

  #noteFirst(frame: Frame): void {
    this.#heardFirst()
    this.#progress.note(frame, this.#hasVideo)
  }

  #end(reason: EndReason, fault?: SourceFault): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#life.stop(fault)
    this.#engine?.close()
    this.#stream?.end(reason)
    this.#onEnded(this)
  }
}
