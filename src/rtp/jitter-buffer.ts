import { GivenUp } from './given-up.ts'
import { MissingPackets } from './missing-packets.ts'
import type { RtpPacket } from './packet.ts'
import { PacketRing } from './packet-ring.ts'
import type { PacketSink } from './packet-sink.ts'
import { sequenceDelta } from './sequence.ts'

/** Added to the first sequence number, so that what it has overtaken has a number above 0, too. */
const FIRST_CYCLE = 0x10000
/** A wider hole is not waited for: nobody keeps so much, and nothing before the next keyframe is worth it. */
const MAX_HOLE = 1000
const MAX_MISSING = 2000
/** What may be held behind a hole. */
const MAX_HELD_PACKETS = 8192
const MAX_HELD_BYTES = 8 << 20

/** How a buffer is run. */
export interface JitterBufferOptions {
  readonly sink: PacketSink
  /** How long a hole is waited for, ms. */
  readonly budgetMs: number
  /** Whether lost packets are asked for again. */
  readonly asks: boolean
}

/**
 * Packets of one stream of sequence numbers in their order, each once; what is missing is waited for up to the budget, then given up.
 * Sequence numbers are extended beyond 16 bit (`extend`).
 */
export class JitterBuffer {
  readonly #sink: PacketSink
  readonly #held = new PacketRing()
  readonly #givenUp = new GivenUp()
  readonly #due: number[] = []
  readonly missing: MissingPackets
  /** The first of all, the next to go on. -1 before the first packet. */
  #first = -1
  #next = -1
  /** The highest that came; -1 before the first packet. */
  highest = -1
  /** Of media, each once; figures over all restarts. */
  packets = 0
  bytes = 0
  lost = 0
  recovered = 0
  duplicate = 0
  late = 0

  constructor({ sink, budgetMs, asks }: JitterBufferOptions) {
    this.#sink = sink
    this.missing = new MissingPackets(budgetMs, asks)
  }

  get isEmpty(): boolean {
    return this.#next < 0
  }

  /** Numbers of the first and the highest that came, counted from the cycle of the first: RFC 3550 §A.1. */
  get range(): { readonly first: number; readonly highest: number } {
    return { first: this.#first - FIRST_CYCLE, highest: this.highest - FIRST_CYCLE }
  }

  /** The number of a packet, as near to the highest as it can be. */
  extend(sequenceNumber: number): number {
    return this.highest + sequenceDelta(this.highest & 0xffff, sequenceNumber)
  }

  /** Whether it is the next, and nothing is missing before it. */
  isInLine(sequence: number): boolean {
    return sequence === this.#next && sequence === this.highest + 1
  }

  /** How far a packet lies behind what is to go on next; 0 or less for one that does not. */
  behind(sequence: number): number {
    return this.#next - sequence
  }

  /** The first of all, or after a restart. */
  begin(packet: RtpPacket): void {
    this.#givenUp.clear()
    this.#first = this.highest = FIRST_CYCLE + packet.sequenceNumber
    this.#next = this.#first + 1
    this.#deliver(packet)
  }

  /** One that is in line. */
  pass(packet: RtpPacket, sequence: number): void {
    this.highest = sequence
    this.#next = sequence + 1
    this.#deliver(packet)
  }

  /** The newest packet yet, behind a hole or while there is one. `beforeMs`: when the newest before it came. */
  lead(packet: RtpPacket, sequence: number, beforeMs: number): void {
    const hole = sequence - this.highest - 1
    if (hole > MAX_HOLE || this.missing.count + hole > MAX_MISSING) this.#giveUpBelow(sequence, packet.arrivalMs)
    else this.missing.add(this.highest + 1, sequence, packet.arrivalMs, beforeMs)
    this.highest = sequence
    this.#hold(packet, sequence)
  }

  /** A packet that others have overtaken. */
  follow(packet: RtpPacket, sequence: number): void {
    if (sequence >= this.#next) this.#fill(packet, sequence, false)
    else if (sequence < this.#first) this.late++
    else if (!this.#isTooLate(packet, sequence)) this.#again(sequence)
  }

  /** One that was sent again on a stream of its own. Whether it was missing; else it only probes the network. */
  repeat(packet: RtpPacket, sequence: number): boolean {
    if (sequence > this.highest) return false
    return sequence < this.#next ? this.#isTooLate(packet, sequence) : this.#fill(packet, sequence, true)
  }

  /** Gives up what has been waited for long enough; the 16-bit numbers that are to be asked for now, valid until the next call. */
  attend(nowMs: number): readonly number[] {
    for (
      let count = this.missing.expire(this.#next, nowMs);
      count > 0;
      count = this.missing.expire(this.#next, nowMs)
    ) {
      this.#giveUp(count, nowMs)
      this.#drain()
    }
    this.#due.length = 0
    this.missing.collectDue(this.highest, nowMs, this.#due)
    return this.#due
  }

  /** What was doubtful and is decided now. */
  settle(nowMs: number): void {
    this.recovered += this.missing.settle(nowMs)
  }

  /** The end: gives out what is held, with its holes. */
  flush(): void {
    this.settle(Number.POSITIVE_INFINITY)
    if (this.#next >= 0) this.#giveUpBelow(this.highest + 1, 0)
  }

  /** Whether the packet is one that was given up. */
  #isTooLate(packet: RtpPacket, sequence: number): boolean {
    const givenUpAtMs = this.#givenUp.take(sequence)
    if (givenUpAtMs === undefined) return false
    this.late++
    this.missing.learnReordering(packet.arrivalMs - givenUpAtMs + this.missing.waitMs)
    this.missing.answered()
    return true
  }

  #again(sequence: number): void {
    this.duplicate++
    this.missing.again(sequence)
  }

  /** A packet between what has gone on and the highest. Whether it was missing. */
  #fill(packet: RtpPacket, sequence: number, isRetransmission: boolean): boolean {
    const arrival = this.missing.remove(sequence, packet.arrivalMs, isRetransmission)
    if (arrival === undefined) {
      if (!isRetransmission) this.#again(sequence)
      return false
    }
    if (arrival === 'recovered') this.recovered++
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
    while (this.#held.bytes > MAX_HELD_BYTES) this.#giveUpBelow(this.missing.first + 1, packet.arrivalMs)
  }

  /** Hands on what is in line now. */
  #drain(): void {
    for (let packet = this.#held.take(this.#next); packet !== undefined; packet = this.#held.take(this.#next)) {
      this.#next++
      this.#deliver(packet)
    }
  }

  /** Everything below `sequence` goes on, and what is missing there is lost. */
  #giveUpBelow(sequence: number, nowMs: number): void {
    this.missing.dropBelow(sequence)
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
    this.lost += count
    this.#sink.lost(count)
  }

  #deliver(packet: RtpPacket): void {
    this.packets++
    const { length } = packet.payload
    if (length === 0) return // only padding, to probe the network
    this.bytes += length
    this.#sink.packet(packet)
  }
}
