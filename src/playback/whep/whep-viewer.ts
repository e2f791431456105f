import { randomBytes, randomUUID } from 'node:crypto'
import type { LiveStream, StreamAddress, Subscription } from '../../live/stream.ts'
import type { EndReason, Subscriber } from '../../live/subscriber.ts'
import type { EngineSession, SessionEnd, SessionFigures, SessionSink } from '../../webrtc/engine.ts'

/** Why a viewer is gone: by itself, by the server, or with what it watched. */
export type ViewerEndReason = EndReason | SessionEnd['reason'] | 'stream_ended'

/** Whose session it is. */
export interface WhepViewerOptions {
  readonly address: StreamAddress
  /** For people and logs: where the request came from. */
  readonly peer: string
  /** Of the offer. */
  readonly iceUfrag: string | undefined
  /** It is over, whoever ended it; `message` is for people. Once. */
  onEnded(viewer: WhepViewer, reason: ViewerEndReason, message: string): void
}

/**
 * One who watches a WHIP publisher over WHEP. Packets go from the one session of the engine to the other; of the stream it
 * only learns its end, and is counted among its players.
 */
export class WhepViewer implements SessionSink, Subscriber {
  readonly kind = 'player'
  /** Hard to guess: whoever knows it may change and end the session. */
  readonly id = randomUUID()
  /** Of its one ICE session, a strong entity tag (RFC 9110 §8.8.3). */
  readonly etag = `"${randomBytes(12).toString('base64url')}"`
  readonly address: StreamAddress
  readonly peer: string
  readonly iceUfrag: string | undefined
  readonly #onEnded: WhepViewerOptions['onEnded']
  #figures: SessionFigures = { tracks: [] }
  #engine: EngineSession | undefined
  #subscription: Subscription | undefined
  #isConnected = false
  #isEnded = false

  constructor(options: WhepViewerOptions) {
    this.address = options.address
    this.peer = options.peer
    this.iceUfrag = options.iceUfrag
    this.#onEnded = options.onEnded
  }

  /** Our session description; empty before `accepted`. */
  get answer(): string {
    return this.#engine?.answer ?? ''
  }
  /** As last told by the engine. */
  get lastFigures(): SessionFigures {
    return this.#figures
  }
  get isConnected(): boolean {
    return this.#isConnected
  }
  get isEnded(): boolean {
    return this.#isEnded
  }

  /** The engine has taken the offer; it ends with `stream`. */
  accepted(engine: EngineSession, stream: LiveStream): void {
    this.#engine = engine
    const subscription = stream.subscribe(this, { fromKeyframe: false })
    this.#subscription = subscription
    if (!this.#isEnded) return
    subscription.close()
    engine.close()
  }

  /** Trickled by the peer: `candidate:…`. */
  addCandidates(candidates: readonly string[]): void {
    if (candidates.length > 0) this.#engine?.addCandidates(candidates)
  }

  met(line: Parameters<SessionSink['met']>[0]): void {
    if (line === 'connected') this.#isConnected = true
  }

  figures(figures: SessionFigures): void {
    this.#figures = figures
  }

  /** Of the engine's session, or of the stream. */
  end(end: SessionEnd | EndReason): void {
    if (typeof end === 'string') this.#end('stream_ended', `the stream ended: ${end}`)
    else this.#end(end.reason, end.message)
  }

  track(): void {}
  frame(): void {}
  flush(): void {}

  /** There is nothing to wait for. Idempotent. */
  finish(reason: 'finished'): void {
    this.#end(reason)
  }

  /** Idempotent. */
  close(reason: EndReason): void {
    this.#end(reason)
  }

  #end(reason: ViewerEndReason, message: string = reason): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#subscription?.close()
    this.#engine?.close()
    this.#onEnded(this, reason, message)
  }
}
