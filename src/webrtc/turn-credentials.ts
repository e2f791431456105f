import { createHmac } from 'node:crypto'

/** What a peer shows a TURN server (RFC 8489 §9.2). */
export interface TurnCredentials {
  readonly username: string
  readonly password: string
}

/** From when they are given out, seconds: a day, as draft-uberti-behave-turn-rest-00 §2.2 has it. */
const LIFETIME_S = 86_400
/** Of a user name; the whole must stay below 509 bytes (RFC 8489 §14.3). */
const MAX_USER_CHARS = 200

/**
 * Credentials that end by themselves, made of a secret that is shared with the TURN server (draft-uberti-behave-turn-rest-00 §2.2;
 * coturn's `use-auth-secret`).
 * @param user for the TURN server's accounts and logs
 */
export function turnCredentials(secret: string, user: string, nowMs = Date.now()): TurnCredentials {
  const expiresS = Math.floor(nowMs / 1000) + LIFETIME_S
  const username = `${expiresS}:${encodeURIComponent(user).slice(0, MAX_USER_CHARS)}`
  return { username, password: createHmac('sha1', secret).update(username).digest('base64') }
}
