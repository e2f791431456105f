import type { SourceTrackFigures } from '../media/source-report.ts'
import { HeldStart } from './held-start.ts'
import { JitterBuffer } from './jitter-buffer.ts'
import type { RtpPacket } from './packet.ts'
import type { PacketSink } from './packet-sink.ts'
import { ReceptionStatistics } from './reception-statistics.ts'
import { RestartWatch } from './restart-watch.ts'
import type { ReportBlock, SenderReport } from './rtcp.ts'
import type { RtcpOutbox } from './rtcp-outbox.ts'
import { unwrapRtx } from './rtx.ts'

/** How one encoding is received. */
export interface RtpReceiverOptions {
  readonly ssrc: number
  readonly clockRateHz: number
  /** Retransmission payload types → those of what they repeat (RFC 4588 §8.6 `apt`). */
  readonly rtxPayloadTypes?: ReadonlyMap<number, number>
  /** Whether lost packets are asked for again. A peer that never answers is found out. */
  readonly nack: boolean
  /** How long a hole is waited for, ms; 1000 by default. */
  readonly jitterBudgetMs?: number
  /** Whether nothing before this packet is of use; without, the first packet to come is the first of all. */
  readonly isBeginning?: (packet: RtpPacket) => boolean
  readonly outbox: RtcpOutbox
  readonly sink: PacketSink
}

/** The part of a track's figures that its receivers know. `bytes` and `packets` are of media, each packet once. */
export type RtpReceiverFigures = Pick<
  SourceTrackFigures,
  | 'bytes'
  | 'packets'
  | 'packetsLost'
  | 'packetsRecovered'
  | 'packetsDuplicate'
  | 'packetsLate'
  | 'lossRate'
  | 'nacks'
  | 'rtx'
  | 'jitterMs'
  | 'bitrateBps'
> & {
  /** Restarts of the sequence numbers. */
  readonly resets: number
  /** Whose numbers fit no others, so that they seemed to be of a restart which never was: left out. */
  readonly packetsStray: number
  /** Round trip by how soon retransmissions come, ms; undefined before the first. */
  readonly rttMs: number | undefined
}

const DEFAULT_BUDGET_MS = 1000
const NO_RTX = 255

/**
 * Receives one encoding: one SSRC and the SSRC of its retransmissions. Packets go on in order, each once; what is missing is asked
 * for and waited for up to the budget, then given up. Nothing waits while nothing is missing. No timers: `tick` every 20 to 50 ms.
 */
export class RtpReceiver {
  readonly ssrc: number
  readonly #outbox: RtcpOutbox
  readonly #sink: PacketSink
  /** By payload type: what it repeats. */
  readonly #repeats = new Uint8Array(128).fill(NO_RTX)
  readonly #buffer: JitterBuffer
  readonly #statistics: ReceptionStatistics
  readonly #restarts: RestartWatch
  readonly #asks: boolean
  /** Until the first packet has gone on. */
  #start: HeldStart | undefined
  #newest: RtpPacket | undefined
  #rtx = 0
  #resets = 0
  #stray = 0
  /** Numbers before the first packet that were asked for. */
  #askedBefore = 0

  constructor(options: RtpReceiverOptions) {
    this.ssrc = options.ssrc
    this.#restarts = new RestartWatch(options.clockRateHz)
    this.#outbox = options.outbox
    this.#sink = options.sink
    const budgetMs = options.jitterBudgetMs ?? DEFAULT_BUDGET_MS
    this.#buffer = new JitterBuffer({ sink: options.sink, budgetMs, asks: options.nack })
    this.#statistics = new ReceptionStatistics(options.ssrc, options.clockRateHz)
    this.#asks = options.nack
    if (options.isBeginning !== undefined) this.#start = new HeldStart(options.isBeginning)
    for (const [rtx, original] of options.rtxPayloadTypes ?? []) this.#repeats[rtx & 0x7f] = original & 0x7f
  }

  /** A packet of the SSRC or of its retransmissions, told apart by payload type. Throws only what the sink throws. */
  receive(packet: RtpPacket): void {
    const original = this.#repeats[packet.payloadType]
    if (original !== NO_RTX) this.#retransmission(packet, original)
    else this.#media(packet)
  }

  /** A sender report of the SSRC. */
  senderReport(report: SenderReport, arrivalMs: number): void {
    this.#statistics.senderReport(report, arrivalMs)
  }

  /** Round trip to the sender, ms, where it is known: paces requests. Otherwise it is learned from retransmissions. */
  set rttMs(rttMs: number) {
    this.#buffer.missing.rttMs = rttMs
  }

  /** Of the payload type that comes now. */
  set clockRateHz(clockRateHz: number) {
    this.#statistics.clockRateHz = this.#restarts.clockRateHz = clockRateHz
  }

  /** Asks again, gives up. `nowMs` as `RtpPacket.arrivalMs`. */
  tick(nowMs: number): void {
    const buffer = this.#buffer
    if (this.#start !== undefined) this.#await(this.#start, nowMs)
    this.#statistics.measureBitrate(buffer.bytes, nowMs)
    buffer.missing.fade()
    buffer.settle(nowMs)
    if (buffer.missing.count > 0) this.#attend(nowMs)
  }

  /** For the next receiver report, whose interval ends with it; undefined before the first packet. */
  reportBlock(nowMs: number): ReportBlock | undefined {
    if (this.#buffer.isEmpty) return undefined
    const { first, highest } = this.#buffer.range
    return this.#statistics.block(first, highest, nowMs)
  }

  figures(): RtpReceiverFigures {
    const { bytes, packets, lost, recovered, duplicate, late, missing } = this.#buffer
    const expected = packets + lost
    return {
      bytes,
      packets: packets + (this.#start?.count ?? 0),
      packetsLost: lost,
      packetsRecovered: recovered,
      packetsDuplicate: duplicate,
      packetsLate: late,
      lossRate: expected === 0 ? 0 : lost / expected,
      nacks: this.#askedBefore + missing.nacks,
      rtx: this.#rtx,
      jitterMs: this.#statistics.jitterMs,
      bitrateBps: this.#statistics.bitrateBps,
      resets: this.#resets,
      packetsStray: this.#stray,
      rttMs: missing.measuredRttMs,
    }
  }

  /** The end: gives out what is held, with its holes. */
  flush(): void {
    if (this.#start !== undefined) this.#begin(this.#start)
    this.#buffer.flush()
  }

  #await(start: HeldStart, nowMs: number): void {
    if (start.isDue(nowMs)) {
      this.#begin(start)
      return
    }
    const asked = this.#asks ? start.ask() : []
    if (asked.length === 0) return
    this.#askedBefore += asked.length
    this.#outbox.nack(this.ssrc, asked)
  }

  #begin(start: HeldStart): void {
    this.#start = undefined
    for (const packet of start.inOrder()) this.#media(packet)
  }

  #media(packet: RtpPacket): void {
    if (this.#start !== undefined) {
      this.#start.add(packet)
      this.#await(this.#start, packet.arrivalMs)
      return
    }
    const sequence = this.#buffer.extend(packet.sequenceNumber)
    if (!this.#buffer.isInLine(sequence) || this.#newest === undefined) {
      this.#outOfLine(packet, sequence)
      return
    }
    this.#newest = packet
    this.#statistics.arrived(packet)
    this.#buffer.pass(packet, sequence)
  }

  /** What was not asked for only probes the network: no retransmission, no duplicate, and nothing to lead the way. */
  #retransmission(packet: RtpPacket, payloadType: number): void {
    const original = unwrapRtx(packet, payloadType, this.ssrc)
    if (original === undefined) return
    if (this.#start?.isAsking) {
      this.#rtx++
      this.#media(original)
    } else if (!this.#buffer.isEmpty && this.#buffer.repeat(original, this.#buffer.extend(original.sequenceNumber))) {
      this.#rtx++
    }
  }

  #outOfLine(packet: RtpPacket, sequence: number): void {
    const buffer = this.#buffer
    const newest = this.#newest
    if (newest === undefined) this.#enter(packet)
    else if (this.#restarts.isSuspect(packet, newest, sequence - buffer.highest, buffer.behind(sequence)))
      this.#restart(packet)
    else {
      this.#restarts.clear()
      if (sequence > buffer.highest) this.#lead(packet, sequence, newest.arrivalMs)
      else {
        this.#statistics.received()
        buffer.follow(packet, sequence)
      }
      if (buffer.missing.count > 0) this.#attend(packet.arrivalMs)
    }
  }

  /** The first of all. */
  #enter(packet: RtpPacket): void {
    this.#newest = packet
    this.#statistics.arrived(packet)
    this.#buffer.begin(packet)
  }

  #lead(packet: RtpPacket, sequence: number, beforeMs: number): void {
    this.#newest = packet
    this.#statistics.arrived(packet)
    this.#buffer.lead(packet, sequence, beforeMs)
  }

  #attend(nowMs: number): void {
    const due = this.#buffer.attend(nowMs)
    if (due.length > 0) this.#outbox.nack(this.ssrc, due)
  }

  /** Believed when the next packet follows it; a suspect that stays alone is left out. */
  #restart(packet: RtpPacket): void {
    const first = this.#restarts.confirm(packet)
    this.#stray++
    if (first === undefined) return
    this.#stray -= 2
    this.flush()
    const { first: from, highest } = this.#buffer.range
    this.#statistics.restart(highest - from + 1)
    this.#resets++
    this.#sink.lost(1) // how many is not known
    this.#enter(first)
    this.#media(packet)
  }
}
