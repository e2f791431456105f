import { Arena } from '../../src/media/arena.ts'
import { UnsupportedError } from '../../src/media/errors.ts'
import { Frame } from '../../src/media/frame.ts'
import type { Track } from '../../src/media/track.ts'
import type {
  EngineSession,
  MediaEngine,
  PublishRequest,
  PublishSink,
  SessionSink,
  WatchRequest,
} from '../../src/webrtc/engine.ts'
import type { LocalTransport, TransportFactory } from '../../src/webrtc/transport.ts'
import { answerTo, transportOf } from './sdp-transport.ts'

const TRACK: Track = {
  kind: 'video',
  id: 1,
  epoch: 0,
  timescale: 90_000,
  codec: 'vp8',
  width: 640,
  height: 360,
  config: new Uint8Array(0),
}

/**
 * An engine that knows nothing of codecs: what RTP packets with one timestamp carry is a frame. The first byte of a payload
 * that is 1 makes it a keyframe.
 */
export class RelayingEngine implements MediaEngine {
  readonly #transports: TransportFactory

  constructor(transports: TransportFactory) {
    this.#transports = transports
  }

  async publish(request: PublishRequest, sink: PublishSink): Promise<EngineSession> {
    const arena = new Arena()
    const unit = Buffer.alloc(1 << 20)
    let length = 0
    const local: LocalTransport = await this.#transports.accept(transportOf(request.offer), {
      onPacket: (packet) => {
        const payload = packet.subarray(12)
        unit.set(payload, length)
        length += payload.length
        if ((packet[1] & 0x80) === 0) return
        const timestamp = Buffer.from(packet.buffer, packet.byteOffset).readUInt32BE(4)
        const block = arena.copy(unit.subarray(0, length))
        const data = new Uint8Array(block.bytes.buffer, block.bytes.byteOffset + arena.start, length)
        sink.frame(new Frame(TRACK, timestamp, timestamp, data[0] === 1, data, block))
        block.release()
        length = 0
      },
      onBatch: () => sink.flush(),
      onState: (state) => {
        if (state === 'connected') {
          sink.met('connected')
          sink.track(TRACK)
        }
      },
    })
    return {
      id: request.id,
      answer: answerTo(request.offer, local),
      addCandidates: () => {},
      requestKeyframe: () => {},
      finish: () => {
        local.transport.close()
        sink.end({ reason: 'finished' })
      },
      close: () => local.transport.close(),
    }
  }

  async watch(request: WatchRequest, _sink: SessionSink): Promise<EngineSession> {
    throw new UnsupportedError(`session ${request.publisherId}: nobody publishes it`)
  }

  close(): Promise<void> {
    return this.#transports.close()
  }
}
