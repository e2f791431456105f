import { type Authorizer, UnauthorizedError } from '../live/authorizer.ts'
import type { StreamAddress } from '../live/stream.ts'
import { isLoopback } from '../rtmp/loopback.ts'
import { BadTokenError, type Grant, type TokenClaims, type TokenKeeper } from './token.ts'

/** Who has to show a token. */
export interface AccessRules {
  /** Peers on this machine, too. */
  readonly requireToken: boolean
  /** Nobody. A token that is shown is checked all the same. */
  readonly allowAnonymous: boolean
}

/**
 * Says who may do what: a loopback peer without a token is trusted, any other needs one that grants it, unless the rules
 * say otherwise. Addresses are those of the transport; no header is believed.
 */
export class Access {
  readonly #rules: AccessRules
  readonly #tokens: TokenKeeper

  constructor(rules: AccessRules, tokens: TokenKeeper) {
    this.#rules = rules
    this.#tokens = tokens
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
   * @throws BadTokenError when it may not
   */
  async authorizeRequest(grant: Grant, remoteAddress: string, authorization: string | undefined): Promise<void> {
    const token = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1]
    if (token === undefined && this.#trusts(remoteAddress)) return
    if (token === undefined) throw new BadTokenError('there is none (Authorization: Bearer …)')
    const claims = await this.#tokens.verify(token)
    if (!claims.grants.includes(grant)) throw new BadTokenError(`it does not grant "${grant}"`)
  }

  #trusts(address: string): boolean {
    return this.#rules.allowAnonymous || (!this.#rules.requireToken && isLoopback(address))
  }

  async #verify(token: string, refusal: (reason: string) => Error): Promise<TokenClaims> {
    try {
      return await this.#tokens.verify(token)
    } catch (error) {
      throw error instanceof BadTokenError ? refusal(error.message) : error
    }
  }
}

function obstacleTo(grant: Grant, claims: TokenClaims, address: StreamAddress): string | undefined {
  if (!claims.grants.includes(grant)) return `the token does not grant "${grant}"`
  if (claims.rooms !== '*' && !claims.rooms.includes(address.room)) return 'the token is for another room'
  if (claims.participant !== undefined && claims.participant !== address.participant) {
    return `the token is for the name "${claims.participant}"`
  }
  return undefined
}
