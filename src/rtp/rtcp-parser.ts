import { MalformedError } from '../media/errors.ts'
import type { RtcpPacket } from './rtcp.ts'

/** Reads a compound or reduced-size packet (RFC 3550 §6.1, RFC 5506). @throws MalformedError */
export function parseRtcp(bytes: Uint8Array): RtcpPacket[] {
  if (bytes.length < 4) throw new MalformedError('RTCP', 'no header', 0)
  return []
}
