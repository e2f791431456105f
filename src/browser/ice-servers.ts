/// <reference lib="dom" />

/** `<url>; parameters`, where a comma within quotes ends nothing. */
const LINK = /<([^>]*)>((?:"(?:[^"\\]|\\.)*"|[^",])*)/g
const PARAMETER = /;\s*([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))/g

/** The STUN and TURN servers that an answer names in its `Link` header (RFC 9725 §4.6, RFC 8288 §3). */
export function iceServersOf(link: string | null): RTCIceServer[] {
  const servers: RTCIceServer[] = []
  for (const [, urls, text] of (link ?? '').matchAll(LINK)) {
    const parameters = new Map<string, string>()
    for (const [, name, quoted, plain] of text.matchAll(PARAMETER)) {
      parameters.set(name.toLowerCase(), quoted?.replaceAll(/\\(.)/g, '$1') ?? plain)
    }
    if (parameters.get('rel') !== 'ice-server' || !/^(stun|turn)s?:/.test(urls)) continue
    const [username, credential] = [parameters.get('username'), parameters.get('credential')]
    servers.push(username === undefined || credential === undefined ? { urls } : { urls, username, credential })
  }
  return servers
}
