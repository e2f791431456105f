import { type Authorizer, type StreamAction, UnauthorizedError } from '../live/authorizer.ts'
import type { StreamAddress } from '../live/stream.ts'
import { isLoopback } from '../rtmp/loopback.ts'
import { type Caller, ROLES, trustedCaller } from './caller.ts'
import { type OriginHeaders, PageOrigins } from './page-origin.ts'
import { ForbiddenError } from './permission.ts'
import { BadTokenError, type Grant, type TokenClaims, type TokenKeeper } from './token.ts'

/** Who has to show a token. */
export interface AccessRules {
  /** Peers on this machine, too. */
  readonly requireToken: boolean
  /** Nobody. A token that is shown is checked all the same. */
  readonly allowAnonymous: boolean
  /** Pages of these origins are trusted like programs: `https://a.example,https://b.example`, or `*`. */
  readonly corsOrigins?: string | undefined
  /** Where users reach the API. */
  readonly publicUrl?: string | undefined
}

/** An HTTP request, as far as access goes: Fastify's, or Node's. */
export interface HttpRequest {
  readonly socket: { readonly remoteAddress?: string | undefined }
  readonly headers: OriginHeaders & { readonly authorization?: string | undefined }
}

/**
 * Says who may do what: a loopback peer without a token is trusted, any other needs one that grants it, unless the rules
 * say otherwise. Addresses are those of the transport; no header is believed.
 */
export class Access {
  readonly origins: PageOrigins
  readonly #rules: AccessRules
  readonly #tokens: TokenKeeper

  constructor(rules: AccessRules, tokens: TokenKeeper) {
    this.#rules = rules
    this.#tokens = tokens
    this.origins = new PageOrigins(rules.corsOrigins, rules.publicUrl)
  }

  /** For streams. */
  readonly authorize: Authorizer = async (action, address, token, peer) => {
    if (token === undefined && this.#trusts(peer.address)) return
    if (token === undefined) {
      throw new UnauthorizedError(action, address, 'a token is needed: put ?token=… behind the stream name')
    }
    const claims = await this.#verify(token, (reason) => new UnauthorizedError(action, address, reason))
    const obstacle = obstacleTo(action, claims, address)
    if (obstacle !== undefined) throw new UnauthorizedError(action, address, obstacle)
  }

  /**
   * For HTTP: may `remoteAddress`, with this Authorization header, do what `grant` allows?
   * @throws BadTokenError when there is no token that proves anything
   * @throws ForbiddenError when it does not grant this
   */
  async authorizeRequest(grant: Grant, remoteAddress: string, authorization: string | undefined): Promise<void> {
    const token = bearerOf(authorization)
    if (token === undefined && this.#trusts(remoteAddress)) return
    if (token === undefined) throw new BadTokenError('there is none (Authorization: Bearer …)')
    const claims = await this.#tokens.verify(token)
    if (!claims.grants.includes(grant)) throw new ForbiddenError(`the token does not grant "${grant}"`)
  }

  /**
   * For streams over HTTP: may whoever asks do `action` at `address`? `shown` is a token of the query; one in the Authorization
   * header counts before it.
   * @throws BadTokenError when there is no token that proves anything
   * @throws ForbiddenError when it does not allow this
   */
  async authorizeStreamRequest(
    action: StreamAction,
    address: StreamAddress,
    request: HttpRequest,
    shown?: string,
  ): Promise<void> {
    const { authorization } = request.headers
    const token = authorization === undefined ? shown : (bearerOf(authorization) ?? authorization)
    if (token === undefined) {
      if (!this.#trusts(request.socket.remoteAddress ?? '')) {
        throw new BadTokenError('there is none (Authorization: Bearer …, or ?token=…)')
      }
      this.origins.demandOwn(request.headers)
      return
    }
    const obstacle = obstacleTo(action, await this.#tokens.verify(token), address)
    if (obstacle !== undefined) throw new ForbiddenError(obstacle)
  }

  /** Whether `address` is of this machine, and trusted for that. */
  trustsHere(address: string): boolean {
    return !this.#rules.requireToken && isLoopback(address)
  }

  /**
   * For the API: who asks? `shown` is a token that came another way than in the Authorization header, such as in the query
   * of a WebSocket.
   * @throws BadTokenError when that cannot be told
   * @throws ForbiddenError when it is known, and has no business here
   */
  async identify(request: HttpRequest, shown?: string): Promise<Caller> {
    const { authorization } = request.headers
    const token = authorization === undefined ? shown : (bearerOf(authorization) ?? authorization)
    const address = request.socket.remoteAddress ?? ''
    if (token !== undefined) return callerOf(await this.#tokens.verify(token))
    if (!this.#trusts(address)) throw new BadTokenError('there is none (Authorization: Bearer …)')
    this.origins.demandOwn(request.headers)
    return trustedCaller(isLoopback(address))
  }

  #trusts(address: string): boolean {
    return this.#rules.allowAnonymous || this.trustsHere(address)
  }

  async #verify(token: string, refusal: (reason: string) => Error): Promise<TokenClaims> {
    try {
      return await this.#tokens.verify(token)
    } catch (error) {
      throw error instanceof BadTokenError ? refusal(error.message) : error
    }
  }
}

function bearerOf(authorization: string | undefined): string | undefined {
  return /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1]
}

/** @throws ForbiddenError for a token that says neither who its holder is nor what */
function callerOf({ sub, role, rooms }: TokenClaims): Caller {
  const userId = sub ?? null
  if (role === undefined) {
    if (userId !== null) return { userId, role: 'user', rooms: rooms ?? [], isLocal: false }
    throw new ForbiddenError('the token names neither a user ("sub") nor a role, so it is none for the API')
  }
  const known = ROLES.find((each) => each === role)
  if (known === undefined) throw new ForbiddenError(`the token has the role "${role}"; there is ${ROLES.join(', ')}`)
  return { userId, role: known, rooms: rooms ?? (known === 'admin' ? '*' : []), isLocal: false }
}

function obstacleTo(grant: Grant, claims: TokenClaims, address: StreamAddress): string | undefined {
  if (!claims.grants.includes(grant)) return `the token does not grant "${grant}"`
  if (claims.rooms !== '*' && claims.rooms?.includes(address.room) !== true) return 'the token is for another room'
  if (claims.participant !== undefined && claims.participant !== address.participant) {
    return `the token is for the name "${claims.participant}"`
  }
  return undefined
}
