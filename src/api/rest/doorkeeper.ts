import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Access } from '../access.ts'
import type { Caller } from '../caller.ts'
import { sayCrossOrigin } from '../cross-origin.ts'
import { RequestRateError } from '../errors.ts'

/** How many users and addresses are counted at a time; the one that was quiet longest is forgotten. */
const MAX_COUNTED = 10_000
const CROSS_ORIGIN = {
  exposed: 'content-disposition, content-range, accept-ranges, etag, retry-after, x-request-id, www-authenticate',
  methods: 'GET, HEAD, POST, PUT, DELETE',
  headers: 'authorization, content-type, range, if-range, if-match, if-none-match',
} as const

/**
 * Stands before every route of the API: says what browsers have to heed, finds out who asks, counts requests. Whoever cannot be
 * told is counted by address, and turned away by `admit`.
 */
export class Doorkeeper {
  readonly #access: Access
  readonly #perSecond: number
  readonly #known = new WeakMap<FastifyRequest, Caller | Error>()

  constructor(access: Access, perSecond: number) {
    this.#access = access
    this.#perSecond = perSecond
  }

  /** Before any route is added. */
  async guard(app: FastifyInstance): Promise<void> {
    app.addHook('onRequest', async (request, reply) => {
      this.#sayHeaders(request, reply)
      this.#known.set(request, await this.#identify(request))
    })
    await app.register(rateLimit, {
      max: this.#perSecond,
      timeWindow: 1000,
      cache: MAX_COUNTED,
      keyGenerator: (request) => this.#counterOf(request),
      allowList: (request) => this.#callerOf(request)?.isLocal === true,
      errorResponseBuilder: () => new RequestRateError(this.#perSecond),
    })
  }

  /** Who asks. @throws BadTokenError, ForbiddenError */
  admit(request: FastifyRequest): Caller {
    const known = this.#known.get(request)
    if (known instanceof Error) throw known
    if (known === undefined) throw new TypeError('a request that came past the doorkeeper')
    return known
  }

  /** Whom to name in the log: null for whoever is nobody in particular. */
  nameOf(request: FastifyRequest): string | null {
    return this.#callerOf(request)?.userId ?? null
  }

  async #identify(request: FastifyRequest): Promise<Caller | Error> {
    try {
      return await this.#access.identify(request)
    } catch (error) {
      return error instanceof Error ? error : new TypeError(String(error))
    }
  }

  #callerOf(request: FastifyRequest): Caller | undefined {
    const known = this.#known.get(request)
    return known instanceof Error ? undefined : known
  }

  #counterOf(request: FastifyRequest): string {
    const userId = this.#callerOf(request)?.userId ?? null
    return userId === null ? `address ${request.socket.remoteAddress ?? ''}` : `user ${userId}`
  }

  #sayHeaders(request: FastifyRequest, reply: FastifyReply): void {
    reply.headers({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'x-request-id': request.id,
    })
    sayCrossOrigin(request, reply, this.#access.origins, CROSS_ORIGIN)
  }
}
