import { randomBytes, randomInt } from 'node:crypto'
import { RtcpOutbox } from '../rtp/rtcp-outbox.ts'
import type { AnswerSection } from './sdp/negotiation.ts'
import { attributeOf } from './sdp/session-description.ts'

/**
 * What one session says by RTCP: under an SSRC and a name of its own (RFC 7022 §4.2), in packets of reduced size where all m-lines
 * that are used take those.
 */
export function sessionOutbox(sections: readonly AnswerSection[], send: (packet: Uint8Array) => void): RtcpOutbox {
  const used = sections.filter(({ direction }) => direction === 'recvonly' || direction === 'sendonly')
  const reducedSize = used.every(({ offered }) => attributeOf(offered, 'rtcp-rsize') !== undefined)
  return new RtcpOutbox({
    ssrc: randomInt(1, 2 ** 32),
    cname: randomBytes(12).toString('base64url'),
    reducedSize,
    send,
  })
}
