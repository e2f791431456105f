import type { MediaLoss } from '../media/source-report.ts'
import type { AccessUnit } from '../rtp/access-unit.ts'

import { depacketizerFor } from '../rtp/depacketize/depacketizer-for.ts'
import type { Depacketizer, RtpFormat } from '../rtp/depacketizer.ts'
import { ForwardSource } from '../rtp/forward-source.ts'
import { FrameGate, type FrameGateSink } from '../rtp/frame-gate.ts'
import { KeyframeRequester } from '../rtp/keyframe-requester.ts'
import { beginsStream } from '../rtp/keyframe-start.ts'
import type { EncodingClock, MediaClock, TrackClock } from '../rtp/media-clock.ts'
import { readNtpMs } from '../rtp/ntp.ts'
import type { RtpPacket } from '../rtp/packet.ts'
import type { PacketSink } from '../rtp/packet-sink.ts'
import type { SenderReport } from '../rtp/rtcp.ts'
import type { RtcpOutbox } from '../rtp/rtcp-outbox.ts'
import { RtpReceiver } from '../rtp/rtp-receiver.ts'
import type { ChosenFormat } from './sdp/codec-choice.ts'
import type { IncomingMedia } from './sdp/negotiation.ts'

/** Where the units of a stream go. */
export interface IncomingStreamSink {
  /** `pts` in ticks of the format's clock rate, on the participant's clock. */
  unit(format: ChosenFormat, unit: AccessUnit, pts: number): void
  loss(loss: Omit<MediaLoss, 'trackId'>): void
}

/** How one SSRC is received. */
export interface IncomingStreamOptions {
  readonly ssrc: number
  readonly media: IncomingMedia
  readonly outbox: RtcpOutbox
  readonly jitterBudgetMs: number
  readonly clock: MediaClock
  /** The track's clocks, by clock rate; shared by all streams of it. */
  readonly trackClocks: Map<number, TrackClock>
  readonly sink: IncomingStreamSink
}

/** Everything that is counted of a stream. */
export interface IncomingStreamCounts {
  readonly damagedFrames: number
  readonly undecodableFrames: number
  readonly malformedPayloads: number
  /** Packets of payload types that the m-line does not have. */
  readonly notNegotiated: number
  readonly plis: number
  readonly firs: number
}

/** One SSRC: from packets in any order to units that can be decoded, each with its time. */
export class IncomingStream implements PacketSink, FrameGateSink {
  readonly ssrc: number
  readonly receiver: RtpReceiver
  readonly #options: IncomingStreamOptions
  readonly #requester: KeyframeRequester
  /** Of the header extension; 0 where it was not agreed upon. */
  readonly #captureTimeId: number
  #format: ChosenFormat | undefined
  #payloadType = -1
  #depacketizer: Depacketizer | undefined
  #gate: FrameGate | undefined
  #encodingClock: EncodingClock | undefined
  #source: ForwardSource | undefined
  #report: SenderReport | undefined
  #notNegotiated = 0
  #isEnding = false
  #past = { damagedFrames: 0, undecodableFrames: 0, malformedPayloads: 0 }
  /** Of the last packet, ms. */
  lastPacketMs = 0

  constructor(options: IncomingStreamOptions) {
    const { ssrc, media, outbox, jitterBudgetMs } = options
    const has = (feedback: string) => media.formats.some((format) => format.feedback.has(feedback))
    this.#options = options
    this.ssrc = ssrc
    this.#captureTimeId = media.extensions.absCaptureTime ?? 0
    this.#requester = new KeyframeRequester({ ssrc, outbox, pli: has('nack pli'), fir: has('ccm fir') })
    this.receiver = new RtpReceiver({
      ssrc,
      outbox,
      jitterBudgetMs,
      ...(media.kind === 'audio' ? {} : { isBeginning: (packet) => this.#isBeginning(packet) }),
      clockRateHz: media.formats[0].clockRateHz,
      rtxPayloadTypes: rtxPayloadTypes(media),
      // browsers send sound again, too, though they do not offer it; who does not is noticed
      nack: has('nack') || media.kind === 'audio',
      sink: this,
    })
  }

  /** What is forwarded of it; made when it is first asked for, undefined before the first packet. */
  get source(): ForwardSource | undefined {
    const format = this.#format
    const encodingClock = this.#encodingClock
    if (this.#source !== undefined || format === undefined || encodingClock === undefined) return this.#source
    const { clock: mediaClock } = this.#options
    this.#source = new ForwardSource({
      codec: forwardCodec(format.codec),
      mediaClock,
      encodingClock,
      clockRateHz: format.clockRateHz,
      requestKeyframe: () => this.requestKeyframe(performance.now()),
    })
    return this.#source
  }

  get format(): ChosenFormat | undefined {
    return this.#format
  }

  receive(packet: RtpPacket): void {
    this.lastPacketMs = packet.arrivalMs
    this.receiver.receive(packet)
  }

  senderReport(report: SenderReport, arrivalMs: number): void {
    this.#report = report
    this.receiver.senderReport(report, arrivalMs)
    this.#encodingClock?.reference(report.ntpMs, report.timestamp)
  }

  tick(nowMs: number): void {
    this.receiver.tick(nowMs)
    this.#requester.tick(nowMs)
  }

  requestKeyframe(nowMs: number): void {
    if (this.#options.media.kind === 'audio') return
    this.#requester.request(nowMs)
  }

  counts(): IncomingStreamCounts {
    const { plis, firs } = this.#requester
    const gate = this.#gate
    return {
      damagedFrames: this.#past.damagedFrames + (gate?.damagedFrames ?? 0),
      undecodableFrames: this.#past.undecodableFrames + (gate?.undecodableFrames ?? 0),
      malformedPayloads: this.#past.malformedPayloads + (this.#depacketizer?.malformed ?? 0),
      notNegotiated: this.#notNegotiated,
      plis,
      firs,
    }
  }

  /** Gives out what is held. Nothing is to follow. */
  finish(): void {
    this.#isEnding = true
    this.receiver.flush()
    this.#leaveFormat()
  }

  /** For the receiver: in order. */
  packet(packet: RtpPacket): void {
    if (packet.payloadType !== this.#payloadType && !this.#enterPayloadType(packet.payloadType)) return
    if (this.#captureTimeId !== 0) this.#captureTime(packet)
    this.#depacketizer?.packet(packet)
    this.#source?.packet(packet)
  }

  /** For the receiver. */
  lost(count: number): void {
    this.#depacketizer?.lost(count)
    this.#source?.lost(count)
  }

  /** For the gate. */
  unit(unit: AccessUnit): void {
    const format = this.#format
    const clock = this.#encodingClock
    if (format === undefined || clock === undefined) return
    if (unit.key) this.#requester.satisfied()
    this.#options.sink.unit(format, unit, clock.timeOf(unit.timestamp, unit.arrivalMs))
  }

  /** For the gate. */
  loss(loss: Omit<MediaLoss, 'trackId'>): void {
    this.#options.sink.loss(loss)
  }

  /** For the gate. */
  keyframeNeeded(): void {
    if (!this.#isEnding) this.requestKeyframe(performance.now())
  }

  /** Another payload type: the same codec goes on as it was, another one begins anew. False when it was not negotiated. */
  #enterPayloadType(payloadType: number): boolean {
    const format = this.#formatOf(payloadType)
    if (format === undefined) {
      this.#notNegotiated++
      return false
    }
    this.#payloadType = payloadType
    this.receiver.clockRateHz = format.clockRateHz
    const before = this.#format
    if (before?.codec === format.codec && before.clockRateHz === format.clockRateHz) return true
    this.#leaveFormat()
    this.#format = format
    this.#encodingClock = this.#trackClock(format.clockRateHz).encoding()
    if (this.#report !== undefined) this.#encodingClock.reference(this.#report.ntpMs, this.#report.timestamp)
    this.#gate = new FrameGate(this, { clockRateHz: format.clockRateHz })
    this.#depacketizer = depacketizerFor(this.#rtpFormat(format), this.#gate)
    return true
  }

  /** Before its frame goes on: it says what time that has. */
  #captureTime(packet: RtpPacket): void {
    const time = packet.extension(this.#captureTimeId)
    if (time !== undefined && time.length >= 8) this.#encodingClock?.reference(readNtpMs(time, 0), packet.timestamp)
  }

  #isBeginning({ payloadType, payload }: RtpPacket): boolean {
    const format = this.#formatOf(payloadType)
    return format !== undefined && beginsStream(forwardCodec(format.codec), payload)
  }

  #formatOf(payloadType: number): ChosenFormat | undefined {
    return this.#options.media.formats.find((candidate) => candidate.payloadType === payloadType)
  }

  #rtpFormat(format: ChosenFormat): RtpFormat {
    const { dependencyDescriptor } = this.#options.media.extensions
    return dependencyDescriptor === undefined ? format : { ...format, dependencyDescriptorId: dependencyDescriptor }
  }

  #trackClock(clockRateHz: number): TrackClock {
    const { trackClocks, clock } = this.#options
    const known = trackClocks.get(clockRateHz)
    if (known !== undefined) return known
    const fresh = clock.track(clockRateHz)
    trackClocks.set(clockRateHz, fresh)
    return fresh
  }

  #leaveFormat(): void {
    this.#depacketizer?.flush()
    this.#gate?.finish()
    const { damagedFrames, undecodableFrames, malformedPayloads } = this.counts()
    this.#past = { damagedFrames, undecodableFrames, malformedPayloads }
    this.#depacketizer = undefined
    this.#gate = undefined
    this.#source = undefined
  }
}

function rtxPayloadTypes(media: IncomingMedia): Map<number, number> {
  const types = new Map<number, number>()
  for (const { payloadType, rtxPayloadType } of media.formats)
    if (rtxPayloadType !== undefined) types.set(rtxPayloadType, payloadType)
  return types
}

function forwardCodec(codec: ChosenFormat['codec']): ForwardSource['codec'] {
  switch (codec) {
    case 'hevc':
      return 'h265'
    case 'h264':
    case 'vp8':
    case 'vp9':
    case 'av1':
      return codec
    default:
      return 'audio'
  }
}
