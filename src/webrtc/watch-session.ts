import { randomInt } from 'node:crypto'
import { TapedeckError } from '../media/errors.ts'
import type { ForwardSource } from '../rtp/forward-source.ts'
import { isRtcp } from '../rtp/rtcp.ts'
import type { RtcpOutbox } from '../rtp/rtcp-outbox.ts'
import { parseRtcp } from '../rtp/rtcp-parser.ts'
import { RtpForwarder } from '../rtp/rtp-forwarder.ts'
import type { EngineSession, SessionEnd, SessionSink, WatchRequest } from './engine.ts'
import type { IncomingLine } from './incoming-line.ts'
import type { PublishSession } from './publish-session.ts'
import { writeAnswer } from './sdp/answer.ts'
import type { ExtensionIds, HeaderExtension } from './sdp/header-extensions.ts'
import { type AcceptedMedia, negotiateWatch, type OutgoingMedia, type WatchNegotiation } from './sdp/watch-offer.ts'
import { SessionDeadlines } from './session-deadlines.ts'
import { sessionOutbox } from './session-outbox.ts'
import type { LocalTransport, RemoteTransport, Transport, TransportHandler, TransportState } from './transport.ts'

const FIGURES_INTERVAL_MS = 1000
/** A watcher who tells that nothing arrives for so long has gone to another address, ms. */
const DEAF_MS = 5000

/** One m-line of the watcher and what it is fed from. */
interface Feed {
  readonly line: IncomingLine
  readonly forwarder: RtpForwarder
  source: ForwardSource | undefined
}

/** One peer that gets what a publisher sends, packet by packet: of simulcast the layer that is recorded. */
export class WatchSession implements EngineSession, TransportHandler {
  readonly id: string
  readonly publisher: PublishSession
  answer = ''
  readonly #negotiation: WatchNegotiation
  readonly #sink: SessionSink
  readonly #onEnd: (session: WatchSession) => void
  readonly #outbox: RtcpOutbox
  readonly #deadlines = new SessionDeadlines(performance.now())
  readonly #feeds: readonly Feed[]
  #transport: Transport | undefined
  #packetsSent = 0
  #reportedAtMs = 0
  #isFeedbackSeen = false
  #isOver = false

  /**
   * @param onEnd the session is over, by itself or by `close`
   * @throws MalformedError, UnsupportedError for what is wrong with the offer
   */
  constructor(
    request: WatchRequest,
    publisher: PublishSession,
    sink: SessionSink,
    onEnd: (session: WatchSession) => void,
  ) {
    this.id = request.id
    this.publisher = publisher
    this.#sink = sink
    this.#onEnd = onEnd
    const lines = new Map<OutgoingMedia, IncomingLine>()
    for (const line of publisher.lines) lines.set(outgoingMedia(line), line)
    this.#negotiation = negotiateWatch(request.offer, [...lines.keys()])
    this.#outbox = sessionOutbox(this.#negotiation.sections, (packet) => this.#transport?.send(packet))
    this.#feeds = this.#negotiation.accepted.flatMap((accepted): Feed[] => {
      const line = lines.get(accepted.outgoing)
      return line === undefined ? [] : [{ line, forwarder: this.#forwarder(accepted), source: undefined }]
    })
  }

  get remote(): RemoteTransport {
    return this.#negotiation.remote
  }

  /** The transport is there: from now on there is an answer. */
  attach(local: LocalTransport): void {
    this.#transport = local.transport
    this.answer = writeAnswer(this.#negotiation.sections, local)
    if (this.#isOver) local.transport.close()
  }

  addCandidates(candidates: readonly string[]): void {
    for (const candidate of candidates) this.#transport?.addCandidate(candidate)
  }

  /** Watchers ask by RTCP. */
  requestKeyframe(): void {}

  finish(): void {
    this.#finish({ reason: 'finished' })
  }

  close(): void {
    this.#finish(undefined)
  }

  /** What was watched is over. */
  publisherEnded(): void {
    this.#finish({ reason: 'finished' })
  }

  /** For the transport: a watcher sends RTCP only. */
  onPacket(bytes: Uint8Array): void {
    if (this.#isOver || !isRtcp(bytes)) return
    const nowMs = performance.now()
    try {
      for (const packet of parseRtcp(bytes)) for (const { forwarder } of this.#feeds) forwarder.rtcp(packet, nowMs)
      this.#deadlines.heard(nowMs)
      this.#meet()
    } catch (error) {
      if (!(error instanceof TapedeckError)) throw error // a packet that cannot be read
    }
  }

  /** For the transport. */
  onBatch(): void {
    this.#outbox.flush()
  }

  /** For the transport. */
  onState(state: TransportState, fault?: TapedeckError): void {
    if (this.#isOver) return
    if (state === 'connected' && !this.#deadlines.isConnected) {
      this.#deadlines.connected(performance.now())
      this.#sink.met('connected')
      this.#feed()
    } else if (state === 'unreached') this.#deadlines.unreached()
    else if (state === 'closed') {
      const end = this.#deadlines.closed(performance.now())
      this.#finish(fault === undefined ? end : { reason: 'failed', code: fault.code, message: fault.message })
    }
  }

  /** Every 20 to 50 ms. */
  tick(nowMs: number): void {
    if (this.#isOver) return
    if (this.#deadlines.isConnected) this.#feed()
    for (const { forwarder } of this.#feeds) forwarder.tick(nowMs)
    this.#outbox.flush()
    if (nowMs - this.#reportedAtMs >= FIGURES_INTERVAL_MS) this.#report(nowMs)
    const end = this.#deadlines.check(nowMs) ?? this.#deafness(nowMs)
    if (end !== undefined) this.#finish(end)
  }

  /** Each m-line gets the best layer there is now; the forwarder waits for its keyframe. */
  #feed(): void {
    for (const feed of this.#feeds) {
      const source = feed.line.current?.stream?.source
      if (source === feed.source || source === undefined) continue
      feed.source = source
      feed.forwarder.switchTo(source)
    }
  }

  /** The network library sends to where it has found the watcher first, as with publishers (`DownlinkWatch`). */
  #deafness(nowMs: number): SessionEnd | undefined {
    let deafForMs = 0
    for (const { forwarder } of this.#feeds) {
      if (nowMs - forwarder.arrivals.arrivedMs < DEAF_MS) return undefined
      deafForMs = Math.max(deafForMs, forwarder.arrivals.deafForMs(nowMs))
    }
    if (deafForMs < DEAF_MS) return undefined
    const message = `nothing of ours has arrived for ${(deafForMs / 1000).toFixed(1)} s: its address has changed; it may watch again`
    return { reason: 'lost', code: 'TD_SOURCE_DEAF', message }
  }

  #report(nowMs: number): void {
    this.#reportedAtMs = nowMs
    const figures = this.#feeds.flatMap(({ forwarder }) => forwarder.figures() ?? [])
    const packets = figures.reduce((sum, { packets }) => sum + packets, 0)
    // Who is sent nothing has nothing to report: that is no silence.
    if (packets === this.#packetsSent && this.#deadlines.isConnected) this.#deadlines.heard(nowMs)
    this.#packetsSent = packets
    const rttMs = figures.find((figure) => figure.rttMs !== undefined)?.rttMs
    const remote = this.#transport?.stats.remote
    this.#sink.figures({
      tracks: [],
      ...(rttMs === undefined ? {} : { rttMs }),
      ...(remote === undefined ? {} : { remote }),
    })
  }

  #meet(): void {
    if (this.#isFeedbackSeen) return
    this.#isFeedbackSeen = true
    this.#sink.met('feedback_seen')
  }

  #finish(end: SessionEnd | undefined): void {
    if (this.#isOver) return
    this.#isOver = true
    for (const { forwarder } of this.#feeds) forwarder.close()
    try {
      if (end !== undefined) this.#sink.end(end)
    } finally {
      this.#onEnd(this)
      this.#transport?.close()
    }
  }

  #forwarder({ outgoing, mid, extensions, payloadTypes, rtxPayloadTypes }: AcceptedMedia): RtpForwarder {
    const { ssrc, rtxSsrc, media } = outgoing
    return new RtpForwarder({
      ssrc,
      payloadTypes,
      ...(rtxPayloadTypes.size === 0 ? {} : { rtx: { ssrc: rtxSsrc, payloadTypes: rtxPayloadTypes } }),
      extensions: extensionMap(media.extensions, extensions),
      ...(extensions.mid === undefined || mid === '' ? {} : { mid: { extensionId: extensions.mid, value: mid } }),
      outbox: this.#outbox,
      send: (packet) => this.#transport?.send(packet),
    })
  }
}

function outgoingMedia({ media, current }: IncomingLine): OutgoingMedia {
  const [ssrc, rtxSsrc] = [randomInt(1, 2 ** 32), randomInt(1, 2 ** 32)]
  return { media, format: current?.stream?.format, ssrc, rtxSsrc }
}

/** Header extensions that are passed on: those that both have, but MID, which is the watcher's own. */
function extensionMap(from: ExtensionIds, to: ExtensionIds): Map<number, number> {
  const map = new Map<number, number>()
  const passed: readonly HeaderExtension[] = ['audioLevel', 'dependencyDescriptor']
  for (const name of passed) {
    const [ours, theirs] = [from[name], to[name]]
    if (ours !== undefined && theirs !== undefined) map.set(ours, theirs)
  }
  return map
}
