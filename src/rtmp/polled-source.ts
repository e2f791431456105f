import { readSync } from 'node:fs'
import { type OnReadOpts, Socket } from 'node:net'
import { type ByteConsumer, type ByteSource, onEnd } from './byte-source.ts'

/** One for all connections: it is emptied before the next read. Larger reads gain nothing (measured). */
const READ_BUFFER = Buffer.allocUnsafeSlow(64 * 1024)
/** Somebody is at it: a poll from within, of this or another connection, would overwrite what is being read. */
let bufferInUse = false
/** Reads in one `poll`, so that one fast publisher does not keep the others waiting. */
const MAX_READS_PER_POLL = 4

/** A socket that was accepted, and how it is read. */
export interface PolledSocket {
  readonly socket: Socket
  /** Begins flowing. */
  source(consumer: ByteConsumer): ByteSource
}

/**
 * Gives an accepted socket a shared read buffer instead of a new one for each read, and lets it be read without waiting
 * for the operating system to say that there is something: a third of the cost of reading a hundred paced publishers,
 * as nobody is woken. Both need the socket's handle, which Node does not document: undefined where it is not there
 * or is not what it was (TLS, pipes, other systems), and then a `StreamSource` does the same at a higher price.
 *
 * `accepted` is used up when a socket is returned; it must be fresh from a server with `pauseOnConnect`.
 */
export function takeOver(accepted: Socket): PolledSocket | undefined {
  const handle: unknown = Reflect.get(accepted, '_handle')
  if (typeof handle !== 'object' || handle === null) return undefined
  const fd: unknown = Reflect.get(handle, 'fd')
  if (typeof fd !== 'number' || fd < 0) return undefined
  if (typeof Reflect.get(handle, 'useUserBuffer') !== 'function') return undefined
  let source: PolledSource | undefined
  const onread: OnReadOpts = { buffer: READ_BUFFER, callback: (length) => source?.flowed(length) ?? false }
  const socket: unknown = Reflect.construct(Socket, [{ handle, onread }])
  if (!(socket instanceof Socket)) return undefined
  Reflect.set(accepted, '_handle', null)
  accepted.destroy()
  return { socket, source: (consumer) => (source = new PolledSource(socket, fd, consumer)) }
}

class PolledSource implements ByteSource {
  readonly #socket: Socket
  readonly #fd: number
  readonly #consumer: ByteConsumer
  readonly #end: () => void
  #flowing = true
  #polling = false

  constructor(socket: Socket, fd: number, consumer: ByteConsumer) {
    this.#socket = socket
    this.#fd = fd
    this.#consumer = consumer
    this.#end = onEnd(socket, consumer)
  }

  flow(): void {
    this.#flowing = true
    this.#polling = false
    this.#socket.resume()
  }

  /** Outside of `bytes` one more read may come: then `flowed` says that it was the last. */
  halt(): void {
    this.#flowing = false
    this.#polling = false
  }

  /** For the socket: its buffer has `length` bytes. False stops it from reading. */
  flowed(length: number): boolean {
    this.#deliver(length)
    return this.#flowing
  }

  poll(): void {
    if (bufferInUse) return
    this.#polling = true
    for (let reads = 0; reads < MAX_READS_PER_POLL && this.#polling && !this.#socket.destroyed; reads++) {
      const length = this.#read()
      if (length <= 0) break
      this.#deliver(length)
      if (length < READ_BUFFER.length) break
    }
    this.#polling = false
  }

  #deliver(length: number): void {
    bufferInUse = true
    try {
      this.#consumer.bytes(READ_BUFFER, length)
    } finally {
      bufferInUse = false
    }
  }

  /** -1 when nothing is there. */
  #read(): number {
    try {
      const length = readSync(this.#fd, READ_BUFFER)
      if (length === 0) this.#finish()
      return length
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') return -1
      this.#socket.destroy(error instanceof Error ? error : undefined)
      return -1
    }
  }

  /** The peer has finished; the socket itself does not see it while it is not reading. */
  #finish(): void {
    this.#end()
    this.#socket.destroySoon()
  }
}
