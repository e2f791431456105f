/// <reference lib="dom" />

/** A token, or where to get a fresh one: it is asked before each request. */
export type TokenSource = string | (() => string | undefined | Promise<string | undefined>)

/** Which participant of which server. */
export interface ConnectionOptions {
  /** Where the server is: `https://media.example.org`, with a path where it is below one. */
  readonly url: string | URL
  readonly room: string
  readonly participant: string
  /** Not needed on the server's own machine. */
  readonly token?: TokenSource
  /** STUN and TURN servers; those that the server names by default. */
  readonly iceServers?: readonly RTCIceServer[]
  /** `relay`: by TURN alone. */
  readonly iceTransportPolicy?: RTCIceTransportPolicy
}

/** The address of `path` below the server. */
export function addressOf({ url }: Pick<ConnectionOptions, 'url'>, ...path: readonly string[]): URL {
  const at = new URL(String(url), location.href)
  at.pathname = [at.pathname.replace(/\/+$/, ''), ...path.map(encodeURIComponent)].join('/')
  return at
}

/** The header that shows the token. */
export async function authorization({ token }: Pick<ConnectionOptions, 'token'>): Promise<Record<string, string>> {
  const shown = typeof token === 'function' ? await token() : token
  return shown === undefined ? {} : { authorization: `Bearer ${shown}` }
}
