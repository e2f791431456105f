import type { RtpPacket } from './packet.ts'
import type { ReportBlock, SenderReport } from './rtcp.ts'

const BITRATE_INTERVAL_MS = 1000
/** Signed 24 bit, RFC 3550 §6.4.1. */
const MAX_CUMULATIVE = 0x7fffff

/** What a receiver report says of one SSRC: what the network did to it, before anything was mended (RFC 3550 §A.3, §A.8). */
export class ReceptionStatistics {
  readonly #ssrc: number
  #clockRateHz: number
  #received = 0
  #receivedBefore = 0
  #expectedBefore = 0
  /** Of sequence numbers before a restart. */
  #expectedBase = 0
  #transit = Number.NaN
  #timestamp = -1
  #jitter = 0
  #lastSr = 0
  #lastSrAtMs = 0
  #bytesBefore = 0
  #measuredAtMs = 0
  bitrateBps = 0

  constructor(ssrc: number, clockRateHz: number) {
    this.#ssrc = ssrc
    this.#clockRateHz = clockRateHz
  }

  /** Of a payload type with another clock: jitter is measured anew. */
  set clockRateHz(clockRateHz: number) {
    if (clockRateHz === this.#clockRateHz) return
    this.#clockRateHz = clockRateHz
    this.#jitter = 0
    this.#transit = Number.NaN
  }

  /** A packet of the SSRC came, whatever it is good for. */
  received(): void {
    this.#received++
  }

  /** One that is the newest yet. Packets of one frame are sent at their own pace: only its first counts. */
  arrived(packet: RtpPacket): void {
    this.#received++
    if (packet.timestamp === this.#timestamp) return
    this.#timestamp = packet.timestamp
    const transit = (packet.arrivalMs * this.#clockRateHz) / 1000 - packet.timestamp
    const difference = Math.abs(transit - this.#transit)
    this.#transit = transit
    // A wrap or a restart is no jitter.
    if (difference < 10 * this.#clockRateHz) this.#jitter += (difference - this.#jitter) / 16
  }

  /** Sequence numbers begin anew; `expected` were there until now. */
  restart(expected: number): void {
    this.#expectedBase += expected
    this.#transit = Number.NaN
  }

  senderReport(report: SenderReport, arrivalMs: number): void {
    this.#lastSr = report.ntpMiddle
    this.#lastSrAtMs = arrivalMs
  }

  /** RFC 3550 §A.8, ms. */
  get jitterMs(): number {
    return (this.#jitter * 1000) / this.#clockRateHz
  }

  /** `bytes` is all that came since the beginning. */
  measureBitrate(bytes: number, nowMs: number): void {
    const elapsedMs = nowMs - this.#measuredAtMs
    if (elapsedMs < BITRATE_INTERVAL_MS) return
    this.bitrateBps = this.#measuredAtMs === 0 ? 0 : Math.round(((bytes - this.#bytesBefore) * 8000) / elapsedMs)
    this.#bytesBefore = bytes
    this.#measuredAtMs = nowMs
  }

  /** `first` and `highest` are extended sequence numbers since the last restart. */
  block(first: number, highest: number, nowMs: number): ReportBlock {
    const expected = this.#expectedBase + highest - first + 1
    const expectedNow = expected - this.#expectedBefore
    const lostNow = expectedNow - (this.#received - this.#receivedBefore)
    this.#expectedBefore = expected
    this.#receivedBefore = this.#received
    const lost = expected - this.#received
    return {
      ssrc: this.#ssrc,
      fractionLost: expectedNow <= 0 || lostNow <= 0 ? 0 : Math.min(255, Math.floor((lostNow * 256) / expectedNow)),
      cumulativeLost: Math.max(-MAX_CUMULATIVE - 1, Math.min(MAX_CUMULATIVE, lost)),
      highestSequence: highest % 2 ** 32,
      jitter: Math.floor(this.#jitter),
      lastSr: this.#lastSr,
      delaySinceLastSr: this.#lastSr === 0 ? 0 : Math.round(((nowMs - this.#lastSrAtMs) * 65536) / 1000),
    }
  }
}
