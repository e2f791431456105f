import { ArrivalWatch } from './arrival-watch.ts'
import { type ForwardRun, ForwardRuns } from './forward-run.ts'
import type { ForwardPacket, ForwardSource, ForwardTarget } from './forward-source.ts'
import { ntpMs, roundTripMs } from './ntp.ts'
import type { RtcpPacket } from './rtcp.ts'
import type { RtcpOutbox } from './rtcp-outbox.ts'
import { RtpWriter } from './rtp-writer.ts'
import { sequenceDelta } from './sequence.ts'
import { Vp8Continuity } from './vp8-continuity.ts'

/** One stream to one watcher. */
export interface RtpForwarderOptions {
  readonly ssrc: number
  /** Payload types of the publisher → those of the watcher; packets of others are left out. */
  readonly payloadTypes: ReadonlyMap<number, number>
  /** When negotiated: the watcher's payload types → its retransmission payload types, and the SSRC for them. */
  readonly rtx?: { readonly ssrc: number; readonly payloadTypes: ReadonlyMap<number, number> }
  /** Header extension identifiers of the publisher → of the watcher (1 to 14); others are left out. */
  readonly extensions: ReadonlyMap<number, number>
  /** The watcher's `mid` with its extension identifier, when it is to be sent. */
  readonly mid?: { readonly extensionId: number; readonly value: string }
  /** Speaks to the watcher. */
  readonly outbox: RtcpOutbox
  /** To be taken at once: the bytes are used again. */
  send(packet: Uint8Array): void
}

/** What was sent to a watcher. */
export interface RtpForwarderFigures {
  readonly packets: number
  readonly bytes: number
  readonly retransmitted: number
  /** Asked for, but no longer there. */
  readonly notFound: number
  readonly keyframeRequests: number
  readonly lossRate: number
  readonly rttMs: number | undefined
}

const SENDER_REPORT_INTERVAL_MS = 1000
/** Retransmissions between two ticks. */
const MAX_RETRANSMISSIONS = 128
/** The same packet is not sent again sooner, ms. */
const RETRANSMISSION_INTERVAL_MS = 30
/** A power of two. */
const RETRANSMISSION_MEMORY = 1024
const KEYFRAME_INTERVAL_MS = 300
/** From one source to the next time goes on by so much at least. */
const MIN_STEP_MS = 1
const NO_VP8 = { pictureId: 0, tl0: 0 }
/** One for all: each packet is sent before the next is written. */
const writer = new RtpWriter()

/** One stream to one watcher: rewrites what differs between publisher, layers and watcher; answers NACK. */
export class RtpForwarder implements ForwardTarget {
  readonly ssrc: number
  /** Whether what is sent arrives. */
  readonly arrivals = new ArrivalWatch()
  readonly #options: RtpForwarderOptions
  readonly #extensions: readonly { readonly from: number; readonly to: number }[]
  readonly #mid: Uint8Array | undefined
  readonly #runs = new ForwardRuns()
  readonly #vp8 = new Vp8Continuity()
  /** Extended; the next one. */
  #nextSequence = 0x10000 + Math.floor(Math.random() * 0x8000)
  #addTicks = Math.floor(Math.random() * 0x80000000)
  #rtxSequence = Math.floor(Math.random() * 0x8000)
  #pending: ForwardSource | undefined
  /** Of the last packet: its time to the watcher, and when it came. */
  #lastTicks = Number.NaN
  #lastArrivalMs = 0
  #retransmittedAtMs: Float64Array | undefined
  #retransmissionsLeft = MAX_RETRANSMISSIONS
  #reportAtMs = Number.NEGATIVE_INFINITY
  #keyframeAskedAtMs = Number.NEGATIVE_INFINITY
  #packets = 0
  #bytes = 0
  #retransmitted = 0
  #notFound = 0
  #keyframeRequests = 0
  #lossRate = 0
  #rttMs: number | undefined

  constructor(options: RtpForwarderOptions) {
    this.ssrc = options.ssrc
    this.#options = options
    this.#extensions = Array.from(options.extensions, ([from, to]) => ({ from, to }))
    this.#mid = options.mid === undefined ? undefined : new TextEncoder().encode(options.mid.value)
  }

  /** Forwards this one from its next keyframe on, which is asked for; the one before goes on until then. Undefined: stops. */
  switchTo(source: ForwardSource | undefined): void {
    const current = this.#runs.current?.source
    if (this.#pending !== current) this.#pending?.remove(this)
    this.#pending = undefined
    if (source === current && source !== undefined) return
    if (source === undefined) {
      current?.remove(this)
      this.#runs.clear()
      return
    }
    this.#pending = source
    source.add(this)
    if (source.codec !== 'audio') source.requestKeyframe()
  }

  /** By sources. */
  forward(source: ForwardSource, kept: ForwardPacket): void {
    const payloadType = this.#options.payloadTypes.get(kept.packet.payloadType)
    if (source === this.#pending && payloadType !== undefined && source.beginsKeyframe(kept.packet))
      this.#begin(source, kept)
    const run = this.#runs.current
    if (run === undefined || run.source !== source) return
    if (payloadType === undefined) {
      this.#runs.push({ ...run, first: this.#nextSequence, addSequence: this.#nextSequence - kept.index - 1 })
      return
    }
    const sequence = kept.index + run.addSequence
    this.#nextSequence = sequence + 1
    this.#lastTicks = kept.ticks + run.addTicks
    this.#lastArrivalMs = kept.packet.arrivalMs
    this.#write(kept, run, { payloadType, ssrc: this.ssrc, sequence, original: undefined, isNew: true })
    this.#packets++
    this.#bytes += kept.packet.payload.length
  }

  /** What the watcher says by RTCP; only what concerns this stream is taken. */
  rtcp(packet: RtcpPacket, nowMs: number): void {
    if (packet.type === 'nack' && packet.mediaSsrc === this.ssrc) {
      for (const sequence of packet.sequences) this.#retransmit(sequence, nowMs)
    } else if (packet.type === 'pli' && packet.mediaSsrc === this.ssrc) this.#askKeyframe(nowMs)
    else if (packet.type === 'fir' && packet.requests.some(({ ssrc }) => ssrc === this.ssrc)) this.#askKeyframe(nowMs)
    else if (packet.type === 'rr' || packet.type === 'sr') {
      for (const block of packet.blocks) {
        if (block.ssrc !== this.ssrc) continue
        this.#lossRate = block.fractionLost / 256
        this.arrivals.report(block.highestSequence, this.#packets, nowMs)
        this.#rttMs = roundTripMs(block.lastSr, block.delaySinceLastSr, nowMs) ?? this.#rttMs
      }
    }
  }

  /** Sender reports. `nowMs` as `RtpPacket.arrivalMs`. */
  tick(nowMs: number): void {
    this.#retransmissionsLeft = MAX_RETRANSMISSIONS
    const run = this.#runs.current
    if (run === undefined || this.#packets === 0 || nowMs - this.#reportAtMs < SENDER_REPORT_INTERVAL_MS) return
    this.#reportAtMs = nowMs
    const ticks = (run.source.mediaClock.atMs(nowMs) * run.source.clockRateHz) / 1000
    this.#options.outbox.senderReport({
      ssrc: this.ssrc,
      ntpMs: ntpMs(nowMs),
      timestamp: Math.round(ticks) + run.addTicks,
      packets: this.#packets,
      octets: this.#bytes,
    })
  }

  figures(): RtpForwarderFigures {
    return {
      packets: this.#packets,
      bytes: this.#bytes,
      retransmitted: this.#retransmitted,
      notFound: this.#notFound,
      keyframeRequests: this.#keyframeRequests,
      lossRate: this.#lossRate,
      rttMs: this.#rttMs,
    }
  }

  /** Leaves its source. Idempotent. */
  close(): void {
    this.switchTo(undefined)
  }

  /** The pending source has a keyframe: it goes on where the one before left off. */
  #begin(source: ForwardSource, { packet, index, ticks }: ForwardPacket): void {
    const before = this.#runs.current
    this.#pending = undefined
    if (before !== undefined && before.source !== source) before.source.remove(this)
    let addTicks = this.#addTicks
    if (!Number.isNaN(this.#lastTicks)) {
      if (before?.source.mediaClock !== source.mediaClock) {
        // Another participant's clock, or the same one's after it came back: only arrival connects them.
        const elapsedTicks = ((packet.arrivalMs - this.#lastArrivalMs) * source.clockRateHz) / 1000
        this.#addTicks = addTicks = Math.round(this.#lastTicks + elapsedTicks) - ticks
      }
      addTicks = Math.max(addTicks, this.#lastTicks + Math.ceil((MIN_STEP_MS * source.clockRateHz) / 1000) - ticks)
    }
    const addVp8 = source.codec === 'vp8' ? this.#vp8.begin(packet.payload) : NO_VP8
    this.#runs.push({ source, first: this.#nextSequence, addSequence: this.#nextSequence - index, addTicks, addVp8 })
  }

  #write(
    { packet, ticks }: ForwardPacket,
    run: ForwardRun,
    as: { payloadType: number; ssrc: number; sequence: number; original: number | undefined; isNew: boolean },
  ): void {
    writer.begin({
      payloadType: as.payloadType,
      marker: packet.marker,
      sequenceNumber: as.sequence,
      timestamp: (ticks + run.addTicks) % 2 ** 32,
      ssrc: as.ssrc,
    })
    for (const extension of this.#extensions) {
      const value = packet.extension(extension.from)
      if (value !== undefined) writer.extension(extension.to, value)
    }
    if (this.#mid !== undefined && this.#options.mid !== undefined)
      writer.extension(this.#options.mid.extensionId, this.#mid)
    const written = writer.finish(packet.payload, as.original)
    if (written === undefined) return
    if (run.source.codec === 'vp8') {
      this.#vp8.rewrite(written, written.length - packet.payload.length, run.addVp8, as.isNew)
    }
    this.#options.send(written)
  }

  #retransmit(sequenceNumber: number, nowMs: number): void {
    const sequence = this.#nextSequence + sequenceDelta(this.#nextSequence & 0xffff, sequenceNumber)
    if (sequence >= this.#nextSequence || this.#retransmissionsLeft <= 0) return
    const run = this.#runs.of(sequence)
    const kept = run?.source.at(sequence - run.addSequence)
    const payloadType = kept === undefined ? undefined : this.#options.payloadTypes.get(kept.packet.payloadType)
    if (run === undefined || kept === undefined || payloadType === undefined) {
      this.#notFound++
      return
    }
    const sentAtMs = (this.#retransmittedAtMs ??= new Float64Array(RETRANSMISSION_MEMORY).fill(
      -RETRANSMISSION_INTERVAL_MS,
    ))
    const slot = sequence & (RETRANSMISSION_MEMORY - 1)
    if (nowMs - sentAtMs[slot] < RETRANSMISSION_INTERVAL_MS) return
    sentAtMs[slot] = nowMs
    this.#retransmissionsLeft--
    this.#retransmitted++
    const rtx = this.#options.rtx
    const rtxPayloadType = rtx?.payloadTypes.get(payloadType)
    if (rtx === undefined || rtxPayloadType === undefined) {
      this.#write(kept, run, { payloadType, ssrc: this.ssrc, sequence, original: undefined, isNew: false })
    } else {
      const as = {
        payloadType: rtxPayloadType,
        ssrc: rtx.ssrc,
        sequence: this.#rtxSequence++,
        original: sequence & 0xffff,
        isNew: false,
      }
      this.#write(kept, run, as)
    }
  }

  #askKeyframe(nowMs: number): void {
    this.#keyframeRequests++
    if (nowMs - this.#keyframeAskedAtMs < KEYFRAME_INTERVAL_MS) return
    this.#keyframeAskedAtMs = nowMs
    const source = this.#pending ?? this.#runs.current?.source
    if (source !== undefined && source.codec !== 'audio') source.requestKeyframe()
  }
}
