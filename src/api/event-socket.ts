import websocket, { type WebSocket } from '@fastify/websocket'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { decodeJwt } from 'jose'
import type { EventListener } from '../events/event-log.ts'
import type { Logger } from '../media/ports.ts'
import type { Access } from './access.ts'
import type { ErrorBody } from './error-answer.ts'
import { EventConnection, type EventHistory } from './event-connection.ts'
import {
  CLOSE,
  type ClientMessage,
  type EventQuery,
  eventText,
  MAX_CLIENT_MESSAGE_BYTES,
  parseClientMessage,
  parseEventQuery,
} from './event-message.ts'
import { ForbiddenError } from './permission.ts'
import { BadTokenError } from './token.ts'
import { MAX_UPLOAD_MESSAGE_BYTES } from './upload-socket.ts'

const MAX_SOCKETS = 1000
/** Of these, not proven yet. */
const MAX_UNPROVEN = 100
/** Within this a client says who it is, ms. */
const PROOF_DEADLINE_MS = 5000
/** Who did not answer the ping before is dead, ms. */
const PING_EVERY_MS = 20_000
/** How often deadlines are looked at, ms. */
const BEAT_MS = 500
/** Messages of one client within `RATE_WINDOW_MS`. */
const MAX_MESSAGES = 50
const RATE_WINDOW_MS = 10_000
/** A closed socket that does not say goodbye is cut off after this when the server stops, ms. */
const GOODBYE_MS = 1000
const UPGRADE_REQUIRED = 426 // RFC 9110 §15.5.22

/** What an `EventSocket` stands on. */
export interface EventSocketOptions {
  readonly log: EventHistory & { follow(listener: EventListener): () => void }
  readonly access: Pick<Access, 'identify'>
  readonly logger: Logger
  /** Of this program. */
  readonly version: string
}

interface Peer {
  readonly socket: WebSocket
  readonly connection: EventConnection
  readonly openedAtMs: number
  isAlive: boolean
  /** Messages since `windowAtMs`. */
  messages: number
  windowAtMs: number
  /** Messages are taken one after the other. */
  taken: Promise<void>
}

/** GET /api/events: what happens, over WebSocket (RFC 6455), to those who may know. The protocol is in docs/events.md. */
export class EventSocket {
  readonly #options: EventSocketOptions
  readonly #peers = new Set<Peer>()
  #unfollow: (() => void) | undefined
  #beating: NodeJS.Timeout | undefined
  #pingedAtMs = 0
  #isClosed = false

  constructor(options: EventSocketOptions) {
    this.#options = options
  }

  /** How many sockets are open. */
  get size(): number {
    return this.#peers.size
  }

  /** Adds the route to `app`, below each of `prefixes`. The sockets are closed when `app` is. */
  mount(app: FastifyInstance, prefixes: readonly string[]): void {
    const options = { maxPayload: MAX_UPLOAD_MESSAGE_BYTES, perMessageDeflate: false } // of all sockets; ours look again
    app.register(websocket, {
      options,
      errorHandler: (_, socket) => socket.terminate(),
      preClose: () => this.#close(app),
    })
    app.register(async (scope) => {
      for (const prefix of prefixes) {
        scope.route({
          method: 'GET',
          url: `${prefix}/events`,
          handler: async (_, reply) => {
            const message = 'this is a WebSocket: connect with ws:// or wss://'
            const error = { code: 'TD_BAD_REQUEST', message, fault: 'caller', details: [] } satisfies ErrorBody['error']
            return reply.code(UPGRADE_REQUIRED).header('upgrade', 'websocket').send({ error })
          },
          wsHandler: (socket, request) => this.#open(socket, request),
        })
      }
    })
  }

  #open(socket: WebSocket, request: FastifyRequest): void {
    if (this.#isClosed) {
      socket.terminate()
      return
    }
    const query = parseEventQuery(request.query)
    const unproven = [...this.#peers].filter(({ connection }) => !connection.isProven).length
    if (query === undefined) socket.close(CLOSE.badMessage, 'the query cannot be used: room, since, token')
    else if (this.#peers.size >= MAX_SOCKETS || unproven >= MAX_UNPROVEN) {
      socket.close(CLOSE.tryAgainLater, 'too many sockets, try again later')
    } else this.#welcome(socket, request, query)
  }

  #welcome(socket: WebSocket, request: FastifyRequest, query: EventQuery): void {
    const connection = new EventConnection(socket, this.#options.log, query, this.#options.version)
    const nowMs = Date.now()
    const counters = { isAlive: true, messages: 0, windowAtMs: nowMs }
    const peer: Peer = { socket, connection, openedAtMs: nowMs, taken: Promise.resolve(), ...counters }
    this.#peers.add(peer)
    this.#begin()
    socket.on('pong', () => {
      peer.isAlive = true
    })
    socket.on('close', () => this.#forget(peer))
    socket.on('message', (data, isBinary) => {
      const isTooLong = !Buffer.isBuffer(data) || data.length > MAX_CLIENT_MESSAGE_BYTES
      if (isTooLong) connection.close(CLOSE.tooLong, 'a message that is too long')
      else this.#take(peer, request, isBinary ? undefined : String(data))
    })
    const { authorization } = request.headers
    const shown = authorization === undefined ? query.token : authorization.replace(/^Bearer +/i, '')
    peer.taken = this.#identify(peer, request, shown, { isAtOpening: true })
  }

  #take(peer: Peer, request: FastifyRequest, text: string | undefined): void {
    const nowMs = Date.now()
    if (nowMs - peer.windowAtMs > RATE_WINDOW_MS) {
      peer.windowAtMs = nowMs
      peer.messages = 0
    }
    const message = text === undefined ? undefined : parseClientMessage(text)
    if (++peer.messages > MAX_MESSAGES) peer.connection.close(CLOSE.policy, 'too many messages')
    else if (message === undefined) {
      peer.connection.close(CLOSE.badMessage, 'not understood: auth, subscribe, unsubscribe')
    } else peer.taken = peer.taken.then(() => this.#heed(peer, request, message))
  }

  async #heed(peer: Peer, request: FastifyRequest, message: ClientMessage): Promise<void> {
    if (message.type === 'auth') await this.#identify(peer, request, message.token, { isAtOpening: false })
    else if (peer.connection.isProven) peer.connection.take(message)
    else peer.connection.close(CLOSE.unauthorized, 'say who you are first: {"type":"auth","token":"…"}')
  }

  async #identify(
    peer: Peer,
    request: FastifyRequest,
    token: string | undefined,
    { isAtOpening }: { isAtOpening: boolean },
  ): Promise<void> {
    try {
      const { socket, headers } = request
      const { host, origin } = headers
      const caller = await this.#options.access.identify({ socket, headers: { host, origin } }, token)
      const expiresAtMs = token === undefined ? Number.POSITIVE_INFINITY : expiryMs(token)
      if (expiresAtMs <= Date.now()) throw new BadTokenError('it has expired')
      void peer.connection.prove(caller, expiresAtMs)
    } catch (error) {
      if (error instanceof BadTokenError && token === undefined && isAtOpening) return // it has time to send one
      if (error instanceof ForbiddenError) peer.connection.close(CLOSE.forbidden, reasonText(error.message))
      else if (error instanceof BadTokenError) peer.connection.close(CLOSE.unauthorized, reasonText(error.message))
      else {
        this.#options.logger.error({ err: error }, 'an event socket could not be opened')
        peer.connection.close(CLOSE.tryAgainLater, 'this should not have happened; try again')
      }
    }
  }

  #begin(): void {
    this.#beating ??= setInterval(() => this.#beat(), BEAT_MS).unref()
    this.#unfollow ??= this.#options.log.follow((event) => {
      let text: string | undefined
      const made = () => (text ??= eventText(event))
      for (const { connection } of this.#peers) connection.tell(event, made)
    })
  }

  #forget(peer: Peer): void {
    this.#peers.delete(peer)
    if (this.#peers.size > 0) return
    clearInterval(this.#beating)
    this.#beating = undefined
    this.#unfollow?.()
    this.#unfollow = undefined
  }

  #beat(): void {
    const nowMs = Date.now()
    const isPing = nowMs - this.#pingedAtMs >= PING_EVERY_MS
    if (isPing) this.#pingedAtMs = nowMs
    for (const peer of this.#peers) {
      const { connection, socket } = peer
      if (connection.isStalled(nowMs)) {
        this.#options.logger.info({}, 'an event socket is closed: nobody reads what is sent')
        connection.close(CLOSE.tooSlow, 'too slow; resume with since')
      } else if (nowMs >= connection.expiresAtMs) connection.close(CLOSE.unauthorized, 'the token has expired')
      else if (!connection.isProven && nowMs - peer.openedAtMs > PROOF_DEADLINE_MS) {
        connection.close(CLOSE.unauthorized, 'a token is needed: ?token=… or {"type":"auth","token":"…"}')
      }
      if (!isPing) continue
      if (!peer.isAlive) socket.terminate()
      peer.isAlive = false
      if (socket.readyState === socket.OPEN) socket.ping()
    }
  }

  async #close(app: FastifyInstance): Promise<void> {
    this.#isClosed = true
    // who wants to upgrade from now on gets an ordinary answer: a socket that is half upgraded would hold the server
    app.server.removeAllListeners('upgrade')
    const peers = [...this.#peers]
    const gone = peers.map(({ socket }) => new Promise<void>((resolve) => socket.once('close', () => resolve())))
    for (const { connection } of peers) connection.close(CLOSE.goingAway, 'the server stops')
    const cut = setTimeout(() => {
      for (const { socket } of peers) socket.terminate()
    }, GOODBYE_MS)
    await Promise.all(gone)
    clearTimeout(cut)
  }
}

/** When a token that was verified ends, ms since 1970. */
function expiryMs(token: string): number {
  const { exp } = decodeJwt(token)
  return exp === undefined ? 0 : exp * 1000
}

/** A reason takes at most 123 bytes (RFC 6455 §5.5). */
function reasonText(message: string): string {
  return Buffer.from(message)
    .subarray(0, 120)
    .toString('utf8')
    .replace(/\uFFFD+$/, '')
}
