import { Arena } from '../media/arena.ts'
import { LimitError, MalformedError, TapedeckError } from '../media/errors.ts'
import type { Frame } from '../media/frame.ts'
import { CHECKLIST, type ChecklistLine, type MediaLoss } from '../media/source-report.ts'
import type { Track } from '../media/track.ts'
import type { BandwidthFeedback } from '../rtp/bandwidth-feedback.ts'
import { MediaClock } from '../rtp/media-clock.ts'
import { RtpPacket } from '../rtp/packet.ts'
import { isRtcp } from '../rtp/rtcp.ts'
import type { RtcpOutbox } from '../rtp/rtcp-outbox.ts'
import { parseRtcp } from '../rtp/rtcp-parser.ts'
import { Demux } from './demux.ts'
import { DownlinkWatch } from './downlink-watch.ts'
import { EarlyReports } from './early-reports.ts'
import type { EngineSession, PublishRequest, PublishSink, SessionEnd, SessionFigures } from './engine.ts'
import { IncomingEncoding } from './incoming-encoding.ts'
import { IncomingLine } from './incoming-line.ts'
import { publishFeedback } from './publish-feedback.ts'
import { publishFigures } from './publish-figures.ts'
import { writeAnswer } from './sdp/answer.ts'
import type { PublishNegotiation } from './sdp/publish-offer.ts'
import { SessionDeadlines } from './session-deadlines.ts'
import { sessionOutbox } from './session-outbox.ts'
import type { LocalTransport, Transport, TransportHandler, TransportState } from './transport.ts'

/** Of our own times, ms. */
const FIGURES_INTERVAL_MS = 1000
/** Of RTCP, RFC 3550 §6.4.2: a header. */
const MIN_PACKET_BYTES = 8
/** Of a session: m-lines, their layers where all are kept, codecs that they change to. */
const MAX_TRACKS = 48
/** In one session. */
const MAX_MALFORMED = 10_000

/**
 * One peer that sends: its packets become frames of tracks, and what it has to know goes back.
 *
 * Guarantee to the sink: tracks before their frames, then at most one `end`, and nothing after it.
 */
export class PublishSession implements EngineSession, TransportHandler {
  readonly id: string
  readonly lines: readonly IncomingLine[]
  answer = ''
  readonly #request: PublishRequest
  readonly #negotiation: PublishNegotiation
  readonly #sink: PublishSink
  readonly #onEnd: (session: PublishSession) => void
  readonly #outbox: RtcpOutbox
  readonly #clock = new MediaClock()
  readonly #earlyReports = new EarlyReports()
  readonly #arena = new Arena()
  readonly #feedback: BandwidthFeedback
  readonly #downlink: DownlinkWatch
  readonly #demux: Demux
  readonly #deadlines = new SessionDeadlines(performance.now())
  readonly #transportCcId: number
  readonly #met = new Set<ChecklistLine>()
  #transport: Transport | undefined
  #nextTrackId: number
  #figuresAtMs = 0
  #isUnflushed = false
  #isOver = false

  /** @param onEnd the session is over, by itself or by `close` */
  constructor(
    request: PublishRequest,
    negotiation: PublishNegotiation,
    sink: PublishSink,
    onEnd: (session: PublishSession) => void,
  ) {
    this.id = request.id
    this.#request = request
    this.#negotiation = negotiation
    this.#sink = sink
    this.#outbox = sessionOutbox(negotiation.sections, (packet) => this.#transport?.send(packet))
    this.#downlink = new DownlinkWatch(this.#outbox)
    this.#onEnd = onEnd
    this.#nextTrackId = negotiation.media.length + 1
    this.#transportCcId = negotiation.extensions.transportCc ?? 0
    this.lines = negotiation.media.map((media, index) => new IncomingLine(media, index + 1, this.#lineContext()))
    const encodings = this.lines.flatMap((line) => line.encodings)
    this.#demux = new Demux(encodings, negotiation.extensions)
    this.#feedback = publishFeedback(negotiation, request.maxBitrateBps, this.#outbox)
  }

  /** The transport is there: from now on there is an answer. */
  attach(local: LocalTransport): void {
    this.#transport = local.transport
    this.answer = writeAnswer(this.#negotiation.sections, local, { maxBitrateBps: this.#request.maxBitrateBps })
    if (this.#isOver) local.transport.close()
  }

  addCandidates(candidates: readonly string[]): void {
    for (const candidate of candidates) this.#transport?.addCandidate(candidate)
  }

  requestKeyframe(trackId?: number): void {
    const nowMs = performance.now()
    for (const line of this.lines) {
      if (trackId === undefined || line.hasTrack(trackId)) line.requestKeyframe(nowMs)
    }
    this.#outbox.flush()
  }

  finish(): void {
    this.#finish({ reason: 'finished' })
  }

  close(): void {
    this.#finish(undefined)
  }

  /** For the transport. */
  onPacket(bytes: Uint8Array): void {
    if (this.#isOver) return
    try {
      const nowMs = performance.now()
      if (bytes.length < MIN_PACKET_BYTES || bytes[0] >> 6 !== 2) this.#malformed()
      else if (isRtcp(bytes)) this.#rtcp(bytes, nowMs)
      else this.#rtp(bytes, nowMs)
    } catch (error) {
      if (error instanceof MalformedError) this.#malformed()
      else this.#failed(error)
    }
  }

  /** For the transport. */
  onBatch(): void {
    if (this.#isOver) return
    this.#outbox.flush()
    this.#flushFrames()
  }

  /** For the transport. */
  onState(state: TransportState, fault?: TapedeckError): void {
    if (this.#isOver) return
    if (state === 'connected') {
      this.#deadlines.connected(performance.now())
      this.#meet('connected')
      this.#meet('tracks_published')
      this.#meet('subscribed')
    } else if (state === 'unreached') this.#deadlines.unreached()
    else if (fault !== undefined) this.#failed(fault)
    else if (state === 'closed') this.#finish(this.#deadlines.closed(performance.now()))
  }

  /** Every 20 to 50 ms. */
  tick(nowMs: number): void {
    if (this.#isOver) return
    try {
      for (const line of this.lines) line.tick(nowMs)
      this.#feedback.tick(nowMs)
      this.#downlink.tick(nowMs, this.#deadlines.lastHeardMs ?? 0)
      if (nowMs - this.#figuresAtMs >= FIGURES_INTERVAL_MS) this.#report(nowMs)
    } catch (error) {
      this.#failed(error)
      return
    }
    this.#outbox.flush()
    this.#flushFrames()
    const end = this.#deadlines.check(nowMs) ?? this.#downlink.check(nowMs)
    if (end !== undefined) this.#finish(end)
  }

  #rtp(bytes: Uint8Array, nowMs: number): void {
    const packet = new RtpPacket(bytes, nowMs)
    if (this.#transportCcId !== 0) {
      const sequence = packet.extension(this.#transportCcId)
      if (sequence?.length === 2) this.#feedback.packet((sequence[0] << 8) | sequence[1], nowMs, packet.ssrc)
    }
    if (!this.#demux.route(packet)) return
    this.#deadlines.heard(nowMs)
    this.#meet('first_rtp')
  }

  #rtcp(bytes: Uint8Array, nowMs: number): void {
    const packets = parseRtcp(bytes)
    this.#downlink.rtcp(packets, nowMs)
    for (const packet of packets) {
      // a goodbye says nothing of use: browsers let an SSRC rest with it, and what is missing may still be sent again
      if (packet.type !== 'sr') continue
      const encoding = this.#demux.encodingOf(packet.ssrc)
      if (encoding instanceof IncomingEncoding) encoding.senderReport(packet, nowMs)
      else this.#earlyReports.keep(packet, nowMs)
      this.#meet('feedback_seen')
    }
  }

  /** Receiver reports to the peer, figures to the sink. */
  #report(nowMs: number): void {
    this.#figuresAtMs = nowMs
    const streams = this.lines.flatMap((line) => line.encodings.flatMap(({ stream }) => stream ?? []))
    this.#feedback.ssrcs = streams.map(({ ssrc }) => ssrc)
    const blocks = streams.flatMap(({ receiver }) => receiver.reportBlock(nowMs) ?? [])
    if (this.#deadlines.isConnected) {
      this.#outbox.receiverReport(blocks)
      this.#downlink.say(nowMs)
    }
    const { rttMs } = this.#downlink
    if (rttMs !== undefined) for (const { receiver } of streams) receiver.rttMs = rttMs
    this.#sink.figures(this.#figures())
  }

  #figures(): SessionFigures {
    const { remote, rttMs: pairMs } = this.#transport?.stats ?? {}
    const { lastHeardMs } = this.#deadlines
    const rttMs = this.#downlink.rttMs ?? pairMs
    return publishFigures(this.lines, this.#demux.strays, { rttMs, lastHeardMs, remote })
  }

  /** Counts a packet that cannot be read. Who sends hardly anything else is no publisher, and costs more than one. */
  #malformed(): void {
    if (++this.#demux.strays.malformed > MAX_MALFORMED)
      this.#failed(new LimitError('packets that cannot be read', { limit: MAX_MALFORMED }))
  }

  #meet(line: ChecklistLine): void {
    if (this.#met.has(line)) return
    this.#met.add(line)
    this.#sink.met(line)
  }

  #frame(frame: Frame): void {
    this.#isUnflushed = true
    if (this.#met.size === CHECKLIST.length) {
      this.#sink.frame(frame)
      return
    }
    this.#meet('first_rtp')
    this.#sink.frame(frame)
    const isKey = frame.track.kind === 'video' || this.lines.every(({ media }) => media.kind === 'audio')
    if (isKey && frame.key) this.#meet('first_keyframe')
    this.#meet('frames_flowing')
  }

  #flushFrames(): void {
    if (!this.#isUnflushed) return
    this.#isUnflushed = false
    this.#sink.flush()
  }

  #failed(error: unknown): void {
    const code = error instanceof TapedeckError ? error.code : 'TD_INTERNAL'
    this.#finish({ reason: 'failed', code, message: error instanceof Error ? error.message : String(error) })
  }

  /** Gives out what is held, and says the end where there is one to say. */
  #finish(end: SessionEnd | undefined): void {
    if (this.#isOver) return
    this.#isOver = true
    try {
      for (const line of this.lines) line.finish()
    } catch {
      // it ends anyway
    }
    this.#arena.close()
    try {
      this.#flushFrames()
      if (end !== undefined) {
        this.#sink.figures(this.#figures())
        this.#sink.end(end)
      }
    } finally {
      this.#onEnd(this)
      this.#transport?.close()
    }
  }

  #lineContext() {
    return {
      outbox: this.#outbox,
      clock: this.#clock,
      arena: this.#arena,
      jitterBudgetMs: this.#request.jitterBudgetMs,
      earlyReports: this.#earlyReports,
      onBegin: () => {
        this.#figuresAtMs = 0 // it is to be known at once what comes
      },
      layers: this.#request.layers,
      nextTrackId: () => (this.#nextTrackId > MAX_TRACKS ? undefined : this.#nextTrackId++),
      sink: {
        track: (track: Track) => this.#sink.track(track),
        frame: (frame: Frame) => this.#frame(frame),
        loss: (loss: MediaLoss) => this.#sink.loss(loss),
      },
    }
  }
}
