const SERVER =
  /^(?<scheme>stuns?|turns?):(?:(?<user>[!-9;-?A-~]+):(?<password>[!-?A-~]+)@)?(?<host>\[[0-9a-fA-F:.]+\]|[\w.-]+)(?::(?<port>\d{1,5}))?(?<query>\?transport=(?:udp|tcp))?$/

/** Whether `text` is an ICE server as settings have it: `stun:host:port`, `turn:user:password@host:port?transport=udp`. */
export function isIceServer(text: string): boolean {
  return SERVER.test(text)
}

/**
 * The `Link` header that tells a peer which STUN and TURN servers to use (RFC 9725 §4.6); undefined where there are none. What
 * is no ICE server is left out.
 */
export function iceServerLinks(servers: readonly string[]): string | undefined {
  const links = servers.map(linkOf).filter((link) => link !== undefined)
  return links.length === 0 ? undefined : links.join(', ')
}

function linkOf(server: string): string | undefined {
  const { scheme, user, password, host, port, query = '' } = SERVER.exec(server)?.groups ?? {}
  if (scheme === undefined || host === undefined) return undefined
  const url = `<${scheme}:${host}${port === undefined ? '' : `:${port}`}${query}>; rel="ice-server"`
  if (user === undefined || password === undefined) return url
  const quote = (text: string) => `"${decoded(text).replaceAll(/["\\]/g, '\\$&')}"`
  return `${url}; username=${quote(user)}; credential=${quote(password)}; credential-type="password"`
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
