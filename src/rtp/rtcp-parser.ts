import { MalformedError } from '../media/errors.ts'
import type { HeardReference, ReportBlock, RtcpPacket } from './rtcp.ts'
import { parseTransportFeedback } from './transport-feedback-packet.ts'

/** Packets of one compound packet; real ones have some five, and 1500 bytes hold 125 with something in them. */
const MAX_PACKETS = 128
const REMB_NAME = 0x52454d42 // 'REMB', draft-alvestrand-rmcat-remb §2.2
/** draft-alvestrand-rmcat-remb §2.2: 18 bits and an exponent can say more than a number holds exactly. */
const MAX_BITRATE_BPS = 1e12
const NTP_FRACTION = 2 ** 32

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 8) | bytes[at + 1]
}
function u32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0
}

/** Reads a compound or reduced-size packet (RFC 3550 §6.1, RFC 5506). @throws MalformedError */
export function parseRtcp(bytes: Uint8Array): RtcpPacket[] {
  const packets: RtcpPacket[] = []
  for (let at = 0; at < bytes.length; ) {
    if (packets.length === MAX_PACKETS) throw new MalformedError('RTCP', `more than ${MAX_PACKETS} packets`, at)
    if (at + 4 > bytes.length || bytes[at] >> 6 !== 2) throw new MalformedError('RTCP', 'no version 2 header', at)
    const end = at + 4 + 4 * u16(bytes, at + 2)
    if (end > bytes.length) throw new MalformedError('RTCP', 'packet beyond the end', at)
    const padding = (bytes[at] & 0x20) !== 0 && end > at + 4 ? bytes[end - 1] : 0
    if (end - padding < at + 4) throw new MalformedError('RTCP', 'padding beyond the packet', at)
    packets.push(parsePacket(bytes[at] & 0x1f, bytes[at + 1], bytes.subarray(at + 4, end - padding)))
    at = end
  }
  if (packets.length === 0) throw new MalformedError('RTCP', 'nothing in it', 0)
  return packets
}

function parsePacket(count: number, packetType: number, body: Uint8Array): RtcpPacket {
  switch (packetType) {
    case 200:
      return parseSenderReport(count, body)
    case 201:
      need(body, 4, 'receiver report')
      return { type: 'rr', ssrc: u32(body, 0), blocks: parseBlocks(count, body, 4) }
    case 202:
      return parseSdes(count, body)
    case 203:
      return parseBye(count, body)
    case 205:
      return parseTransportLayer(count, body)
    case 206:
      return parsePayloadSpecific(count, body)
    case 207:
      return parseExtendedReport(body)
    default:
      return { type: 'other', packetType, format: count }
  }
}

function need(body: Uint8Array, length: number, what: string): void {
  if (body.length < length) throw new MalformedError('RTCP', `${what} of ${body.length} bytes, needs ${length}`)
}

function parseSenderReport(count: number, body: Uint8Array): RtcpPacket {
  need(body, 24, 'sender report')
  return {
    type: 'sr',
    ssrc: u32(body, 0),
    ntpMs: u32(body, 4) * 1000 + (u32(body, 8) * 1000) / NTP_FRACTION,
    ntpMiddle: u32(body, 6),
    timestamp: u32(body, 12),
    packets: u32(body, 16),
    octets: u32(body, 20),
    blocks: parseBlocks(count, body, 24),
  }
}

function parseBlocks(count: number, body: Uint8Array, from: number): ReportBlock[] {
  need(body, from + 24 * count, `report with ${count} blocks`)
  const blocks: ReportBlock[] = []
  for (let at = from; blocks.length < count; at += 24) {
    blocks.push({
      ssrc: u32(body, at),
      fractionLost: body[at + 4],
      cumulativeLost: (u32(body, at + 4) << 8) >> 8,
      highestSequence: u32(body, at + 8),
      jitter: u32(body, at + 12),
      lastSr: u32(body, at + 16),
      delaySinceLastSr: u32(body, at + 20),
    })
  }
  return blocks
}

/** RFC 3550 §6.5: chunks of items; each chunk ends with a zero and fills its last word. */
function parseSdes(count: number, body: Uint8Array): RtcpPacket {
  const chunks: { ssrc: number; cname?: string }[] = []
  let at = 0
  while (chunks.length < count) {
    need(body, at + 5, 'source description')
    const chunk: { ssrc: number; cname?: string } = { ssrc: u32(body, at) }
    at += 4
    while (at < body.length && body[at] !== 0) {
      need(body, at + 2, 'source description')
      const end = at + 2 + body[at + 1]
      need(body, end, 'source description')
      if (body[at] === 1) chunk.cname = new TextDecoder().decode(body.subarray(at + 2, end))
      at = end
    }
    at = (at + 4) & ~3
    chunks.push(chunk)
  }
  return { type: 'sdes', chunks }
}

function parseBye(count: number, body: Uint8Array): RtcpPacket {
  need(body, 4 * count, 'BYE')
  const ssrcs = Array.from({ length: count }, (_, i) => u32(body, 4 * i))
  const at = 4 * count
  if (at >= body.length) return { type: 'bye', ssrcs }
  need(body, at + 1 + body[at], 'BYE')
  return { type: 'bye', ssrcs, reason: new TextDecoder().decode(body.subarray(at + 1, at + 1 + body[at])) }
}

/** RFC 4585 §6.2, and transport-wide-cc. */
function parseTransportLayer(format: number, body: Uint8Array): RtcpPacket {
  need(body, 8, 'feedback')
  const senderSsrc = u32(body, 0)
  const mediaSsrc = u32(body, 4)
  if (format === 15) return parseTransportFeedback(senderSsrc, mediaSsrc, body.subarray(8))
  if (format !== 1) return { type: 'other', packetType: 205, format }
  const sequences: number[] = []
  for (let at = 8; at + 4 <= body.length; at += 4) {
    const first = u16(body, at)
    sequences.push(first)
    for (let mask = u16(body, at + 2), i = 1; mask !== 0; mask >>= 1, i++) {
      if ((mask & 1) !== 0) sequences.push((first + i) & 0xffff)
    }
  }
  return { type: 'nack', senderSsrc, mediaSsrc, sequences }
}

/** RFC 4585 §6.3, RFC 5104 §4.3, and REMB. */
function parsePayloadSpecific(format: number, body: Uint8Array): RtcpPacket {
  need(body, 8, 'feedback')
  const senderSsrc = u32(body, 0)
  if (format === 1) return { type: 'pli', senderSsrc, mediaSsrc: u32(body, 4) }
  if (format === 4) {
    const requests: { ssrc: number; sequence: number }[] = []
    for (let at = 8; at + 8 <= body.length; at += 8) requests.push({ ssrc: u32(body, at), sequence: body[at + 4] })
    return { type: 'fir', senderSsrc, requests }
  }
  if (format === 15 && body.length >= 16 && u32(body, 8) === REMB_NAME) {
    need(body, 16 + 4 * body[12], 'REMB')
    const mantissa = ((body[13] & 3) << 16) | u16(body, 14)
    const bitrateBps = Math.min(MAX_BITRATE_BPS, mantissa * 2 ** (body[13] >> 2))
    return {
      type: 'remb',
      senderSsrc,
      bitrateBps,
      ssrcs: Array.from({ length: body[12] }, (_, i) => u32(body, 16 + 4 * i)),
    }
  }
  return { type: 'other', packetType: 206, format }
}

/** RFC 3611 §2: of its blocks only DLRR, §4.5, is of use. */
function parseExtendedReport(body: Uint8Array): RtcpPacket {
  need(body, 4, 'extended report')
  const heard: HeardReference[] = []
  for (let at = 4; at + 4 <= body.length; ) {
    const end = at + 4 + 4 * u16(body, at + 2)
    need(body, end, 'extended report')
    for (let i = at + 4; body[at] === 5 && i + 12 <= end; i += 12) {
      heard.push({ ssrc: u32(body, i), lastReference: u32(body, i + 4), delay: u32(body, i + 8) })
    }
    at = end
  }
  return { type: 'xr', ssrc: u32(body, 0), heard }
}
