import { EventEmitter, once } from 'node:events'
import type { AmfValue } from '../../src/container/flv/amf0.ts'
import { writeAmf0Values } from '../../src/container/flv/amf0.ts'
import { TapedeckError } from '../../src/media/errors.ts'
import type { Logger } from '../../src/media/ports.ts'
import { ChunkWriter, chunkedBytes } from '../../src/rtmp/chunk-writer.ts'
import { StreamNotFoundError } from '../../src/rtmp/errors.ts'
import type {
  PublishEnd,
  RtmpHandlers,
  RtmpPlayOutput,
  RtmpPlaySource,
  RtmpPublishSink,
  StreamRequest,
} from '../../src/rtmp/handlers.ts'

/** Somebody publishes under the name. */
export class BusyError extends TapedeckError {
  readonly code = 'TD_NAME_BUSY'
  readonly fault = 'peer'
}

/** What one publisher sent, and who plays it. Keeps everything: for tests of seconds. */
export class RelayedStream extends EventEmitter implements RtmpPublishSink {
  readonly request: StreamRequest
  readonly media_: { type: number; timestampMs: number; payload: Buffer }[] = []
  readonly data_: AmfValue[][] = []
  readonly players = new Set<RtmpPlayOutput>()
  flushes = 0
  ended: PublishEnd | undefined
  held = false
  live = false
  /** Thrown at the next message. */
  failure: Error | undefined

  constructor(request: StreamRequest) {
    super()
    this.request = request
  }

  get bytes(): number {
    return this.media_.reduce((sum, m) => sum + m.payload.length, 0)
  }

  media(type: 8 | 9, timestampMs: number, payload: Uint8Array): void {
    if (this.failure) throw this.failure
    const message = { type, timestampMs, payload: Buffer.from(payload) }
    this.media_.push(message)
    for (const player of this.players) this.#send(player, message)
    this.emit('media')
  }

  data(timestampMs: number, values: readonly AmfValue[]): void {
    this.data_.push([...values])
    for (const player of this.players) this.#send(player, { type: 18, timestampMs, payload: writeAmf0Values(values) })
    this.emit('media')
  }

  flush(): void {
    this.flushes++
  }

  end(reason: PublishEnd): void {
    if (this.ended !== undefined) throw new Error('ended twice')
    this.ended = reason
    for (const player of this.players) {
      player.status('NetStream.Play.UnpublishNotify', 'over')
      player.status('NetStream.Play.Stop', 'over')
    }
    this.emit('end')
  }

  join(player: RtmpPlayOutput): void {
    for (const values of this.data_) this.#send(player, { type: 18, timestampMs: 0, payload: writeAmf0Values(values) })
    for (const message of this.media_) this.#send(player, message)
    this.players.add(player)
    this.emit('player')
  }

  #send(player: RtmpPlayOutput, message: { type: number; timestampMs: number; payload: Uint8Array }): void {
    const bytes = Buffer.alloc(chunkedBytes(message.payload.length, message.timestampMs, player.chunkSize))
    const chunkStreamId = message.type === 8 ? 4 : 6
    new ChunkWriter(player.chunkSize)
      .target(bytes)
      .begin(chunkStreamId, message.type, message.timestampMs, player.messageStreamId, message.payload.length)
      .put(message.payload)
    player.send(bytes)
  }
}

/** Handlers that keep what is published, and send it on to whoever plays the same name. */
export class Relay extends EventEmitter implements RtmpHandlers {
  readonly streams = new Map<string, RelayedStream>()
  /** Thrown at the next publish or play. */
  refusal: Error | undefined
  /** Publish answers only after this. */
  gate: Promise<void> = Promise.resolve()

  async publish(request: StreamRequest): Promise<RtmpPublishSink> {
    await this.gate
    if (this.refusal) throw this.refusal
    const busy = this.streams.get(keyOf(request))
    if (busy !== undefined && busy.ended === undefined) throw new BusyError(`${keyOf(request)} is taken`)
    const stream = new RelayedStream(request)
    this.streams.set(keyOf(request), stream)
    this.emit('stream', stream)
    return stream
  }

  async play(request: StreamRequest, output: RtmpPlayOutput): Promise<RtmpPlaySource> {
    if (this.refusal) throw this.refusal
    const stream = this.streams.get(keyOf(request))
    if (stream === undefined || stream.ended !== undefined) throw new StreamNotFoundError(request.app, request.name)
    stream.join(output)
    return {
      pause: (paused) => stream.emit('pause', paused),
      end: () => {
        stream.players.delete(output)
        stream.emit('player')
      },
    }
  }

  /** The stream of that name, when it comes. */
  async stream(key: string): Promise<RelayedStream> {
    for (;;) {
      const stream = this.streams.get(key)
      if (stream !== undefined) return stream
      await once(this, 'stream')
    }
  }
}

function keyOf(request: StreamRequest): string {
  return `${request.app}/${request.name}`
}

/** Resolves when `condition` holds, looked at whenever `emitter` emits `event`. */
export async function until(emitter: EventEmitter, event: string, condition: () => boolean): Promise<void> {
  while (!condition()) await once(emitter, event)
}

/** Keeps log lines. */
export class LogLines implements Logger {
  readonly lines: { level: string; fields: object; message: string }[] = []
  debug = (fields: object, message: string) => this.#add('debug', fields, message)
  info = (fields: object, message: string) => this.#add('info', fields, message)
  warn = (fields: object, message: string) => this.#add('warn', fields, message)
  error = (fields: object, message: string) => this.#add('error', fields, message)

  #add(level: string, fields: object, message: string): void {
    this.lines.push({ level, fields, message })
  }

  of(level: string): string[] {
    return this.lines.filter((line) => line.level === level).map((line) => line.message)
  }
}
