import type { IceServer } from 'node-datachannel'
import { UnsupportedError } from '../../media/errors.ts'
import { turnCredentials } from '../turn-credentials.ts'

/** The usual port of STUN and TURN, RFC 8489 §14. */
const DEFAULT_PORT = 3478
const SERVER =
  /^(stun|turn):(?:([^:@\s]{1,512}):([^@\s]{1,512})@)?(\[[\da-fA-F:.]+\]|[\w.-]{1,253})(?::(\d{1,5}))?(?:\?transport=udp)?$/

/** Of this server, among those who use a TURN server. */
const TURN_USER = 'tapedeck'

/**
 * Reads `stun:host[:port]` and `turn:user:password@host[:port]`; user and password percent-encoded. By UDP only. With a secret that is
 * shared with TURN servers, those without user and password get some for a day.
 * @throws UnsupportedError for anything else
 */
export function parseIceServer(url: string, turnSecret?: string): IceServer {
  const match = SERVER.exec(url)
  if (match === null) throw unsupported(url)
  const [, scheme, username, password, host, portText] = match
  const port = portText === undefined ? DEFAULT_PORT : Number(portText)
  const hostname = host.startsWith('[') ? host.slice(1, -1) : host
  if (port < 1 || port > 0xffff) throw unsupported(url)
  if (scheme === 'stun' && username === undefined) return { hostname, port }
  if (scheme === 'stun' || (username === undefined && turnSecret === undefined)) throw unsupported(url)
  const credentials =
    username === undefined && turnSecret !== undefined
      ? turnCredentials(turnSecret, TURN_USER)
      : { username: decode(username, url), password: decode(password, url) }
  return { hostname, port, ...credentials, relayType: 'TurnUdp' }
}

function decode(text: string, url: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw unsupported(url)
  }
}

/** Without what may be a password. */
function unsupported(url: string): UnsupportedError {
  const shown = url.replace(/^(\w+:).*@/, '$1…@')
  return new UnsupportedError(`ICE server ${shown}: use stun:host[:port] or turn:user:password@host[:port], by UDP`)
}
