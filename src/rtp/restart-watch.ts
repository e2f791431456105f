import type { RtpPacket } from './packet.ts'
import { sequenceDelta } from './sequence.ts'

/** A jump further than this needs a second packet to be believed, RFC 3550 §A.1. */
const MAX_DROPOUT = 3000
const MAX_MISORDER = 100
/** How far back in media time an old packet may lie, to be taken for old and not for a restart. */
const MAX_AGE_MS = 10_000
/** Media time and arrival may differ by so much over an outage. */
const MAX_DIFFERENCE_MS = 1000

/** Finds senders that begin their sequence numbers anew, and keeps old packets and outages apart from them. */
export class RestartWatch {
  /** Of RTP time. */
  clockRateHz: number
  #suspect: RtpPacket | undefined

  constructor(clockRateHz: number) {
    this.clockRateHz = clockRateHz
  }

  /** Whether `packet` lies where only a sender that began anew can have put it. `ahead`: of the newest; `behind`: what is next. */
  isSuspect(packet: RtpPacket, newest: RtpPacket, ahead: number, behind: number): boolean {
    if (ahead <= MAX_DROPOUT && behind <= MAX_MISORDER) return false
    const mediaMs = (((packet.timestamp - newest.timestamp) | 0) * 1000) / this.clockRateHz
    if (ahead < 0) return mediaMs > 0 || mediaMs < -MAX_AGE_MS
    return Math.abs(mediaMs - (packet.arrivalMs - newest.arrivalMs)) > MAX_DIFFERENCE_MS
  }

  /** The first packet after the restart, when `packet` is the second. */
  confirm(packet: RtpPacket): RtpPacket | undefined {
    const suspect = this.#suspect
    this.#suspect = packet
    if (suspect === undefined || sequenceDelta(suspect.sequenceNumber, packet.sequenceNumber) !== 1) return undefined
    this.#suspect = undefined
    return suspect
  }

  /** A packet came that goes on as before. */
  clear(): void {
    this.#suspect = undefined
  }
}
