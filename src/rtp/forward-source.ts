import { beginsKeyframe, type ForwardCodec } from './keyframe-start.ts'
import type { EncodingClock, MediaClock } from './media-clock.ts'
import type { RtpPacket } from './packet.ts'
import type { PacketSink } from './packet-sink.ts'

/** One encoding to be forwarded. */
export interface ForwardSourceOptions {
  readonly codec: ForwardCodec
  /** The participant's, and the encoding's own: timestamps of all layers and all tracks come from it. */
  readonly mediaClock: MediaClock
  readonly encodingClock: EncodingClock
  readonly clockRateHz: number
  /** A watcher wants a keyframe of this encoding. */
  requestKeyframe(): void
}

/** One packet as a source hands it on. */
export interface ForwardPacket {
  readonly packet: RtpPacket
  /** Counts packets, lost ones as well, in the source's order. */
  readonly index: number
  /** The participant's time, in ticks of the track's clock. */
  readonly ticks: number
}

/** Who is given the packets of a source. */
export interface ForwardTarget {
  forward(source: ForwardSource, packet: ForwardPacket): void
}

/** Packets kept for retransmission; a power of two. A second of a good video. */
const KEPT_PACKETS = 1024
/** So long they are kept when nobody is left. */
const KEPT_MS = 2000

/**
 * One encoding with its watchers: takes what a `RtpReceiver` gives in order, keeps the last packets for retransmission, once for
 * all watchers, and hands each to the forwarders that are on it. Costs nothing while there are none.
 */
export class ForwardSource implements PacketSink {
  readonly codec: ForwardCodec
  readonly clockRateHz: number
  readonly mediaClock: MediaClock
  readonly #clock: EncodingClock
  readonly #requestKeyframe: () => void
  readonly #kept: (ForwardPacket | undefined)[] = []
  readonly #targets: ForwardTarget[] = []
  #index = 0
  #keptAtMs = 0
  #timestamp = -1
  #ticks = 0

  constructor(options: ForwardSourceOptions) {
    this.codec = options.codec
    this.clockRateHz = options.clockRateHz
    this.mediaClock = options.mediaClock
    this.#clock = options.encodingClock
    this.#requestKeyframe = options.requestKeyframe
  }

  packet(packet: RtpPacket): void {
    if (this.#targets.length === 0) {
      this.#forget(packet.arrivalMs)
      return
    }
    this.#keptAtMs = packet.arrivalMs
    if (packet.timestamp !== this.#timestamp) {
      this.#timestamp = packet.timestamp
      this.#ticks = this.#clock.timeOf(packet.timestamp, packet.arrivalMs)
    }
    const kept: ForwardPacket = { packet, index: this.#index++, ticks: this.#ticks }
    this.#kept[kept.index & (KEPT_PACKETS - 1)] = kept
    // Backwards: a target may leave while it is being served.
    for (let i = this.#targets.length - 1; i >= 0; i--) this.#targets[i]?.forward(this, kept)
  }

  /** Numbers are left out for them, so that watchers notice. */
  lost(count: number): void {
    this.#index += count
  }

  /** What is still kept of it. */
  at(index: number): ForwardPacket | undefined {
    const kept = this.#kept[index & (KEPT_PACKETS - 1)]
    return kept?.index === index ? kept : undefined
  }

  beginsKeyframe(packet: RtpPacket): boolean {
    return beginsKeyframe(this.codec, packet.payload)
  }

  requestKeyframe(): void {
    this.#requestKeyframe()
  }

  add(target: ForwardTarget): void {
    if (!this.#targets.includes(target)) this.#targets.push(target)
  }

  remove(target: ForwardTarget): void {
    const at = this.#targets.indexOf(target)
    if (at >= 0) this.#targets.splice(at, 1)
  }

  /** Who went over to another layer may still ask for what was sent of this one. */
  #forget(nowMs: number): void {
    if (this.#kept.length > 0 && nowMs - this.#keptAtMs > KEPT_MS) this.#kept.length = 0
  }
}
