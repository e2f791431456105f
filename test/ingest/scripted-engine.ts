import { MalformedError, UnsupportedError } from '../../src/media/errors.ts'
import type { SourceTrackFigures } from '../../src/media/source-report.ts'
import type {
  EngineSession,
  MediaEngine,
  PublishRequest,
  PublishSink,
  SessionSink,
  WatchRequest,
} from '../../src/webrtc/engine.ts'

/** A session of `ScriptedEngine`: what it was asked, and the sink through which a test plays the peer. */
export class ScriptedSession<Request extends { readonly id: string }, Sink> implements EngineSession {
  readonly id: string
  readonly answer = 'v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n'
  readonly request: Request
  readonly sink: Sink
  readonly candidates: string[] = []
  readonly keyframesAsked: (number | undefined)[] = []
  isClosed = false
  /** What the engine does when it is asked for what it holds. */
  onFinish: (() => void) | undefined

  constructor(request: Request, sink: Sink) {
    this.id = request.id
    this.request = request
    this.sink = sink
  }
  addCandidates(candidates: readonly string[]): void {
    this.candidates.push(...candidates)
  }
  requestKeyframe(trackId?: number): void {
    this.keyframesAsked.push(trackId)
  }
  finish(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.onFinish?.()
  }
  close(): void {
    this.isClosed = true
  }
}

/** A media engine without network: takes any offer, and sends what the test says. */
export class ScriptedEngine implements MediaEngine {
  readonly published: ScriptedSession<PublishRequest, PublishSink>[] = []
  readonly watched: ScriptedSession<WatchRequest, SessionSink>[] = []
  /** What the next request is refused with. */
  refusal: Error | undefined
  /** Each session ends as soon as it is there. */
  isBroken = false
  /** Awaited before an offer is taken. */
  delay: Promise<void> | undefined
  isClosed = false

  async publish(request: PublishRequest, sink: PublishSink): Promise<EngineSession> {
    await this.#look(request.offer)
    const session = new ScriptedSession(request, sink)
    this.published.push(session)
    if (this.isBroken) sink.end({ reason: 'failed', code: 'TD_MEDIA_PROCESS' })
    return session
  }

  async watch(request: WatchRequest, sink: SessionSink): Promise<EngineSession> {
    await this.#look(request.offer)
    if (!this.published.some(({ id }) => id === request.publisherId)) throw new UnsupportedError('no such publisher')
    const session = new ScriptedSession(request, sink)
    this.watched.push(session)
    return session
  }

  async close(): Promise<void> {
    this.isClosed = true
  }

  async #look(offer: string): Promise<void> {
    await this.delay
    if (this.refusal !== undefined) throw this.refusal
    if (!offer.includes('m=')) throw new MalformedError('session description', 'no m-line')
    if (offer.includes('m=application')) throw new UnsupportedError('nothing of this can be taken')
  }
}

/** An offer that `ScriptedEngine` takes. */
export const OFFER =
  'v=0\r\na=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n'

/** Figures of one track in which only `given` is not 0. */
export function trackFigures(given: Partial<SourceTrackFigures>): SourceTrackFigures {
  const none = { frames: 0, keyframes: 0, bytes: 0, droppedFrames: 0, damagedFrames: 0, undecodableFrames: 0 }
  const network = { packets: 0, packetsLost: 0, packetsRecovered: 0, packetsDuplicate: 0, packetsLate: 0, lossRate: 0 }
  const feedback = { nacks: 0, plis: 0, firs: 0, rtx: 0, jitterMs: 0, bitrateBps: 0, resolutionChanges: 0 }
  return { trackId: 1, kind: 'video', codec: 'h264', mid: '0', ...none, ...network, ...feedback, ...given }
}
