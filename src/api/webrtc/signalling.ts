import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { streamAddress } from '../../live/address.ts'
import type { StreamAddress } from '../../live/stream.ts'
import { TapedeckError } from '../../media/errors.ts'
import type { Logger } from '../../media/ports.ts'
import { parseIceFragment } from '../../webrtc/sdp/ice-fragment.ts'
import type { Access } from '../access.ts'
import { sayCrossOrigin } from '../cross-origin.ts'
import { answerError } from '../error-answer.ts'
import { MediaTypeError, MethodError, RequestRateError } from '../errors.ts'
import type { SignalledSession, SignallingProtocol } from './door.ts'
import { EntityTagError, EntityTagMissingError, IceRestartError, SessionMissingError } from './errors.ts'
import { type IceServers, iceServerLinks } from './ice-servers.ts'
import { signallingQuery } from './signalling-query.ts'

const SDP = 'application/sdp'
const FRAGMENT = 'application/trickle-ice-sdpfrag' // RFC 8840 §9
/** Browsers' offers of a dozen m-lines are some 40 KB. */
const MAX_OFFER_BYTES = 262_144
/** A hundred candidates of 150 bytes, and some room. */
const MAX_FRAGMENT_BYTES = 65_536
/** How many addresses are counted at a time; the one that was quiet longest is forgotten. */
const MAX_COUNTED = 10_000
/** When to ask again for what is busy, away, or not there yet, seconds. */
const RETRY_AFTER_S = 2
const CROSS_ORIGIN = {
  exposed: 'location, etag, link, accept-patch, accept-post, retry-after, x-request-id, www-authenticate',
  methods: 'OPTIONS, GET, HEAD, POST, PATCH, DELETE',
  headers: 'authorization, content-type, if-match',
} as const
/** RFC 9725 §4.2, §4.4.3 and §4.5; draft-ietf-wish-whep-04 §4.3.7. */
const STATUS: Readonly<Record<string, number>> = {
  TD_UNSUPPORTED: 422,
  TD_ICE_RESTART: 422,
  TD_NAME_BUSY: 409,
  TD_NOT_LIVE: 409,
  TD_SESSION_MISSING: 404,
  TD_ENTITY_TAG: 412,
  TD_ENTITY_TAG_MISSING: 428,
  TD_LIMIT: 503,
  TD_TRANSPORT: 503,
  TD_MEDIA_PROCESS: 503,
}

/** What signalling stands on. */
export interface SignallingOptions {
  readonly protocols: readonly SignallingProtocol[]
  readonly access: Access
  readonly logger: Logger
  readonly iceServers: IceServers
  /** Requests per second of one address. */
  readonly maxRequestRate: number
  /** Where users reach the server; its path stands before those of sessions. */
  readonly publicUrl: string | undefined
}

/** Adds `/whip/{room}/{participant}` (RFC 9725) and `/whep/…` (draft-ietf-wish-whep) to `app`, with their sessions below. */
export async function mountSignalling(app: FastifyInstance, options: SignallingOptions): Promise<void> {
  await app.register(async (scope) => {
    const { access, logger, maxRequestRate } = options
    scope.addHook('onRequest', async (request, reply) => {
      reply.headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', 'x-request-id': request.id })
      sayCrossOrigin(request, reply, access.origins, CROSS_ORIGIN)
    })
    await scope.register(rateLimit, {
      max: maxRequestRate,
      timeWindow: 1000,
      cache: MAX_COUNTED,
      keyGenerator: ({ socket }) => socket.remoteAddress ?? '',
      allowList: ({ socket }) => access.trustsHere(socket.remoteAddress ?? ''),
      errorResponseBuilder: () => new RequestRateError(maxRequestRate),
    })
    scope.addHook('onResponse', async (request, reply) => logRequest(request, reply, logger))
    scope.setErrorHandler((error, _, reply) => {
      const status = error instanceof TapedeckError ? STATUS[error.code] : undefined
      if (status === 409 || status === 503) reply.header('retry-after', String(RETRY_AFTER_S))
      return answerError(error, reply, logger, STATUS)
    })
    parseTexts(scope)
    for (const protocol of options.protocols) new Signalling(protocol, options).route(scope)
  })
}

/** The routes of one protocol. */
class Signalling {
  readonly #protocol: SignallingProtocol
  readonly #options: SignallingOptions
  /** Before the paths of sessions. */
  readonly #prefix: string

  constructor(protocol: SignallingProtocol, options: SignallingOptions) {
    this.#protocol = protocol
    this.#options = options
    this.#prefix = (URL.parse(options.publicUrl ?? '')?.pathname ?? '').replace(/\/+$/, '')
  }

  route(scope: FastifyInstance): void {
    const endpoint = `/${this.#protocol.name}/:room/:participant`
    const session = `${endpoint}/:session`
    scope.route({
      method: 'POST',
      url: endpoint,
      bodyLimit: MAX_OFFER_BYTES,
      preParsing: async (request) => this.#authorize(request),
      handler: (request, reply) => this.#begin(request, reply),
    })
    scope.route({
      method: 'PATCH',
      url: session,
      bodyLimit: MAX_FRAGMENT_BYTES,
      preParsing: async (request) => void this.#sessionOf(request),
      handler: async (request, reply) => this.#trickle(request, reply),
    })
    scope.delete(session, async (request, reply) => {
      this.#sessionOf(request).finish('finished')
      return reply.code(200).send()
    })
    // §4.1: there is nothing to get; a HEAD tells players what this is (draft-ietf-wish-whep-04 §4.2)
    scope.get(endpoint, async (_, reply) => {
      return this.#protocol.name === 'whip' ? reply.code(204).send() : reply.code(200).type(SDP).send('')
    })
    scope.get(session, async (request, reply) => {
      this.#sessionOf(request)
      return reply.code(204).send()
    })
    scope.options(endpoint, async (request, reply) => {
      if (await this.#isToldBefore(request)) this.#tellIceServers(request, reply)
      return reply.code(200).headers(ENDPOINT).send()
    })
    scope.options(session, async (_, reply) => reply.code(200).headers(SESSION).send())
    scope.route({ method: ['PUT', 'PATCH', 'DELETE'], url: endpoint, handler: (request) => refuse(request, ENDPOINT) })
    scope.route({ method: ['POST', 'PUT'], url: session, handler: (request) => refuse(request, SESSION) })
  }

  async #begin(request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
    const sdp = textOf(request, SDP)
    const { labels } = signallingQuery(request.query)
    const { remoteAddress = '', remotePort } = request.socket
    const peer = `${remoteAddress.includes(':') ? `[${remoteAddress}]` : remoteAddress}:${remotePort ?? 0}`
    const session = await this.#protocol.door.create(addressOf(request), { sdp, peer, labels })
    const { room, participant } = session.address
    const names = [room, participant, session.id].map(encodeURIComponent).join('/')
    reply.headers({ location: `${this.#prefix}/${this.#protocol.name}/${names}`, etag: session.etag, ...SESSION_TAKES })
    this.#tellIceServers(request, reply)
    return reply.code(201).type(SDP).send(session.answer)
  }

  /** §4.3.1: candidates are taken; another ICE session cannot be begun. */
  #trickle(request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const session = this.#sessionOf(request)
    const text = textOf(request, FRAGMENT)
    demandMatch(request.headers['if-match'], session.etag)
    const { iceUfrag, candidates } = parseIceFragment(text)
    if (iceUfrag !== undefined && session.iceUfrag !== undefined && iceUfrag !== session.iceUfrag) {
      throw new IceRestartError()
    }
    session.addCandidates(candidates)
    return reply.code(204).send()
  }

  #tellIceServers(request: FastifyRequest, reply: FastifyReply): void {
    const { room, participant } = addressOf(request)
    const links = iceServerLinks(this.#options.iceServers, `${room}/${participant}`)
    if (links !== undefined) reply.header('link', links)
  }

  /** §4.6: for peers that have to know ICE servers before they offer; not for preflights, and not for who may not offer. */
  async #isToldBefore(request: FastifyRequest): Promise<boolean> {
    if (request.headers['access-control-request-method'] !== undefined) return false
    try {
      await this.#authorize(request)
      return true
    } catch (error) {
      if (error instanceof TapedeckError) return false
      throw error
    }
  }

  async #authorize(request: FastifyRequest): Promise<void> {
    const { token } = signallingQuery(request.query)
    await this.#options.access.authorizeStreamRequest(this.#protocol.action, addressOf(request), request, token)
  }

  /** Its address cannot be guessed, so whoever has it may use it: a token may expire before the session ends. */
  #sessionOf(request: FastifyRequest): SignalledSession {
    const { room, participant } = addressOf(request)
    const session = this.#protocol.door.find(parameter(request, 'session'))
    if (session?.address.room === room && session.address.participant === participant) return session
    throw new SessionMissingError()
  }
}

const ENDPOINT = { allow: 'OPTIONS, GET, HEAD, POST', 'accept-post': SDP } as const
const SESSION_TAKES = { 'accept-patch': FRAGMENT } as const
const SESSION = { allow: 'OPTIONS, GET, HEAD, PATCH, DELETE', ...SESSION_TAKES } as const

function refuse({ method }: FastifyRequest, { allow }: { readonly allow: string }): never {
  throw new MethodError(method, allow.split(', '))
}

/** @throws BadNameError */
function addressOf(request: FastifyRequest): StreamAddress {
  return streamAddress(parameter(request, 'room'), parameter(request, 'participant'))
}

function parameter({ params }: FastifyRequest, name: string): string {
  const values = new Map<string, unknown>(typeof params === 'object' && params !== null ? Object.entries(params) : [])
  const value = values.get(name)
  return typeof value === 'string' ? value : ''
}

/** @throws MediaTypeError */
function textOf({ body, headers }: FastifyRequest, type: string): string {
  const given = headers['content-type'] ?? ''
  if (given.split(';', 1)[0].trim().toLowerCase() !== type) throw new MediaTypeError(given, type)
  return typeof body === 'string' ? body : ''
}

/** @throws EntityTagMissingError, EntityTagError */
function demandMatch(ifMatch: string | undefined, etag: string): void {
  if (ifMatch === undefined) throw new EntityTagMissingError()
  const tags = ifMatch.split(',').map((tag) => tag.trim()) // RFC 9110 §13.1.1
  if (!tags.includes('*') && !tags.includes(etag)) throw new EntityTagError()
}

/** Bodies of any type are read as text; the routes look at the type. */
function parseTexts(scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('*', { parseAs: 'string' }, (_, body, done) => done(null, body))
}

function logRequest(request: FastifyRequest, reply: FastifyReply, logger: Logger): void {
  const { method, id, url, socket } = request
  const fields = {
    requestId: id,
    method,
    path: (url.split('?', 1)[0] ?? '').split('/').slice(0, 4).join('/').slice(0, 1024), // not the session: it is a key
    status: reply.statusCode,
    ms: Math.round(reply.elapsedTime * 10) / 10,
    address: socket.remoteAddress,
  }
  if (method === 'POST' || method === 'DELETE') logger.info(fields, 'request')
  else logger.debug(fields, 'request')
}
