import { randomBytes, randomInt } from 'node:crypto'
import { RtcpOutbox } from '../rtp/rtcp-outbox.ts'

/** What one session says by RTCP: under an SSRC and a name of its own (RFC 7022 §4.2). */
export function sessionOutbox(send: (packet: Uint8Array) => void): RtcpOutbox {
  return new RtcpOutbox({ ssrc: randomInt(1, 2 ** 32), cname: randomBytes(12).toString('base64url'), send })
}
