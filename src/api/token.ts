import { decodeProtectedHeader, errors, type JWTVerifyGetKey, jwtVerify, SignJWT } from 'jose'
import { z } from 'zod'
import { TapedeckError } from '../media/errors.ts'
import type { ROLES } from './caller.ts'

/** What a token may allow. `metrics`: reading /metrics. */
export const GRANTS = ['publish', 'play', 'metrics'] as const
/** One thing that a token may allow. */
export type Grant = (typeof GRANTS)[number]

/** The one algorithm of our own secret: a token cannot choose another one, nor none (RFC 8725 §3.1). */
const ALGORITHM = 'HS256'
/** Of an issuer's key set: public keys only, so that no published key ever serves as a shared secret (RFC 8725 §2.1). */
const PUBLIC_KEY_ALGORITHMS = ['ES256', 'ES384', 'EdDSA', 'Ed25519', 'PS256', 'RS256']
/** How far the clocks of issuer and server may lie apart, seconds. */
const CLOCK_SKEW_S = 30
/** Longest token that is looked at, characters: RTMP carries it in a stream name. */
const MAX_TOKEN_CHARACTERS = 4096
/** A token that holds longer than this from now is refused, seconds: it would be a password. */
const MAX_LIFETIME_S = 366 * 86_400

const claimsSchema = z.object({
  /** The user. */
  sub: z.string().min(1).max(255).optional(),
  /** Names of rooms, or `*` for all. */
  rooms: z.union([z.literal('*'), z.array(z.string().max(255)).max(1000)]).optional(),
  /** What its holder may do in the API: one of `ROLES`, checked where it counts. */
  role: z.string().max(64).optional(),
  /** The one participant whose name may be published or played; any when absent. */
  participant: z.string().max(255).optional(),
  grants: z.array(z.string().max(64)).max(64).default([]),
  /** Seconds since 1970. */
  exp: z.number(),
})

/** What a verified token says. Claims that we do not know are ignored. */
export type TokenClaims = z.output<typeof claimsSchema>

/** A token that proves nothing: forged, expired, of another algorithm, garbled. `reason` is for its holder to read. */
export class BadTokenError extends TapedeckError {
  readonly code = 'TD_BAD_TOKEN'
  readonly fault = 'peer'
  readonly reason: string

  constructor(reason: string, options?: ErrorOptions) {
    super(`token refused: ${reason}; ask for a new one, or make one with "tapedeck token"`, options)
    this.reason = reason
  }
}

/** Issues and verifies tokens: JWT (RFC 7519), HS256 with one secret, and those of an issuer whose public keys are known. */
export class TokenKeeper {
  readonly #secret: Uint8Array
  readonly #issuerKeys: JWTVerifyGetKey | undefined

  /** @param secret at least 32 bytes */
  constructor(secret: Uint8Array, issuerKeys?: JWTVerifyGetKey) {
    this.#secret = secret
    this.#issuerKeys = issuerKeys
  }

  /** A token that holds for `ttlMs` from now, at least a second. */
  issue(
    claims: {
      user?: string
      rooms?: '*' | string[]
      participant?: string
      grants: Grant[]
      role?: (typeof ROLES)[number]
    },
    ttlMs: number,
  ): Promise<string> {
    const { user, ...rest } = claims
    const nowS = Math.floor(Date.now() / 1000)
    const token = new SignJWT(rest).setProtectedHeader({ alg: ALGORITHM, typ: 'JWT' })
    if (user !== undefined) token.setSubject(user)
    return token
      .setIssuedAt(nowS)
      .setExpirationTime(nowS + Math.max(1, Math.ceil(ttlMs / 1000)))
      .sign(this.#secret)
  }

  /** @throws BadTokenError */
  async verify(token: string): Promise<TokenClaims> {
    if (token.length > MAX_TOKEN_CHARACTERS) throw new BadTokenError(`longer than ${MAX_TOKEN_CHARACTERS} characters`)
    const claims = await this.#claimsOf(token)
    if (claims.exp <= Date.now() / 1000 + MAX_LIFETIME_S + CLOCK_SKEW_S) return claims
    throw new BadTokenError('it holds for more than 366 days')
  }

  async #claimsOf(token: string): Promise<TokenClaims> {
    try {
      return claimsSchema.parse(await this.#payloadOf(token))
    } catch (error) {
      throw new BadTokenError(reasonOf(error), { cause: error })
    }
  }

  async #payloadOf(token: string): Promise<unknown> {
    const claims = { clockTolerance: CLOCK_SKEW_S, requiredClaims: ['exp'] }
    const issuerKeys = this.#issuerKeys
    if (issuerKeys !== undefined && decodeProtectedHeader(token).alg !== ALGORITHM) {
      return (await jwtVerify(token, issuerKeys, { ...claims, algorithms: PUBLIC_KEY_ALGORITHMS })).payload
    }
    return (await jwtVerify(token, this.#secret, { ...claims, algorithms: [ALGORITHM] })).payload
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'it has expired'
  if (error instanceof errors.JWTClaimValidationFailed) return `claim "${error.claim}" is missing or does not hold`
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'its signature does not fit this server'
  if (error instanceof errors.JOSEAlgNotAllowed)
    return `only ${ALGORITHM} is taken, or with --jwks a public-key algorithm`
  if (error instanceof errors.JWKSNoMatchingKey) return "its key is not among its issuer's"
  if (error instanceof errors.JWKSTimeout) return "its issuer's keys cannot be had now"
  if (error instanceof z.ZodError) return `claim "${String(error.issues[0]?.path[0])}" is not what this server expects`
  return 'it is not a token'
}
