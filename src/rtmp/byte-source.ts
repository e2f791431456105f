import type { Socket } from 'node:net'

/** Where the bytes of a connection go. Calls come one at a time, never from within another. */
export interface ByteConsumer {
  /** `bytes` is good for the call only, up to `length`. */
  bytes(bytes: Buffer, length: number): void
  /** Nothing more will come, once: the peer has finished, or `error` has. */
  ended(error: Error | undefined): void
}

/** The reading half of a connection, with its hand on the tap. Begins flowing. */
export interface ByteSource {
  /** Reads as data comes. */
  flow(): void
  /** Reads nothing, until told, except that one read under way may still be delivered. */
  halt(): void
  /** While halted: takes what has come meanwhile. May deliver it now or soon. */
  poll(): void
}

/** A source on the public interface of a stream: for TLS, and wherever the cheap way does not work. */
export class StreamSource implements ByteSource {
  readonly #socket: Socket
  #polling = false

  constructor(socket: Socket, consumer: ByteConsumer) {
    this.#socket = socket
    socket.on('data', (bytes: Buffer) => consumer.bytes(bytes, bytes.length))
    onEnd(socket, consumer)
  }

  flow(): void {
    this.#polling = false
    this.#socket.resume()
  }

  halt(): void {
    this.#polling = false
    this.#socket.pause()
  }

  /** Lets the event loop read once: all that has come, in pieces of a TLS record. */
  poll(): void {
    this.#polling = true
    this.#socket.resume()
    setImmediate(() => {
      if (this.#polling) this.halt()
    })
  }
}

/** Tells `consumer` once that `socket` has no more to give. */
export function onEnd(socket: Socket, consumer: ByteConsumer): () => void {
  let ended = false
  let failure: Error | undefined
  const end = () => {
    if (ended) return
    ended = true
    consumer.ended(failure)
  }
  socket.on('error', (error) => (failure ??= error))
  socket.on('end', end)
  socket.on('close', end)
  return end
}
