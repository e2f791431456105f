import type { Socket } from 'node:net'
import { LimitError, TapedeckError } from '../media/errors.ts'
import type { Logger } from '../media/ports.ts'
import { RtmpTimeoutError } from './errors.ts'
import type { PublishEnd, RtmpHandlers, RtmpPeer } from './handlers.ts'
import { ServerHandshake } from './handshake.ts'
import type { Appetite, PacedConsumer } from './read-pacer.ts'
import { ServerSession, type SessionOptions } from './server-session.ts'
import type { SessionHost } from './session-host.ts'
import { USER_CONTROL } from './wire.ts'

/** Between pings, ms. */
const PING_INTERVAL_MS = 30_000
/** Without a byte from a player in spite of pings, ms: it is gone. */
const SILENT_PLAYER_MS = 3 * PING_INTERVAL_MS
/** What a closing connection may take to send its rest, ms. */
const CLOSING_MS = 1000
/** A peer that makes us answer, and does not read the answers, bytes. */
const MAX_UNREAD_ANSWER_BYTES = 1024 * 1024
/** The same for one that has played, bytes: playback has tighter bounds in time. */
const MAX_UNREAD_MEDIA_BYTES = 64 * 1024 * 1024
/** What may lie here while a handler thinks, bytes: a read buffer, and what was on its way. */
const MAX_BACKLOG_BYTES = 1024 * 1024

/** Settings of all connections of a server. */
export interface ConnectionOptions extends SessionOptions {
  /** From being accepted until connect is through. */
  readonly handshakeTimeoutMs: number
  /** Without a byte from a publisher that is not held back; also after connect, without publishing or playing anything. */
  readonly idleTimeoutMs: number
}

/** The reader of a connection, as far as the connection steers it. */
export interface Reading {
  /** The appetite may have come back. */
  wake(): void
  /** Reads what has come by now, as nothing will be read later. */
  drain(): void
}

/** What a server wants to know of its connections. */
export interface ConnectionHooks {
  /** Called once. */
  closed(connection: RtmpConnection): void
  /** The peer broke the protocol or a limit; the connection closes by itself. */
  failed(connection: RtmpConnection, error: TapedeckError): void
  /** The peer may not publish or play what it asked for. */
  refused(connection: RtmpConnection, action: 'publish' | 'play', error: TapedeckError): void
}

/** handshake → open → closing → closed. */
type ConnectionState = 'handshake' | 'open' | 'closing' | 'closed'

/**
 * One peer of a server: its socket, its deadlines, and the `ServerSession` that speaks with it.
 *
 * However it ends, every sink and source of it gets exactly one `end`, and `closed` is called once.
 */
export class RtmpConnection implements RtmpPeer, SessionHost, PacedConsumer {
  readonly id: number
  readonly address: string
  readonly secure: boolean
  readonly logger: Logger
  readonly #socket: Socket
  readonly #options: ConnectionOptions
  readonly #hooks: ConnectionHooks
  readonly #session: ServerSession
  #handshake: ServerHandshake | undefined
  #state: ConnectionState = 'handshake'
  #suspended = false
  #backlog: Buffer[] = []
  #backlogBytes = 0
  #corked = false
  #lastByteMs = performance.now()
  #lastBusyMs = this.#lastByteMs
  #lastPingMs = this.#lastByteMs
  /** Who reads for us. */
  reading: Reading | undefined

  constructor(
    identity: { id: number; address: string; secure: boolean },
    socket: Socket,
    handlers: RtmpHandlers,
    options: ConnectionOptions,
    logger: Logger,
    hooks: ConnectionHooks,
  ) {
    this.id = identity.id
    this.address = identity.address
    this.secure = identity.secure
    this.logger = logger
    this.#socket = socket
    this.#options = options
    this.#hooks = hooks
    this.#handshake = new ServerHandshake((bytes) => this.gather(bytes))
    this.#session = new ServerSession(this, handlers, options)
  }

  get peer(): RtmpPeer {
    return this
  }
  get agent(): string {
    return this.#session.agent
  }
  get publishing(): boolean {
    return this.#session.streams.publishing
  }
  get playing(): boolean {
    return this.#session.streams.playing
  }
  get unsentBytes(): number {
    return this.#socket.writableLength
  }
  get receivedBytes(): number {
    return this.#session.link.receivedBytes
  }

  get appetite(): Appetite {
    if (this.#state !== 'open') return 'now'
    if (this.#suspended) return 'nothing'
    const { streams } = this.#session
    if (!streams.publishing) return 'now'
    if (streams.held) return 'nothing'
    return streams.live ? 'gather-live' : 'gather'
  }

  /** From the socket. */
  bytes(bytes: Buffer, length: number): void {
    this.#lastByteMs = performance.now()
    if (this.#state === 'closing' || this.#state === 'closed') return
    if (this.#suspended) this.#keep(bytes, 0, length)
    else this.#receive(bytes, length)
  }

  /** From the socket: nothing more comes. */
  ended(error: Error | undefined): void {
    if (error !== undefined) this.logger.debug({ peer: this.address, err: error }, 'RTMP connection broke')
    this.#close('lost')
  }

  write(bytes: Uint8Array): void {
    if (!this.#socket.destroyed && !this.#socket.writableEnded) this.#socket.write(bytes)
  }

  gather(bytes: Uint8Array): void {
    if (!this.#corked) {
      this.#corked = true
      this.#socket.cork()
      process.nextTick(uncork, this)
    }
    this.write(bytes)
  }

  /** For `gather` alone. */
  uncork(): void {
    this.#corked = false
    this.#socket.uncork()
  }

  disconnect(): void {
    this.close('kicked')
  }

  /** Ends what goes on here for `reason`, sends what is queued, and closes within a second. Idempotent. */
  close(reason: PublishEnd): void {
    if (this.#state === 'closing' || this.#state === 'closed') return
    if (reason === 'shutdown') this.reading?.drain()
    this.#state = 'closing'
    this.#session.end(reason)
    this.#backlog = []
    // Data on its way would make the system reset the connection, and our last words be lost: read it and forget it.
    this.reading?.wake()
    this.#socket.end()
    this.#destroyLater()
  }

  /** Now, without a word. */
  destroy(reason: PublishEnd): void {
    this.#socket.destroy()
    this.#close(reason)
  }

  refused(action: 'publish' | 'play', error: TapedeckError): void {
    this.#hooks.refused(this, action, error)
  }

  suspend(work: Promise<void>): void {
    this.#suspended = true
    this.#session.link.stop()
    work.then(
      () => this.#goOn(),
      (error: unknown) => this.#fail(error),
    )
  }

  /** Deadlines and pings; call about once a second with `performance.now()`. */
  tick(nowMs: number): void {
    if (this.#state === 'closing' || this.#state === 'closed' || this.#suspended) return
    const error = this.#overdue(nowMs)
    if (error !== undefined) {
      this.#fail(error)
      return
    }
    if (this.#state !== 'open' || nowMs - this.#lastPingMs < PING_INTERVAL_MS) return
    this.#lastPingMs = nowMs
    this.#session.link.sendUserControl(USER_CONTROL.PING_REQUEST, Math.floor(nowMs) % 2 ** 32)
  }

  #overdue(nowMs: number): TapedeckError | undefined {
    const { handshakeTimeoutMs, idleTimeoutMs } = this.#options
    const { streams, connected } = this.#session
    if (streams.held) this.#lastByteMs = nowMs
    if (streams.publishing || streams.playing) {
      this.#lastBusyMs = nowMs
      const limitMs = streams.publishing ? idleTimeoutMs : SILENT_PLAYER_MS
      return nowMs - this.#lastByteMs > limitMs ? new RtmpTimeoutError(this.address, limitMs) : undefined
    }
    const limitMs = connected ? idleTimeoutMs : handshakeTimeoutMs
    if (nowMs - this.#lastBusyMs <= limitMs) return undefined
    const awaited = connected ? 'publish or play' : 'RTMP handshake and connect'
    return new RtmpTimeoutError(`${awaited} of ${this.address}`, limitMs)
  }

  #receive(bytes: Buffer, length: number): void {
    try {
      const from = this.#handshake === undefined ? 0 : this.#shakeHands(this.#handshake, bytes, length)
      const to = this.#session.link.receive(bytes, from, length)
      this.#session.streams.flush()
      if (to < length && this.#suspended) this.#keep(bytes, to, length)
      const limit = this.#session.streams.hasPlayed ? MAX_UNREAD_MEDIA_BYTES : MAX_UNREAD_ANSWER_BYTES
      if (this.#socket.writableLength > limit) throw new LimitError('bytes not read by the peer', { limit })
    } catch (error) {
      this.#fail(error)
    }
  }

  #shakeHands(handshake: ServerHandshake, bytes: Buffer, length: number): number {
    const to = handshake.receive(bytes, 0, length)
    if (handshake.done) {
      this.#handshake = undefined
      this.#state = 'open'
    }
    return to
  }

  #keep(bytes: Buffer, from: number, to: number): void {
    this.#backlog.push(Buffer.from(bytes.subarray(from, to)))
    this.#backlogBytes += to - from
    if (this.#backlogBytes > MAX_BACKLOG_BYTES) {
      this.#fail(new LimitError('bytes sent before the answer to publish or play', { limit: MAX_BACKLOG_BYTES }))
    }
  }

  /** The handler has answered: what came meanwhile, and then on. */
  #goOn(): void {
    this.#suspended = false
    this.#session.link.resume()
    const backlog = this.#backlog
    this.#backlog = []
    this.#backlogBytes = 0
    for (const bytes of backlog) this.bytes(bytes, bytes.length) // may suspend again, and then keeps the rest
    this.reading?.wake()
  }

  #fail(error: unknown): void {
    if (this.#state === 'closing' || this.#state === 'closed') return
    this.#suspended = false
    if (error instanceof TapedeckError) this.#hooks.failed(this, error)
    else this.logger.error({ peer: this.address, err: error }, 'RTMP connection failed')
    this.#session.streams.refuseAll(error)
    this.close('kicked')
  }

  #close(reason: PublishEnd): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#backlog = []
    this.#session.end(reason)
    this.#socket.destroySoon()
    this.#destroyLater()
    this.#hooks.closed(this)
  }

  #destroyLater(): void {
    if (!this.#socket.destroyed) setTimeout(() => this.#socket.destroy(), CLOSING_MS).unref()
  }
}

function uncork(connection: RtmpConnection): void {
  connection.uncork()
}
