import { isIP } from 'node:net'
import { ForbiddenError } from './permission.ts'

/** What a browser says of where a request comes from and where it thinks it goes. */
export interface OriginHeaders {
  readonly origin?: string | undefined
  readonly host?: string | undefined
}

/**
 * Web pages that may use the API. Where no token is needed, a page that somebody on this machine happens to look at could
 * otherwise command the server in their name, directly or by a host name of its own that leads here (DNS rebinding).
 */
export class PageOrigins {
  readonly #named: ReadonlySet<string>
  readonly #hosts: ReadonlySet<string>
  readonly #any: boolean

  /**
   * @param origins of `--cors-origins`: separated by commas or spaces, or `*`
   * @param publicUrl under which the API is reached, too
   */
  constructor(origins: string | undefined, publicUrl: string | undefined) {
    const named = (origins ?? '').split(/[\s,]+/).filter((origin) => origin !== '')
    this.#any = named.includes('*')
    this.#named = new Set(named.map((origin) => origin.replace(/\/+$/, '').toLowerCase()))
    const publicHost = publicUrl === undefined ? undefined : URL.parse(publicUrl)?.hostname
    this.#hosts = new Set(['localhost', ...(publicHost === undefined ? [] : [publicHost])])
  }

  /** What `Access-Control-Allow-Origin` answers to a page of `origin`; undefined when it may not read answers. */
  allowed(origin: string): string | undefined {
    if (this.#any) return '*'
    return this.#named.has(origin.toLowerCase()) ? origin : undefined
  }

  /**
   * For requests that are trusted without a token: not those that a strange page makes a browser send.
   * @throws ForbiddenError
   */
  demandOwn({ origin, host }: OriginHeaders): void {
    const { hostname } = URL.parse(`http://${host ?? ''}`) ?? { hostname: '' }
    if (host !== undefined && !this.#isOurs(hostname)) {
      throw new ForbiddenError(
        `without a token, only by address, localhost or --public-url, not by the name "${hostname}"`,
      )
    }
    if (origin === undefined || URL.parse(origin)?.host === host || this.#named.has(origin.toLowerCase())) return
    throw new ForbiddenError(`without a token, not from pages of ${origin.slice(0, 255)}; name them in --cors-origins`)
  }

  #isOurs(hostname: string): boolean {
    return this.#hosts.has(hostname) || isIP(hostname.replace(/^\[|\]$/g, '')) !== 0
  }
}
