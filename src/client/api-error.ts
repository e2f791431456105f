/** What the server answered instead of what was asked for. Its own codes begin with `TD_`; docs/errors.md has them all. */
export class ApiError extends Error {
  readonly code: string
  /** Of HTTP, or the close code of a WebSocket. */
  readonly status: number
  readonly fault: 'caller' | 'peer' | 'host'
  readonly details: unknown
  /** What the server's log calls this request. */
  readonly requestId: string | undefined
  /** How long to wait before the next try, where the server said so, ms. */
  readonly retryAfterMs: number | undefined

  constructor(
    said: { code: string; message: string; fault?: ApiError['fault']; details?: unknown },
    status: number,
    headers?: Headers,
  ) {
    super(said.message)
    this.name = 'ApiError'
    this.code = said.code
    this.status = status
    this.fault = said.fault ?? 'host'
    this.details = said.details
    this.requestId = headers?.get('x-request-id') ?? undefined
    const seconds = headers?.get('retry-after') ?? undefined
    this.retryAfterMs = seconds === undefined || !/^\d+$/.test(seconds) ? undefined : Number(seconds) * 1000
  }
}

/** The error in an answer, also when something between us and the server made it. */
export async function errorOf(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => '')
  const said = saidIn(text) ?? {
    code: 'HTTP_ERROR',
    message: `HTTP ${response.status} without an error of tapedeck: ${text.slice(0, 200)}`,
  }
  return new ApiError(said, response.status, response.headers)
}

function saidIn(text: string): ConstructorParameters<typeof ApiError>[0] | undefined {
  try {
    const body: unknown = JSON.parse(text)
    if (typeof body !== 'object' || body === null || !('error' in body)) return undefined
    const { error } = body
    if (typeof error !== 'object' || error === null || !('code' in error) || !('message' in error)) return undefined
    const fault = 'fault' in error && (error.fault === 'caller' || error.fault === 'peer') ? error.fault : 'host'
    const details = 'details' in error ? error.details : undefined
    return { code: String(error.code), message: String(error.message), fault, details }
  } catch {
    return undefined
  }
}
