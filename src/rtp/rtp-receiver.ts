import type { SourceTrackFigures } from '../media/source-report.ts'
import { GivenUp } from './given-up.ts'
import { HeldStart } from './held-start.ts'
import { MissingPackets } from './missing-packets.ts'
import type { RtpPacket } from './packet.ts'
import { PacketRing } from './packet-ring.ts'
import type { PacketSink } from './packet-sink.ts'
import { ReceptionStatistics } from './reception-statistics.ts'
import { RestartWatch } from './restart-watch.ts'
import type { ReportBlock, SenderReport } from './rtcp.ts'
import type { RtcpOutbox } from './rtcp-outbox.ts'
import { unwrapRtx } from './rtx.ts'
import { sequenceDelta } from './sequence.ts'

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
/** A wider hole is not waited for: nobody keeps so much, and nothing before the next keyframe is worth it. */
const MAX_HOLE = 1000
const MAX_MISSING = 2000
/** What may be held behind a hole. */
const MAX_HELD_PACKETS = 8192
const MAX_HELD_BYTES = 8 << 20
const NO_RTX = 255
/** Added to the first sequence number, so that what it has overtaken has a number above 0, too. */
const FIRST_CYCLE = 0x10000

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
  readonly #held = new PacketRing()
  readonly #missing: MissingPackets
  readonly #statistics: ReceptionStatistics
  readonly #restarts: RestartWatch
  readonly #givenUp = new GivenUp()
  readonly #due: number[] = []
  /** Until the first packet has gone on. */
  #start: HeldStart | undefined
  readonly #asks: boolean
  /** Extended sequence numbers: the first of all, the next to go on, the highest that came. -1 before the first packet. */
  #first = -1
  #next = -1
  #highest = -1
  #newest: RtpPacket | undefined
  #packets = 0
  #bytes = 0
  #lost = 0
  #recovered = 0
  #duplicate = 0
  #late = 0
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
    this.#missing = new MissingPackets(options.jitterBudgetMs ?? DEFAULT_BUDGET_MS, options.nack)
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
    this.#missing.rttMs = rttMs
  }

  /** Of the payload type that comes now. */
  set clockRateHz(clockRateHz: number) {
    this.#statistics.clockRateHz = this.#restarts.clockRateHz = clockRateHz
  }

  /** Asks again, gives up. `nowMs` as `RtpPacket.arrivalMs`. */
  tick(nowMs: number): void {
    if (this.#start !== undefined) this.#await(this.#start, nowMs)
    this.#statistics.measureBitrate(this.#bytes, nowMs)
    this.#missing.fade()
    this.#recovered += this.#missing.settle(nowMs)
    if (this.#missing.count > 0) this.#attend(nowMs)
  }

  /** For the next receiver report, whose interval ends with it; undefined before the first packet. */
  reportBlock(nowMs: number): ReportBlock | undefined {
    if (this.#first < 0) return undefined
    return this.#statistics.block(this.#first - FIRST_CYCLE, this.#highest - FIRST_CYCLE, nowMs)
  }

  figures(): RtpReceiverFigures {
    const expected = this.#packets + this.#lost
    return {
      bytes: this.#bytes,
      packets: this.#packets + (this.#start?.count ?? 0),
      packetsLost: this.#lost,
      packetsRecovered: this.#recovered,
      packetsDuplicate: this.#duplicate,
      packetsLate: this.#late,
      lossRate: expected === 0 ? 0 : this.#lost / expected,
      nacks: this.#askedBefore + this.#missing.nacks,
      rtx: this.#rtx,
      jitterMs: this.#statistics.jitterMs,
      bitrateBps: this.#statistics.bitrateBps,
      resets: this.#resets,
      packetsStray: this.#stray,
      rttMs: this.#missing.measuredRttMs,
    }
  }

  /** The end: gives out what is held, with its holes. */
  flush(): void {
    if (this.#start !== undefined) this.#begin(this.#start)
    this.#recovered += this.#missing.settle(Number.POSITIVE_INFINITY)
    if (this.#next >= 0) this.#giveUpBelow(this.#highest + 1, 0)
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
    const sequence = this.#highest + sequenceDelta(this.#highest & 0xffff, packet.sequenceNumber)
    if (sequence !== this.#next || sequence !== this.#highest + 1 || this.#newest === undefined) {
      this.#outOfLine(packet, sequence)
      return
    }
    this.#highest = sequence
    this.#next = sequence + 1
    this.#newest = packet
    this.#statistics.arrived(packet)
    this.#deliver(packet)
  }

  /** What was not asked for only probes the network: no retransmission, no duplicate, and nothing to lead the way. */
  #retransmission(packet: RtpPacket, payloadType: number): void {
    const original = unwrapRtx(packet, payloadType, this.ssrc)
    if (this.#start?.isAsking && original !== undefined) {
      this.#rtx++
      this.#media(original)
      return
    }
    if (original === undefined || this.#next < 0) return
    const sequence = this.#highest + sequenceDelta(this.#highest & 0xffff, original.sequenceNumber)
    if (sequence > this.#highest) return
    if (sequence < this.#next ? this.#tooLate(original, sequence) : this.#fill(original, sequence, true)) this.#rtx++
  }

  #outOfLine(packet: RtpPacket, sequence: number): void {
    const newest = this.#newest
    if (newest === undefined) this.#enter(packet)
    else if (this.#restarts.isSuspect(packet, newest, sequence - this.#highest, this.#next - sequence))
      this.#restart(packet)
    else {
      this.#restarts.clear()
      if (sequence > this.#highest) this.#lead(packet, sequence)
      else this.#follow(packet, sequence)
      if (this.#missing.count > 0) this.#attend(packet.arrivalMs)
    }
  }

  /** The first of all. */
  #enter(packet: RtpPacket): void {
    this.#first = this.#highest = FIRST_CYCLE + packet.sequenceNumber
    this.#next = this.#first + 1
    this.#newest = packet
    this.#statistics.arrived(packet)
    this.#deliver(packet)
  }

  /** The newest packet yet, behind a hole or while there is one. */
  #lead(packet: RtpPacket, sequence: number): void {
    const hole = sequence - this.#highest - 1
    if (hole > MAX_HOLE || this.#missing.count + hole > MAX_MISSING) this.#giveUpBelow(sequence, packet.arrivalMs)
    else this.#missing.add(this.#highest + 1, sequence, packet.arrivalMs, this.#newest?.arrivalMs)
    this.#highest = sequence
    this.#newest = packet
    this.#statistics.arrived(packet)
    this.#hold(packet, sequence)
  }

  /** A packet that others have overtaken. */
  #follow(packet: RtpPacket, sequence: number): void {
    this.#statistics.received()
    if (sequence < this.#next) this.#behind(packet, sequence)
    else this.#fill(packet, sequence, false)
  }

  /** A packet from before what has gone on: given up already, or a duplicate. */
  #behind(packet: RtpPacket, sequence: number): void {
    if (sequence < this.#first) this.#late++
    else if (!this.#tooLate(packet, sequence)) this.#again(sequence)
  }

  /** Whether the packet is one that was given up. */
  #tooLate(packet: RtpPacket, sequence: number): boolean {
    const givenUpAtMs = this.#givenUp.take(sequence)
    if (givenUpAtMs === undefined) return false
    this.#late++
    this.#missing.learnReordering(packet.arrivalMs - givenUpAtMs + this.#missing.waitMs)
    this.#missing.answered()
    return true
  }

  #again(sequence: number): void {
    this.#duplicate++
    this.#missing.again(sequence)
  }

  /** A packet between what has gone on and the highest. Whether it was missing. */
  #fill(packet: RtpPacket, sequence: number, isRetransmission: boolean): boolean {
    const arrival = this.#missing.remove(sequence, packet.arrivalMs, isRetransmission)
    if (arrival === undefined) {
      if (!isRetransmission) this.#again(sequence)
      return false
    }
    if (arrival === 'recovered') this.#recovered++
    this.#hold(packet, sequence)
    return true
  }

  #hold(packet: RtpPacket, sequence: number): void {
    if (sequence - this.#next >= MAX_HELD_PACKETS) {
      this.#giveUpBelow(sequence - MAX_HELD_PACKETS / 2, packet.arrivalMs)
    }
    this.#held.put(sequence, packet, this.#next)
    this.#drain()
    // The oldest holes give way until there is room again.
    while (this.#held.bytes > MAX_HELD_BYTES) this.#giveUpBelow(this.#missing.first + 1, packet.arrivalMs)
  }

  /** Hands on what is in line now. */
  #drain(): void {
    for (let packet = this.#held.take(this.#next); packet !== undefined; packet = this.#held.take(this.#next)) {
      this.#next++
      this.#deliver(packet)
    }
  }

  #attend(nowMs: number): void {
    for (
      let count = this.#missing.expire(this.#next, nowMs);
      count > 0;
      count = this.#missing.expire(this.#next, nowMs)
    ) {
      this.#giveUp(count, nowMs)
      this.#drain()
    }
    this.#due.length = 0
    this.#missing.collectDue(this.#highest, nowMs, this.#due)
    if (this.#due.length > 0) this.#outbox.nack(this.ssrc, this.#due)
  }

  /** Everything below `sequence` goes on, and what is missing there is lost. */
  #giveUpBelow(sequence: number, nowMs: number): void {
    this.#missing.dropBelow(sequence)
    while (this.#next < sequence) {
      let lost = this.#held.count === 0 ? sequence - this.#next : 0
      while (this.#next + lost < sequence && !this.#held.has(this.#next + lost)) lost++
      if (lost > 0) this.#giveUp(lost, nowMs)
      this.#drain()
    }
  }

  /** The next `count` are lost. */
  #giveUp(count: number, nowMs: number): void {
    this.#givenUp.add(this.#next, count, nowMs)
    this.#next += count
    this.#lost += count
    this.#sink.lost(count)
  }

  #deliver(packet: RtpPacket): void {
    this.#packets++
    const length = packet.payload.length
    if (length === 0) return // only padding, to probe the network
    this.#bytes += length
    this.#sink.packet(packet)
  }

  /** Believed when the next packet follows it; a suspect that stays alone is left out. */
  #restart(packet: RtpPacket): void {
    const first = this.#restarts.confirm(packet)
    this.#stray++
    if (first === undefined) return
    this.#stray -= 2
    this.flush()
    this.#statistics.restart(this.#highest - this.#first + 1)
    this.#resets++
    this.#givenUp.clear()
    this.#sink.lost(1) // how many is not known
    this.#enter(first)
    this.#media(packet)
  }
}
