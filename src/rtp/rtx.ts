import { RtpPacket } from './packet.ts'

/**
 * What a retransmission repeats (RFC 4588 §4): the original packet, made in place of the memory of `packet`, which is not to be
 * used any more. Undefined when there is nothing in it, as in packets that only probe the network.
 */
export function unwrapRtx(packet: RtpPacket, payloadType: number, ssrc: number): RtpPacket | undefined {
  const { bytes, payload } = packet
  if (payload.length < 2) return undefined
  const headerBytes = payload.byteOffset - bytes.byteOffset
  const first = payload[0]
  const second = payload[1]
  bytes.copyWithin(2, 0, headerBytes) // over the two bytes of the original sequence number
  const original = bytes.subarray(2, headerBytes + payload.length)
  original[0] &= 0xdf // padding is gone
  original[1] = (original[1] & 0x80) | payloadType
  original[2] = first
  original[3] = second
  original[8] = ssrc >>> 24
  original[9] = ssrc >>> 16
  original[10] = ssrc >>> 8
  original[11] = ssrc
  return new RtpPacket(original, packet.arrivalMs)
}
