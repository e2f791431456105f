import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import type { TapedeckError } from '../media/errors.ts'
import type { Logger } from '../media/ports.ts'
import { type ByteConsumer, type ByteSource, StreamSource } from './byte-source.ts'
import { type ConnectionOptions, RtmpConnection } from './connection.ts'
import { AddressRate, QuietLog, type Refusal } from './connection-limits.ts'
import type { RtmpHandlers } from './handlers.ts'
import { isLoopback } from './loopback.ts'
import { takeOver } from './polled-source.ts'
import { type PacedReader, ReadPacer } from './read-pacer.ts'
import { OWN_CHUNK_SIZE } from './wire.ts'

/** Bounds of an RTMP server; what is left out is as in `RTMP_LIMITS`. */
export interface RtmpLimits {
  readonly maxConnections: number
  /** New connections of one IP address, per second; ten seconds' worth may come at once. This machine itself is not bound. */
  readonly perAddressPerSecond: number
  readonly maxMessageBytes: number
  /** Messages of one connection that have begun and are not complete, bytes. */
  readonly maxPendingBytes: number
  readonly handshakeTimeoutMs: number
  readonly idleTimeoutMs: number
}

/** Defaults. */
export const RTMP_LIMITS: RtmpLimits = {
  maxConnections: 2000,
  perAddressPerSecond: 100,
  maxMessageBytes: 16 * 1024 * 1024,
  maxPendingBytes: 32 * 1024 * 1024,
  handshakeTimeoutMs: 10_000,
  idleTimeoutMs: 30_000,
}

/** Where and how an RTMP server listens. */
export interface RtmpListenerOptions {
  readonly host: string
  /** 0 for any that is free. */
  readonly port: number
  readonly limits?: Partial<RtmpLimits>
  /** PEM texts of a key and its certificate chain: RTMPS. */
  readonly tls?: { readonly key: string | Buffer; readonly cert: string | Buffer }
  /** Announced to peers, bytes. */
  readonly chunkSize?: number
  /** Between reads of a publisher that is watched, ms. */
  readonly liveReadMs?: number
}

/** The log line of connections that were not let in. */
const REFUSED = 'RTMP connections refused'

/** A snapshot of a listener; all but the first three only grow. */
export interface RtmpListenerStats {
  readonly connections: number
  readonly publishers: number
  readonly players: number
  readonly accepted: number
  readonly refused: number
  /** Connections closed because the peer broke the protocol or a limit. */
  readonly failed: number
}

/** An RTMP (or RTMPS) server: accepts connections, and asks `handlers` about what they publish and play. */
export class RtmpListener {
  readonly #options: RtmpListenerOptions
  readonly #limits: RtmpLimits
  readonly #connectionOptions: ConnectionOptions
  readonly #handlers: RtmpHandlers
  readonly #logger: Logger
  readonly #server: Server
  readonly #pacer: ReadPacer
  readonly #rate: AddressRate
  readonly #quiet: QuietLog
  readonly #connections = new Set<RtmpConnection>()
  #clock: NodeJS.Timeout | undefined
  #closing: PromiseWithResolvers<void> | undefined
  #lastId = 0
  #refused = 0
  #failed = 0

  constructor(options: RtmpListenerOptions, handlers: RtmpHandlers, logger: Logger) {
    this.#options = options
    this.#limits = { ...RTMP_LIMITS, ...options.limits }
    this.#connectionOptions = { ...this.#limits, chunkSize: options.chunkSize ?? OWN_CHUNK_SIZE }
    this.#handlers = handlers
    this.#logger = logger
    this.#pacer = new ReadPacer(options.liveReadMs ?? 60)
    this.#rate = new AddressRate(this.#limits.perAddressPerSecond)
    this.#quiet = new QuietLog((message, fields, count) => {
      if (message === REFUSED) logger.warn({ ...fields, count }, message)
      else logger.info({ ...fields, count }, message)
    })
    this.#server = options.tls === undefined ? this.#plainServer() : this.#tlsServer(options.tls)
  }

  /** @throws the system's own error (EADDRINUSE and the like): whoever knows the setting words it */
  async listen(): Promise<{ host: string; port: number }> {
    const { host, port } = this.#options
    const server = this.#server
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    server.once('error', reject)
    server.listen({ host, port, backlog: 1024 }, resolve)
    await promise
    server.off('error', reject)
    server.on('error', (error) => this.#logger.error({ err: error }, 'RTMP listener'))
    this.#clock = setInterval(() => this.#tick(), 1000)
    const bound = addressOf(server)
    return { host: bound?.address ?? host, port: bound?.port ?? port }
  }

  get stats(): RtmpListenerStats {
    let publishers = 0
    let players = 0
    for (const connection of this.#connections) {
      if (connection.publishing) publishers++
      if (connection.playing) players++
    }
    return {
      connections: this.#connections.size,
      publishers,
      players,
      accepted: this.#lastId,
      refused: this.#refused,
      failed: this.#failed,
    }
  }

  /** Accepts no more, ends all connections politely, and after `deadlineMs` at once. Idempotent. */
  async close(deadlineMs: number): Promise<void> {
    if (this.#closing === undefined) {
      this.#closing = Promise.withResolvers()
      clearInterval(this.#clock)
      if (this.#server.listening) this.#server.close()
      for (const connection of this.#connections) connection.close('shutdown')
      if (this.#connections.size === 0) this.#closing.resolve()
    }
    const timer = setTimeout(() => {
      for (const connection of this.#connections) connection.destroy('shutdown')
    }, deadlineMs)
    await this.#closing.promise
    clearTimeout(timer)
    this.#quiet.close()
  }

  #plainServer(): Server {
    return createServer({ pauseOnConnect: true, noDelay: true }, (accepted) => {
      if (this.#refuses(accepted)) return
      const address = addressText(accepted)
      const taken = takeOver(accepted)
      const socket = taken?.socket ?? accepted
      this.#connect(socket, address, (consumer) => taken?.source(consumer) ?? new StreamSource(socket, consumer))
    })
  }

  #tlsServer(tls: { readonly key: string | Buffer; readonly cert: string | Buffer }): Server {
    const server = createTlsServer(
      { ...tls, noDelay: true, handshakeTimeout: this.#limits.handshakeTimeoutMs },
      (socket) => this.#connect(socket, addressText(socket), (consumer) => new StreamSource(socket, consumer)),
    )
    server.maxConnections = this.#limits.maxConnections // those in mid-handshake count too
    server.prependListener('connection', (socket: Socket) => this.#refuses(socket))
    server.on('drop', () => this.#refuse('too many connections'))
    server.on('tlsClientError', (error, socket) => this.#tlsFailed(error, socket))
    return server
  }

  /** Destroys the socket if it may not come in. */
  #refuses(socket: Socket): boolean {
    const nowMs = performance.now()
    if (this.#connections.size >= this.#limits.maxConnections) this.#refuse('too many connections', socket)
    else if (this.#isTooOften(socket.remoteAddress ?? '', nowMs)) this.#refuse('too many from one address', socket)
    else if (this.#closing === undefined) return false
    socket.destroy()
    return true
  }

  /** What comes from this machine is its own doing, or a proxy's for many. */
  #isTooOften(address: string, nowMs: number): boolean {
    return !isLoopback(address) && !this.#rate.take(address, nowMs)
  }

  #refuse(reason: Refusal, socket?: Socket): void {
    this.#refused++
    const peer = socket === undefined ? {} : { peer: addressText(socket) }
    this.#quiet.note(REFUSED, { code: 'TD_LIMIT', reason, ...peer }, performance.now())
  }

  #tlsFailed(error: Error, socket: Socket): void {
    const code = 'code' in error ? String(error.code) : undefined
    this.#quiet.note(
      'TLS handshakes failed',
      { code, reason: error.message, peer: addressText(socket) },
      performance.now(),
    )
  }

  #connect(socket: Socket, address: string, sourceOf: (consumer: ByteConsumer) => ByteSource): void {
    if (socket.destroyed) return
    if (this.#closing !== undefined) {
      socket.destroy()
      return
    }
    const identity = { id: ++this.#lastId, address, secure: this.#options.tls !== undefined }
    const connection = new RtmpConnection(identity, socket, this.#handlers, this.#connectionOptions, this.#logger, this)
    this.#connections.add(connection)
    const reader: PacedReader = this.#pacer.reader(connection)
    connection.reading = reader
    reader.attach(sourceOf(reader))
  }

  /** For connections alone. */
  closed(connection: RtmpConnection): void {
    this.#connections.delete(connection)
    if (this.#connections.size === 0) this.#closing?.resolve()
  }

  /** For connections alone. */
  failed(connection: RtmpConnection, error: TapedeckError): void {
    this.#failed++
    const fields = { peer: connection.address, code: error.code, reason: error.message }
    if (connection.publishing) this.#logger.warn(fields, 'RTMP publisher dropped')
    else this.#quiet.note('RTMP connection dropped', fields, performance.now())
  }

  /** For connections alone. */
  refused(connection: RtmpConnection, action: 'publish' | 'play', error: TapedeckError): void {
    const fields = { peer: connection.address, code: error.code, reason: error.message }
    this.#quiet.note(`${action} refused`, fields, performance.now())
  }

  #tick(): void {
    const nowMs = performance.now()
    for (const connection of this.#connections) connection.tick(nowMs)
    this.#quiet.tick(nowMs)
  }
}

function addressText(socket: Socket): string {
  return `${socket.remoteFamily === 'IPv6' ? `[${socket.remoteAddress}]` : socket.remoteAddress}:${socket.remotePort}`
}

function addressOf(server: Server): AddressInfo | undefined {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address : undefined
}
