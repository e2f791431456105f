import { once } from 'node:events'
import type { FlvTag } from './paced-publisher.ts'
import { RtmpWire } from './rtmp-wire.ts'

/** Bytes that may wait in the socket. */
const MAX_WAITING_BYTES = 4_000_000
const AUDIO = 8
const VIDEO = 9

/** Connects and publishes `app`/`name`. */
export async function legacyPublisher(port: number, app: string, name: string): Promise<RtmpWire> {
  const wire = await RtmpWire.open(port)
  wire.setChunkSize(4096)
  await wire.app(app)
  await wire.publish(name)
  return wire
}

/** Sends the audio and video of an FLV file as fast as it goes, with `offsetMs` added to every timestamp. */
export async function sendTags(wire: RtmpWire, tags: readonly FlvTag[], offsetMs: number): Promise<void> {
  for (const { type, timestampMs, body } of tags) {
    // 32 bits, RTMP 1.0 §5.3.1.3
    const timestamp = (timestampMs + offsetMs) % 2 ** 32
    if (type === VIDEO) wire.video(timestamp, body)
    else if (type === AUDIO) wire.audio(timestamp, body)
    if (wire.socket.writableLength > MAX_WAITING_BYTES) await once(wire.socket, 'drain')
  }
}

/** The parameter sets of an AVC sequence header tag, as a keyframe carries them: each behind its length. */
export function parameterSets(tags: readonly FlvTag[]): Buffer {
  const header = tags.find(({ type, body }) => type === VIDEO && body[1] === 0)
  if (header === undefined) throw new Error('no AVC sequence header')
  // AVCDecoderConfigurationRecord behind five bytes of tag, ISO 14496-15 §5.3.3
  const record = header.body.subarray(5)
  const sets: Buffer[] = []
  let at = 5
  for (const mask of [0x1f, 0xff]) {
    const count = record[at++] & mask
    for (let i = 0; i < count; i++) {
      const length = record.readUInt16BE(at)
      const size = Buffer.alloc(4)
      size.writeUInt32BE(length)
      sets.push(size, record.subarray(at + 2, at + 2 + length))
      at += 2 + length
    }
  }
  return Buffer.concat(sets)
}
