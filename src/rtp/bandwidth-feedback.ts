import type { RtcpOutbox } from './rtcp-outbox.ts'
import { sequenceDelta } from './sequence.ts'
import { MAX_STATUSES, TransportFeedbackWriter } from './transport-feedback-packet.ts'

/** What the sender of a transport is told about the network. */
export interface BandwidthFeedbackOptions {
  readonly outbox: RtcpOutbox
  /** Whether `transport-cc` was negotiated. */
  readonly transportCc: boolean
  /** Whether `goog-remb` was. libwebrtc takes it as an upper bound beside `transport-cc`, too, negotiated or not. */
  readonly remb: boolean
  readonly maxBitrateBps: number
  /** Between two feedback packets, ms; 100 by default. */
  readonly intervalMs?: number
}

/** Sequence numbers that are remembered, and reported anew when one comes late. A power of two. */
const WINDOW = 4096
/** A packet that comes later than so many others is not reported any more. */
const MAX_REPEATED = 256
const REMB_INTERVAL_MS = 1000
/** At a flood feedback goes out between ticks, too. */
const MAX_PENDING = MAX_STATUSES

/** Congestion feedback of one transport: transport-wide-cc when the peer numbers its packets, and the bound by REMB. */
export class BandwidthFeedback {
  readonly #options: BandwidthFeedbackOptions
  readonly #intervalMs: number
  readonly #writer = new TransportFeedbackWriter()
  /** Of sequence number modulo the window; 0 when it has not come. */
  #arrivalsMs: Float64Array | undefined
  /** The first to be reported, the one after the highest, both extended beyond 16 bit. */
  #from = 0
  #to = 0
  #isPending = false
  #mediaSsrc = 0
  #sentAtMs = Number.NEGATIVE_INFINITY
  #rembAtMs = Number.NEGATIVE_INFINITY
  #ssrcs: readonly number[] = []
  /** Feedback packets that were sent. */
  feedbacks = 0

  constructor(options: BandwidthFeedbackOptions) {
    this.#options = options
    this.#intervalMs = options.intervalMs ?? 100
  }

  /** A packet of whatever stream came. `sequence`: the two bytes of the transport-wide-cc extension, as a number. */
  packet(sequence: number, arrivalMs: number, ssrc: number): void {
    if (!this.#options.transportCc) return
    this.#mediaSsrc = ssrc
    const arrivalsMs = (this.#arrivalsMs ??= this.#start(sequence))
    const extended = this.#to + sequenceDelta(this.#to & 0xffff, sequence)
    if (extended >= this.#to) this.#advance(arrivalsMs, extended)
    else if (extended <= this.#to - WINDOW || this.#from - extended > MAX_REPEATED) return
    else if (arrivalsMs[extended & (WINDOW - 1)] !== 0) return
    else if (extended < this.#from) this.#from = extended
    arrivalsMs[extended & (WINDOW - 1)] = arrivalMs > 0 ? arrivalMs : Number.MIN_VALUE
    this.#isPending = true
    if (this.#to - this.#from >= MAX_PENDING) this.#report(arrivalsMs)
  }

  /** REMB names these, at once when they are others than before. */
  set ssrcs(ssrcs: readonly number[]) {
    if (ssrcs.length === this.#ssrcs.length && ssrcs.every((ssrc, i) => ssrc === this.#ssrcs[i])) return
    this.#ssrcs = ssrcs
    this.#rembAtMs = Number.NEGATIVE_INFINITY
  }

  tick(nowMs: number): void {
    const arrivalsMs = this.#arrivalsMs
    if (arrivalsMs !== undefined && this.#isPending && nowMs - this.#sentAtMs >= this.#intervalMs) {
      this.#sentAtMs = nowMs
      this.#report(arrivalsMs)
    }
    if (!this.#options.remb || this.#ssrcs.length === 0 || nowMs - this.#rembAtMs < REMB_INTERVAL_MS) return
    this.#rembAtMs = nowMs
    this.#options.outbox.remb(this.#options.maxBitrateBps, this.#ssrcs)
  }

  #start(sequence: number): Float64Array {
    this.#from = this.#to = 0x10000 + sequence
    return new Float64Array(WINDOW)
  }

  /** Makes `extended` the highest; what was skipped has not come. */
  #advance(arrivalsMs: Float64Array, extended: number): void {
    if (extended - this.#to >= WINDOW) {
      arrivalsMs.fill(0)
      this.#from = extended
    } else {
      for (let i = this.#to; i < extended; i++) arrivalsMs[i & (WINDOW - 1)] = 0
    }
    this.#to = extended + 1
    if (this.#to - this.#from > WINDOW) this.#from = this.#to - WINDOW
  }

  #report(arrivalsMs: Float64Array): void {
    this.#isPending = false
    const ssrcs = { sender: this.#options.outbox.ssrc, media: this.#mediaSsrc }
    while (this.#from < this.#to) {
      this.#skipSilence(arrivalsMs)
      this.#options.outbox.raw(this.#writer.write(arrivalsMs, this.#from, this.#to, ssrcs))
      this.#from += this.#writer.written
      this.feedbacks++
    }
  }

  /** A packet tells of something that came: holes wider than one are only told of where they end. */
  #skipSilence(arrivalsMs: Float64Array): void {
    let first = this.#from
    while (arrivalsMs[first & (WINDOW - 1)] === 0) first++
    if (first - this.#from >= MAX_STATUSES / 2) this.#from = first
  }
}
