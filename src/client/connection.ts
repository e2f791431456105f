import { OPERATIONS, type OperationId } from '../api/rest/operations.ts'
import { errorOf } from './api-error.ts'

/** A token, or where to get a fresh one: it is asked before each request. */
export type TokenSource = string | (() => string | undefined | Promise<string | undefined>)

/** How a server is reached. */
export interface ClientOptions {
  /** `https://media.example.org`, or with the path of a mount: `https://media.example.org/api/webrtc`. */
  readonly baseUrl: string
  /** Not needed on the server's own machine. */
  readonly token?: TokenSource
  /** Instead of the global one. */
  readonly fetch?: typeof fetch
}

/** What may be said of any single call. */
export interface CallOptions {
  readonly signal?: AbortSignal
}

/** What goes into the query; undefined leaves out. */
export type Query = Readonly<Record<string, string | number | readonly string[] | undefined>>

/** One server, as requests see it. */
export class Connection {
  /** Without a slash at the end. */
  readonly mount: string
  readonly #options: ClientOptions

  constructor(options: ClientOptions) {
    this.#options = options
    const url = new URL(options.baseUrl)
    const path = url.pathname.replace(/\/+$/, '')
    this.mount = `${url.origin}${path === '' ? '/api' : path}`
  }

  /** @returns the answer of a success. @throws ApiError */
  async request(
    id: OperationId,
    pathParameters: readonly string[],
    more: CallOptions & {
      query?: Query
      body?: unknown
      bytes?: Uint8Array<ArrayBuffer>
      headers?: Readonly<Record<string, string>>
    } = {},
  ): Promise<Response> {
    const [method, pattern] = OPERATIONS[id]
    const names = [...pathParameters]
    const path = pattern.replace(/\{\w+\}/g, () => encodeURIComponent(names.shift() ?? ''))
    const token = await this.token()
    const response = await (this.#options.fetch ?? globalThis.fetch)(`${this.mount}${path}${queryText(more.query)}`, {
      method,
      headers: {
        ...more.headers,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(more.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(more.bytes === undefined ? {} : { 'content-type': 'application/octet-stream' }),
      },
      ...(more.body === undefined ? {} : { body: JSON.stringify(more.body) }),
      ...(more.bytes === undefined ? {} : { body: more.bytes }),
      ...(more.signal === undefined ? {} : { signal: more.signal }),
    })
    if (!response.ok) throw await errorOf(response)
    return response
  }

  async token(): Promise<string | undefined> {
    const { token } = this.#options
    return typeof token === 'function' ? token() : token
  }
}

function queryText(query: Query = {}): string {
  const said = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) said.set(name, typeof value === 'object' ? value.join(',') : String(value))
  }
  return said.size === 0 ? '' : `?${said}`
}
