import { md5, type SentPacket, type SentTracks } from './sent-tracks.ts'

/** Packet types of enhanced tags, E-RTMP v2. */
const CODED_FRAMES = 1
const CODED_FRAMES_X = 3

/**
 * The packets of an FLV file with at most one track of a kind, legacy and enhanced tags alike. For what ffprobe 5.1 cannot
 * read; written apart from src/container.
 */
export function enhancedFlvTracks(file: Buffer): SentTracks {
  const video: SentPacket[] = []
  const audio: SentPacket[] = []
  for (let at = file.readUInt32BE(5) + 4; at + 11 <= file.length; ) {
    const size = file.readUIntBE(at + 1, 3)
    const timeMs = file.readUIntBE(at + 4, 3) + file[at + 7] * 2 ** 24
    const body = file.subarray(at + 11, at + 11 + size)
    const coded = (file[at] & 0x1f) === 9 ? codedVideo(body) : (file[at] & 0x1f) === 8 ? codedAudio(body) : undefined
    if (coded !== undefined) {
      const packet = { hash: md5(coded.data), dts: timeMs / 1000, pts: (timeMs + coded.offsetMs) / 1000 }
      ;(file[at] & 0x1f) === 9 ? video.push(packet) : audio.push(packet)
    }
    at += 11 + size + 4
  }
  return { video: video.length === 0 ? [] : [video], audio: audio.length === 0 ? [] : [audio] }
}

interface Coded {
  readonly data: Buffer
  readonly offsetMs: number
}

function codedVideo(body: Buffer): Coded | undefined {
  if ((body[0] & 0x80) === 0) {
    // AVC alone: AVCPacketType, CompositionTime
    return body[1] === 1 ? { data: body.subarray(5), offsetMs: body.readIntBE(2, 3) } : undefined
  }
  const type = body[0] & 0x0f
  if (type === CODED_FRAMES_X) return { data: body.subarray(5), offsetMs: 0 }
  if (type !== CODED_FRAMES) return undefined
  const isTimed = /avc1|hvc1/.test(body.toString('latin1', 1, 5))
  return isTimed ? { data: body.subarray(8), offsetMs: body.readIntBE(5, 3) } : { data: body.subarray(5), offsetMs: 0 }
}

function codedAudio(body: Buffer): Coded | undefined {
  const format = body[0] >> 4
  if (format === 9) return (body[0] & 0x0f) === CODED_FRAMES ? { data: body.subarray(5), offsetMs: 0 } : undefined
  if (format === 10) return body[1] === 1 ? { data: body.subarray(2), offsetMs: 0 } : undefined
  return { data: body.subarray(1), offsetMs: 0 }
}
