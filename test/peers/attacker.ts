import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** Plain handshake, RTMP 1.0 §5.2. */
const HELLO = Buffer.concat([Buffer.of(3), Buffer.alloc(1536)])
const ANSWER_BYTES = 1 + 2 * 1536

/** A connection that keeps to no rule, and knows how it ended. */
export class Attacker {
  readonly socket: Socket
  readonly #openedAtMs = performance.now()
  /** Resolves when it is closed, by whomever, with how long it was open, ms. */
  readonly closed: Promise<number>
  receivedBytes = 0

  private constructor(socket: Socket) {
    this.socket = socket
    const { promise, resolve } = Promise.withResolvers<number>()
    this.closed = promise
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(performance.now() - this.#openedAtMs))
    socket.on('data', (bytes) => {
      this.receivedBytes += bytes.length
    })
  }

  /** Connected, nothing more. */
  static async open(port: number): Promise<Attacker> {
    const socket = connect(port, '127.0.0.1')
    const attacker = new Attacker(socket)
    await Promise.race([once(socket, 'connect'), attacker.closed])
    return attacker
  }

  /** Through the handshake. */
  static async shaken(port: number): Promise<Attacker> {
    const attacker = await Attacker.open(port)
    attacker.send(HELLO)
    while (attacker.receivedBytes < ANSWER_BYTES) await once(attacker.socket, 'data')
    attacker.send(Buffer.alloc(1536))
    return attacker
  }

  /** Through connect, too, and createStream. */
  static async connected(port: number, app = 'live'): Promise<Attacker> {
    const attacker = await Attacker.shaken(port)
    attacker.send(command(0, text('connect'), number(1), object([['app', text(app)]])))
    attacker.send(command(0, text('createStream'), number(2), Buffer.of(5)))
    return attacker
  }

  send(...bytes: readonly Uint8Array[]): void {
    if (!this.socket.destroyed) this.socket.write(Buffer.concat(bytes))
  }

  /** One byte now and then, for ever. */
  drip(bytes: Uint8Array, intervalMs: number): void {
    let at = 0
    const timer = setInterval(() => this.send(bytes.subarray(at % bytes.length, (at++ % bytes.length) + 1)), intervalMs)
    this.socket.on('close', () => clearInterval(timer))
  }

  destroy(): void {
    this.socket.destroy()
  }
}

/** AMF0 number. */
export function number(value: number): Buffer {
  const bytes = Buffer.alloc(9)
  bytes.writeDoubleBE(value, 1)
  return bytes
}

/** AMF0 string. */
export function text(value: string): Buffer {
  return Buffer.concat([Buffer.of(2), key(value)])
}

/** AMF0 object of encoded members. */
export function object(members: readonly (readonly [string, Uint8Array])[]): Buffer {
  return Buffer.concat([Buffer.of(3), ...members.flatMap(([name, value]) => [key(name), value]), Buffer.of(0, 0, 9)])
}

function key(name: string): Buffer {
  const bytes = Buffer.from(name)
  return Buffer.concat([Buffer.of(bytes.length >> 8, bytes.length & 255), bytes])
}

/** A type 0 chunk header, §5.3.1.2.1, with whatever length is said. */
export function header(chunkStreamId: number, type: number, lengthBytes: number, messageStreamId: number): Buffer {
  const rest = chunkStreamId - 64
  const basic = chunkStreamId < 64 ? [chunkStreamId] : chunkStreamId < 320 ? [0, rest] : [1, rest & 255, rest >> 8]
  const message = Buffer.alloc(11)
  message.writeUIntBE(lengthBytes, 3, 3)
  message[6] = type
  message.writeUInt32LE(messageStreamId, 7)
  return Buffer.concat([Buffer.from(basic), message])
}

/** A whole message in chunks of `chunkSize`. */
export function message(
  ...[chunkStreamId, type, messageStreamId, body, chunkSize = 128]: readonly [
    number,
    number,
    number,
    Uint8Array,
    number?,
  ]
): Buffer {
  const parts: Uint8Array[] = [header(chunkStreamId, type, body.length, messageStreamId), body.subarray(0, chunkSize)]
  for (let at = chunkSize; at < body.length; at += chunkSize) {
    parts.push(Buffer.of(0xc0 | chunkStreamId), body.subarray(at, at + chunkSize))
  }
  return Buffer.concat(parts)
}

/** An AMF0 command of encoded values. */
export function command(messageStreamId: number, ...values: readonly Uint8Array[]): Buffer {
  return message(3, 20, messageStreamId, Buffer.concat(values))
}

/** SetChunkSize, §5.4.1. */
export function chunkSize(size: number): Buffer {
  const body = Buffer.alloc(4)
  body.writeUInt32BE(size)
  return message(2, 1, 0, body)
}
