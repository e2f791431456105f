import { ntpMs, roundTripMs } from '../rtp/ntp.ts'
import type { HeardReference, RtcpPacket } from '../rtp/rtcp.ts'
import type { RtcpOutbox } from '../rtp/rtcp-outbox.ts'
import type { SessionEnd } from './engine.ts'

/** Of a round trip that is believed. */
const MAX_RTT_MS = 10_000
/** Of a delay, to a second: RFC 3611 §4.5. */
const DELAY_HZ = 65_536

/** A peer that hears nothing for so long, while it is heard, has gone to another address, ms. */
const DEAF_MS = 5000
/** Who has not confirmed anything for so long, and said so, is asked more often, ms. */
const SUSPECT_MS = 2000
/** So often, ms. */
const ASK_INTERVAL_MS = 100
/** Questions that were followed by a report which confirms none of them: some are lost on every network. */
const MIN_UNHEARD = 12
/** A pause in what is heard, or in our own time, after which everything begins anew, ms. */
const MAX_PAUSE_MS = 1000

/**
 * Whether what we send arrives, and how soon: by our reference times, which a peer confirms with its reports (RFC 3611 §4.4, §4.5).
 *
 * A peer behind a NAT that has forgotten it goes on to be heard, from another port, while the network library sends to the old one
 * until consent expires there, half a minute later: libjuice stays with the first pair of those that have one priority. Of who
 * confirms nothing, nothing is known. Times are `performance.now()`, ms.
 */
export class DownlinkWatch {
  readonly #outbox: RtcpOutbox
  /** Round trip, smoothed; undefined while it is not known. */
  rttMs: number | undefined
  /** The newest moment at which something of ours is known to have arrived. */
  #arrivedMs: number | undefined
  /** Since when the peer is heard without a pause. */
  #heardSinceMs = 0
  #tickedMs = 0
  #askedMs = 0
  #lastReference = 0
  /** A report has come that confirms nothing. */
  #isSuspect = false
  /** Questions since the last report, and those that reports have passed over. */
  #questions = 0
  #unheard = 0

  constructor(outbox: RtcpOutbox) {
    this.#outbox = outbox
  }

  /** All that came in one packet. */
  rtcp(packets: readonly RtcpPacket[], nowMs: number): void {
    for (const packet of packets) {
      const own = packet.type === 'xr' ? packet.heard.find(({ ssrc }) => ssrc === this.#outbox.ssrc) : undefined
      if (own !== undefined && this.#isConfirmed(own, nowMs)) {
        this.#restart()
        return
      }
    }
    if (!packets.some(({ type }) => type === 'sr')) return
    this.#isSuspect = true
    this.#unheard += this.#questions
    this.#questions = 0
  }

  /** Says what time it is; about once a second. */
  say(nowMs: number): void {
    this.#outbox.receiverReference(ntpMs(nowMs))
  }

  /** Asks more often where nothing seems to arrive. `heardMs`: when the last packet came. */
  tick(nowMs: number, heardMs: number): void {
    const isPaused = nowMs - heardMs > MAX_PAUSE_MS || nowMs - this.#tickedMs > MAX_PAUSE_MS
    this.#tickedMs = nowMs
    if (isPaused) {
      this.#heardSinceMs = nowMs
      this.#restart()
    }
    if (!this.#isSuspect || this.#deafForMs(nowMs) < SUSPECT_MS) return
    if (nowMs - this.#askedMs < ASK_INTERVAL_MS) return
    this.#askedMs = nowMs
    this.#questions++
    this.say(nowMs)
  }

  /** The end that is due when nothing of ours arrives; undefined while something does, or nothing is known. */
  check(nowMs: number): SessionEnd | undefined {
    if (this.#unheard < MIN_UNHEARD) return undefined
    const deafForMs = this.#deafForMs(nowMs)
    if (deafForMs < DEAF_MS) return undefined
    const seconds = (deafForMs / 1000).toFixed(1)
    const message = `nothing of ours has arrived for ${seconds} s: its address has changed; it may publish again under the same name`
    return { reason: 'lost', code: 'TD_SOURCE_DEAF', message }
  }

  /** Whether it is more than was known. */
  #isConfirmed({ lastReference, delay }: HeardReference, nowMs: number): boolean {
    const rttMs = roundTripMs(lastReference, delay, nowMs)
    if (rttMs === undefined || rttMs > MAX_RTT_MS || lastReference === this.#lastReference) return false
    this.rttMs = this.rttMs === undefined ? rttMs : this.rttMs + (rttMs - this.rttMs) / 8 // as RFC 6298 §2.3
    this.#lastReference = lastReference
    this.#arrivedMs = nowMs - (delay * 1000) / DELAY_HZ
    return true
  }

  /** 0 for a peer that has never confirmed anything. */
  #deafForMs(nowMs: number): number {
    return this.#arrivedMs === undefined ? 0 : nowMs - Math.max(this.#arrivedMs, this.#heardSinceMs)
  }

  #restart(): void {
    this.#isSuspect = false
    this.#questions = this.#unheard = 0
  }
}
