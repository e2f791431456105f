import type { MediaLoss } from '../media/source-report.ts'
import type { AccessUnit } from '../rtp/access-unit.ts'
import type { MediaClock, TrackClock } from '../rtp/media-clock.ts'
import type { RtpPacket } from '../rtp/packet.ts'
import type { SenderReport } from '../rtp/rtcp.ts'
import type { RtcpOutbox } from '../rtp/rtcp-outbox.ts'
import type { RtpReceiverFigures } from '../rtp/rtp-receiver.ts'
import type { DemuxEncoding } from './demux.ts'
import type { EarlyReports } from './early-reports.ts'
import { IncomingStream, type IncomingStreamSink } from './incoming-stream.ts'
import type { ChosenFormat } from './sdp/codec-choice.ts'
import type { IncomingMedia } from './sdp/negotiation.ts'

/** What the encodings of a session share. */
export interface IncomingContext {
  readonly outbox: RtcpOutbox
  readonly clock: MediaClock
  readonly jitterBudgetMs: number
  readonly earlyReports: EarlyReports
  /** The first packet of an SSRC came. */
  onBegin(): void
}

/** Where the units of an encoding go. */
export interface IncomingEncodingSink {
  unit(encoding: IncomingEncoding, format: ChosenFormat, unit: AccessUnit, pts: number): void
  loss(encoding: IncomingEncoding, loss: Omit<MediaLoss, 'trackId'>): void
}

/** What was counted of an encoding, over all the SSRCs that it had. */
export interface EncodingFigures {
  packets: number
  packetsLost: number
  packetsRecovered: number
  packetsDuplicate: number
  packetsLate: number
  nacks: number
  rtx: number
  plis: number
  firs: number
  damagedFrames: number
  undecodableFrames: number
  notNegotiated: number
  malformed: number
}

/** What is measured of packets as they come, as last known. */
export type ReceptionMeasures = Pick<RtpReceiverFigures, 'jitterMs' | 'bitrateBps' | 'rttMs'>

/** One layer of one m-line. Its SSRC may change: it goes on as the same encoding. */
export class IncomingEncoding implements DemuxEncoding, IncomingStreamSink {
  readonly media: IncomingMedia
  readonly rid: string | undefined
  /** Of the layers of its m-line. */
  readonly index: number
  readonly #context: IncomingContext
  readonly #trackClocks: Map<number, TrackClock>
  readonly #sink: IncomingEncodingSink
  readonly #past = noFigures()
  #pastMeasures: ReceptionMeasures = { jitterMs: 0, bitrateBps: 0, rttMs: undefined }
  #stream: IncomingStream | undefined

  constructor(
    media: IncomingMedia,
    index: number,
    context: IncomingContext,
    trackClocks: Map<number, TrackClock>,
    sink: IncomingEncodingSink,
  ) {
    this.media = media
    this.index = index
    this.rid = media.rids[index]
    this.#context = context
    this.#trackClocks = trackClocks
    this.#sink = sink
  }

  /** Its SSRC now; undefined before the first packet. */
  get stream(): IncomingStream | undefined {
    return this.#stream
  }

  begin(ssrc: number): void {
    this.#leave()
    this.#stream = new IncomingStream({
      ...this.#context,
      ssrc,
      media: this.media,
      trackClocks: this.#trackClocks,
      sink: this,
    })
    this.#context.onBegin()
    const early = this.#context.earlyReports.take(ssrc)
    if (early !== undefined) this.#stream.senderReport(early.report, early.arrivalMs)
  }

  receive(packet: RtpPacket): void {
    this.#stream?.receive(packet)
  }

  senderReport(report: SenderReport, arrivalMs: number): void {
    if (this.#stream?.ssrc === report.ssrc) this.#stream.senderReport(report, arrivalMs)
  }

  tick(nowMs: number): void {
    this.#stream?.tick(nowMs)
  }

  requestKeyframe(nowMs: number): void {
    this.#stream?.requestKeyframe(nowMs)
  }

  unit(format: ChosenFormat, unit: AccessUnit, pts: number): void {
    this.#sink.unit(this, format, unit, pts)
  }

  loss(loss: Omit<MediaLoss, 'trackId'>): void {
    this.#sink.loss(this, loss)
  }

  /** Over all. */
  figures(): EncodingFigures {
    const figures = { ...this.#past }
    if (this.#stream !== undefined) addStream(figures, this.#stream)
    return figures
  }

  get measures(): ReceptionMeasures {
    return this.#stream?.receiver.figures() ?? this.#pastMeasures
  }

  /** Gives out what is held. */
  finish(): void {
    this.#leave()
    this.#stream = undefined
  }

  #leave(): void {
    if (this.#stream === undefined) return
    this.#stream.finish()
    this.#pastMeasures = this.#stream.receiver.figures()
    addStream(this.#past, this.#stream)
  }
}

/** Adds up what was counted of several encodings. */
export function sumFigures(all: readonly EncodingFigures[]): EncodingFigures {
  const sum = noFigures()
  for (const figures of all) add(sum, figures)
  return sum
}

function addStream(sum: EncodingFigures, stream: IncomingStream): void {
  const received = stream.receiver.figures()
  const { malformedPayloads, ...counts } = stream.counts()
  const { packets, packetsLost, packetsRecovered, packetsDuplicate, packetsLate, packetsStray, nacks, rtx } = received
  add(sum, {
    ...{ packets, packetsLost, packetsRecovered, packetsDuplicate, packetsLate, nacks, rtx },
    ...counts,
    malformed: malformedPayloads + packetsStray,
  })
}

function add(sum: EncodingFigures, more: EncodingFigures): void {
  sum.packets += more.packets
  sum.packetsLost += more.packetsLost
  sum.packetsRecovered += more.packetsRecovered
  sum.packetsDuplicate += more.packetsDuplicate
  sum.packetsLate += more.packetsLate
  sum.nacks += more.nacks
  sum.rtx += more.rtx
  sum.plis += more.plis
  sum.firs += more.firs
  sum.damagedFrames += more.damagedFrames
  sum.undecodableFrames += more.undecodableFrames
  sum.notNegotiated += more.notNegotiated
  sum.malformed += more.malformed
}

function noFigures(): EncodingFigures {
  return {
    ...{ packets: 0, packetsLost: 0, packetsRecovered: 0, packetsDuplicate: 0, packetsLate: 0, nacks: 0, rtx: 0 },
    ...{ plis: 0, firs: 0, damagedFrames: 0, undecodableFrames: 0, notNegotiated: 0, malformed: 0 },
  }
}
