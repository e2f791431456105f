import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'
import { BadLinkError } from './errors.ts'

/** Which file a link is for. */
export interface LinkedFile {
  readonly recording_id: string
  readonly file_id: string
}

/** What a link carries in its query. */
export interface LinkQuery {
  readonly expires?: string | undefined
  readonly user?: string | undefined
  readonly signature?: string | undefined
}

/**
 * Links to single files that hold for a while and need no token: HMAC-SHA256 over file, expiry and user, with a key that is
 * derived from the server's secret (HKDF, RFC 5869), so that a link is good for nothing else.
 */
export class DownloadLinks {
  readonly #key: Uint8Array
  readonly #publicUrl: string | undefined

  constructor(secret: Uint8Array, publicUrl: string | undefined) {
    this.#key = new Uint8Array(hkdfSync('sha256', secret, '', 'tapedeck download links', 32))
    this.#publicUrl = publicUrl?.replace(/\/+$/, '')
  }

  /** The path below the mount, with its query. `user` is whoever asked for the link. */
  sign(file: LinkedFile, user: string | null, ttlMs: number): { readonly path: string; readonly expiresAtMs: number } {
    const expires = Math.ceil((Date.now() + ttlMs) / 1000)
    const query = new URLSearchParams({ expires: String(expires), ...(user === null ? {} : { user }) })
    query.set('signature', this.#signature(file, String(expires), user ?? '').toString('base64url'))
    return { path: `${pathOf(file)}?${query}`, expiresAtMs: expires * 1000 }
  }

  /** A signed path as somebody can open it. */
  urlOf(mount: string, path: string): string {
    return `${this.#publicUrl ?? ''}${mount}${path}`
  }

  /**
   * Lets pass what `sign` made and has not expired.
   * @throws BadLinkError
   */
  check(file: LinkedFile, { expires = '', user = '', signature = '' }: LinkQuery): void {
    const expected = this.#signature(file, expires, user)
    const given = Buffer.from(signature, 'base64url')
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
      throw new BadLinkError('its signature does not fit')
    }
    if (Number(expires) * 1000 <= Date.now()) throw new BadLinkError('it has expired')
  }

  #signature(file: LinkedFile, expires: string, user: string): Buffer {
    return createHmac('sha256', this.#key)
      .update(JSON.stringify([file.recording_id, file.file_id, expires, user]))
      .digest()
  }
}

function pathOf({ recording_id, file_id }: LinkedFile): string {
  return `/recordings/${encodeURIComponent(recording_id)}/files/${encodeURIComponent(file_id)}`
}
