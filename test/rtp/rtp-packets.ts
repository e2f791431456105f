import { RtpPacket } from '../../src/rtp/packet.ts'
import { RtpWriter } from '../../src/rtp/rtp-writer.ts'

/** A packet with what matters to a test; the rest is unremarkable. */
export function rtpPacket(
  sequenceNumber: number,
  with_: {
    timestamp?: number
    arrivalMs?: number
    payload?: Uint8Array
    payloadType?: number
    ssrc?: number
    marker?: boolean
    extensions?: readonly (readonly [number, Uint8Array])[]
  } = {},
): RtpPacket {
  const writer = new RtpWriter()
  writer.begin({
    payloadType: with_.payloadType ?? 96,
    marker: with_.marker ?? false,
    sequenceNumber,
    timestamp: with_.timestamp ?? sequenceNumber * 3000,
    ssrc: with_.ssrc ?? 1,
  })
  for (const [id, value] of with_.extensions ?? []) writer.extension(id, value)
  const bytes = writer.finish(with_.payload ?? Uint8Array.of(sequenceNumber >> 8, sequenceNumber))
  if (bytes === undefined) throw new Error('too long')
  return new RtpPacket(bytes.slice(), with_.arrivalMs ?? 1000)
}

/** The retransmission of a packet on a stream of its own. */
export function rtxPacket(
  original: RtpPacket,
  as: { sequenceNumber: number; payloadType: number; ssrc: number; arrivalMs: number },
): RtpPacket {
  const writer = new RtpWriter()
  writer.begin({ ...as, marker: original.marker, timestamp: original.timestamp })
  const bytes = writer.finish(original.payload, original.sequenceNumber)
  if (bytes === undefined) throw new Error('too long')
  return new RtpPacket(bytes.slice(), as.arrivalMs)
}
