import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** Just enough AMF0 for commands: written here again, so that a fault of ours is not its own proof. */
export type Amf = string | number | boolean | null | { [key: string]: Amf }

function amf(value: Amf): Buffer {
  if (value === null) return Buffer.from([5])
  if (typeof value === 'boolean') return Buffer.from([1, value ? 1 : 0])
  if (typeof value === 'number') {
    const bytes = Buffer.alloc(9)
    bytes.writeDoubleBE(value, 1)
    return bytes
  }
  if (typeof value === 'string') return Buffer.concat([Buffer.from([2]), text(value)])
  const fields = Object.entries(value).map(([key, field]) => Buffer.concat([text(key), amf(field)]))
  return Buffer.concat([Buffer.from([3]), ...fields, Buffer.from([0, 0, 9])])
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes])
}

/** A message as it came off the wire. */
export interface WireMessage {
  readonly type: number
  readonly timestamp: number
  readonly payload: Buffer
}

type Partial = { timestamp: number; length: number; type: number; extended: boolean; got: Buffer[]; gotBytes: number }

/** A small RTMP client of its own for tests: plain handshake, any message both ways. Independent of src/rtmp. */
export class RtmpWire {
  readonly socket: Socket
  readonly received: WireMessage[] = []
  #pending: Buffer = Buffer.alloc(0)
  #handshaken = false
  #chunkSize = 128
  #outChunkSize = 128
  readonly #streams = new Map<number, Partial>()
  #wake: () => void = () => {}
  closed = false

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (bytes) => this.#take(bytes))
    socket.on('error', () => {})
    socket.on('close', () => {
      this.closed = true
      this.#wake()
    })
  }

  static async open(port: number): Promise<RtmpWire> {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    const wire = new RtmpWire(socket)
    const c1 = Buffer.alloc(1536, 7)
    c1.fill(0, 0, 8)
    socket.write(Buffer.concat([Buffer.from([3]), c1]))
    while (wire.#pending.length < 1 + 1536 * 2) {
      if (wire.closed) throw new Error('closed by the server during the handshake')
      await wire.#next()
    }
    socket.write(wire.#pending.subarray(1, 1537))
    wire.#handshaken = true
    wire.#pending = wire.#pending.subarray(1 + 1536 * 2)
    wire.#parse()
    return wire
  }

  /** connect, createStream; the message stream is 1. */
  async app(name: string, properties: { [key: string]: Amf } = {}): Promise<void> {
    this.command(0, ['connect', 1, { app: name, tcUrl: `rtmp://127.0.0.1/${name}`, ...properties }])
    await this.until((message) => message.type === 20 && message.payload.includes('_result'))
    this.command(0, ['createStream', 2, null])
    const before = this.received.length
    await this.until((message) => message.type === 20 && message.payload.includes('_result'), before)
  }

  async publish(name: string): Promise<void> {
    this.command(1, ['publish', 3, null, name, 'live'])
    await this.status('NetStream.Publish.Start')
  }

  async play(name: string): Promise<void> {
    this.command(1, ['play', 4, null, name, -2])
    await this.status('NetStream.Play.Start')
  }

  command(streamId: number, values: Amf[]): void {
    this.send(3, 20, streamId, 0, Buffer.concat(values.map(amf)))
  }

  /** Waits for an onStatus with `code`; fails with what came instead when the connection closes. */
  async status(code: string): Promise<void> {
    await this.until((message) => message.type === 20 && message.payload.includes(code))
  }

  /** The first message from `start` on that fits, waiting for it. */
  async until(fits: (message: WireMessage) => boolean, start = 0): Promise<WireMessage> {
    for (let i = start; ; i++) {
      while (i >= this.received.length) {
        if (this.closed)
          throw new Error(`closed by the server; last: ${this.received.at(-1)?.payload.toString('latin1')}`)
        await this.#next()
      }
      const message = this.received[i]
      if (fits(message)) return message
    }
  }

  setChunkSize(size: number): void {
    const payload = Buffer.alloc(4)
    payload.writeUInt32BE(size)
    this.send(2, 1, 0, 0, payload)
    this.#outChunkSize = size
  }

  video(timestamp: number, body: Uint8Array): void {
    this.send(6, 9, 1, timestamp, body)
  }

  audio(timestamp: number, body: Uint8Array): void {
    this.send(4, 8, 1, timestamp, body)
  }

  metadata(properties: { [key: string]: Amf }): void {
    this.send(5, 18, 1, 0, Buffer.concat([amf('@setDataFrame'), amf('onMetaData'), amf(properties)]))
  }

  /** One message, every chunk stream's first header being a type 0 (§5.3.1.2.1). */
  send(chunkStreamId: number, type: number, streamId: number, timestamp: number, body: Uint8Array): void {
    const extended = timestamp >= 0xffffff
    const header = Buffer.alloc(12 + (extended ? 4 : 0))
    header[0] = chunkStreamId
    header.writeUIntBE(extended ? 0xffffff : timestamp, 1, 3)
    header.writeUIntBE(body.length, 4, 3)
    header[7] = type
    header.writeUInt32LE(streamId, 8)
    if (extended) header.writeUInt32BE(timestamp, 12)
    const parts: Uint8Array[] = [header, body.subarray(0, this.#outChunkSize)]
    for (let at = this.#outChunkSize; at < body.length; at += this.#outChunkSize) {
      parts.push(Buffer.from([0xc0 | chunkStreamId]))
      if (extended) parts.push(header.subarray(12))
      parts.push(body.subarray(at, at + this.#outChunkSize))
    }
    this.socket.write(Buffer.concat(parts))
  }

  /** Unpublishes and waits until the server has closed or everything is sent. */
  async end(): Promise<void> {
    this.command(0, ['FCUnpublish', 6, null, ''])
    this.command(0, ['deleteStream', 7, null, 1])
    this.socket.end()
    if (!this.closed) await once(this.socket, 'close')
  }

  destroy(): void {
    this.socket.destroy()
  }

  #next(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wake = resolve
    return promise
  }

  #take(bytes: Buffer): void {
    this.#pending = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes])
    if (this.#handshaken) this.#parse()
    this.#wake()
  }

  #parse(): void {
    while (this.#chunk());
  }

  /** One chunk off `#pending`; false when it is not whole yet. */
  #chunk(): boolean {
    const bytes = this.#pending
    if (bytes.length < 1) return false
    const format = bytes[0] >> 6
    const id = bytes[0] & 63
    const headerLength = [11, 7, 3, 0][format]
    let at = 1 + headerLength
    if (bytes.length < at + 4) {
      if (bytes.length < at) return false
    }
    const known = this.#streams.get(id)
    const stream = known ?? { timestamp: 0, length: 0, type: 0, extended: false, got: [], gotBytes: 0 }
    let stamp = 0
    if (headerLength >= 3) {
      stamp = bytes.readUIntBE(1, 3)
      stream.extended = stamp === 0xffffff
    }
    if (stream.extended) {
      if (bytes.length < at + 4) return false
      stamp = bytes.readUInt32BE(at)
      at += 4
    }
    const length = headerLength >= 7 ? bytes.readUIntBE(4, 3) : stream.length
    const take = Math.min(this.#chunkSize, length - stream.gotBytes)
    if (bytes.length < at + take) return false
    if (headerLength >= 7) {
      stream.length = length
      stream.type = bytes[7]
    }
    if (stream.gotBytes === 0) stream.timestamp = format === 0 ? stamp : stream.timestamp + stamp
    this.#streams.set(id, stream)
    stream.got.push(Buffer.from(bytes.subarray(at, at + take)))
    stream.gotBytes += take
    this.#pending = bytes.subarray(at + take)
    if (stream.gotBytes === stream.length) this.#message(stream)
    return true
  }

  #message(stream: Partial): void {
    const payload = Buffer.concat(stream.got)
    stream.got = []
    stream.gotBytes = 0
    if (stream.type === 1) this.#chunkSize = payload.readUInt32BE(0)
    this.received.push({ type: stream.type, timestamp: stream.timestamp, payload })
  }
}
