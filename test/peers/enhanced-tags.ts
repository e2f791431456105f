/**
 * Bodies of Enhanced RTMP v2 messages, written from the specification (veovera, "Enhanced Video" and "Enhanced Audio") and not
 * from src/container/flv, so that both can be wrong only in different ways.
 */

/** VideoPacketType and AudioPacketType, as far as they agree. */
export const SEQUENCE_START = 0
export const CODED_FRAMES = 1
export const SEQUENCE_END = 2
/** Video only: composition time 0 is implied. */
export const CODED_FRAMES_X = 3
const AUDIO_MULTITRACK = 5
const VIDEO_MULTITRACK = 6
const MOD_EX = 7

/** One packet of an enhanced message. */
export interface EnhancedPacket {
  readonly kind: 'video' | 'audio'
  readonly fourCc: string
  readonly packetType: number
  readonly data: Uint8Array
  /** Video: 1 key, 2 inter. */
  readonly frameType?: number
  /** avc1 and hvc1 with CODED_FRAMES. */
  readonly compositionTimeMs?: number
  /** ModEx TimestampOffsetNano. */
  readonly nanos?: number
  /** Makes it a OneTrack multitrack message. */
  readonly trackId?: number
}

function head(kind: 'video' | 'audio', frameType: number, packetType: number, nanos: number | undefined): number[] {
  const first = (type: number) => (kind === 'video' ? 0x80 | (frameType << 4) | type : 0x90 | type)
  if (nanos === undefined) return [first(packetType)]
  // modExDataSize - 1, UI24 of nanoseconds, then ModExType 0 beside the real packet type
  return [first(MOD_EX), 2, (nanos >> 16) & 255, (nanos >> 8) & 255, nanos & 255, packetType]
}

function body(packet: EnhancedPacket): Buffer {
  const timed = (packet.fourCc === 'avc1' || packet.fourCc === 'hvc1') && packet.packetType === CODED_FRAMES
  if (!timed) return Buffer.from(packet.data)
  const time = Buffer.alloc(3)
  time.writeIntBE(packet.compositionTimeMs ?? 0, 0, 3)
  return Buffer.concat([time, packet.data])
}

/** A message with one packet, on the default track or, with `trackId`, as OneTrack multitrack. */
export function enhanced(packet: EnhancedPacket): Buffer {
  const frameType = packet.frameType ?? 1
  if (packet.trackId === undefined) {
    const bytes = head(packet.kind, frameType, packet.packetType, packet.nanos)
    return Buffer.concat([Buffer.from(bytes), Buffer.from(packet.fourCc), body(packet)])
  }
  const multitrack = packet.kind === 'video' ? VIDEO_MULTITRACK : AUDIO_MULTITRACK
  const bytes = head(packet.kind, frameType, multitrack, packet.nanos)
  const oneTrack = (0 << 4) | packet.packetType
  return Buffer.concat([
    Buffer.from([...bytes, oneTrack]),
    Buffer.from(packet.fourCc),
    Buffer.from([packet.trackId]),
    body(packet),
  ])
}

/** Several tracks in one message: ManyTracks when all have one codec, ManyTracksManyCodecs otherwise. */
export function manyTracks(packets: readonly (EnhancedPacket & { trackId: number })[]): Buffer {
  const [first] = packets
  const oneCodec = packets.every((packet) => packet.fourCc === first.fourCc)
  const multitrack = first.kind === 'video' ? VIDEO_MULTITRACK : AUDIO_MULTITRACK
  const parts: Buffer[] = [Buffer.from([...head(first.kind, first.frameType ?? 1, multitrack, first.nanos)])]
  parts.push(Buffer.from([((oneCodec ? 1 : 2) << 4) | first.packetType]))
  if (oneCodec) parts.push(Buffer.from(first.fourCc))
  for (const packet of packets) {
    if (!oneCodec) parts.push(Buffer.from(packet.fourCc))
    const content = body(packet)
    const size = Buffer.alloc(3)
    size.writeUIntBE(content.length, 0, 3)
    parts.push(Buffer.from([packet.trackId]), size, content)
  }
  return Buffer.concat(parts)
}
