import { turnCredentials } from '../../webrtc/turn-credentials.ts'

const SERVER =
  /^(?<scheme>stuns?|turns?):(?:(?<user>[!-9;-?A-~]+):(?<password>[!-?A-~]+)@)?(?<host>\[[0-9a-fA-F:.]+\]|[\w.-]+)(?::(?<port>\d{1,5}))?(?<query>\?transport=(?:udp|tcp))?$/

/** What peers are told. */
export interface IceServers {
  /** `stun:…`, `turn:user:password@host:port`. */
  readonly urls: readonly string[]
  /** Shared with TURN servers that are given without user and password. */
  readonly turnSecret?: string | undefined
}

/** Whether `text` is an ICE server as settings have it: `stun:host:port`, `turn:user:password@host:port?transport=udp`. */
export function isIceServer(text: string): boolean {
  return SERVER.test(text)
}

/** Whether it is a TURN server whose users get their passwords from a shared secret. */
export function needsTurnSecret(server: string): boolean {
  const { scheme = '', user } = SERVER.exec(server)?.groups ?? {}
  return scheme.startsWith('turn') && user === undefined
}

/**
 * The `Link` header that tells a peer which STUN and TURN servers to use (RFC 9725 §4.6); undefined where there are none. What
 * is no ICE server is left out.
 * @param user for whom credentials are made that are for a time
 */
export function iceServerLinks({ urls, turnSecret }: IceServers, user: string): string | undefined {
  const links = urls.map((url) => linkOf(url, user, turnSecret)).filter((link) => link !== undefined)
  return links.length === 0 ? undefined : links.join(', ')
}

function linkOf(server: string, peer: string, turnSecret: string | undefined): string | undefined {
  const { scheme, user, password, host, port, query = '' } = SERVER.exec(server)?.groups ?? {}
  if (scheme === undefined || host === undefined) return undefined
  const url = `<${scheme}:${host}${port === undefined ? '' : `:${port}`}${query}>; rel="ice-server"`
  const quote = (text: string) => `"${text.replaceAll(/["\\]/g, '\\$&')}"`
  const show = (name: string, secret: string) =>
    `${url}; username=${quote(name)}; credential=${quote(secret)}; credential-type="password"`
  if (user !== undefined && password !== undefined) return show(decoded(user), decoded(password))
  if (turnSecret === undefined || !needsTurnSecret(server)) return url
  const credentials = turnCredentials(turnSecret, peer)
  return show(credentials.username, credentials.password)
}

/** Names and passwords may be percent-encoded, for what would end them. What is then no text of a header stays as it was. */
function decoded(text: string): string {
  try {
    const plain = decodeURIComponent(text)
    return /^[\x20-\x7e]*$/.test(plain) ? plain : text
  } catch {
    return text
  }
}
