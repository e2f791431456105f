/// <reference lib="dom" />

const PASSING: ReadonlySet<string> = new Set(['TD_NAME_BUSY', 'TD_NOT_LIVE', 'TD_CHUNK_CUT'])

/** The server has answered, and not as was hoped: `code` as in the catalogue of errors, or `HTTP_…` where it said none. */
export class RefusalError extends Error {
  readonly status: number
  readonly code: string
  /** Asked for by the server, ms. */
  readonly retryAfterMs: number | undefined

  constructor(status: number, code: string, message: string, retryAfterMs?: number) {
    super(message)
    this.name = 'RefusalError'
    this.status = status
    this.code = code
    this.retryAfterMs = retryAfterMs
  }

  /** Trying again may help: it is busy, away, or somebody else still has the name. */
  get isPassing(): boolean {
    return this.status >= 500 || this.status === 429 || PASSING.has(this.code)
  }
}

/** The server has answered, and no media gets there or back: its UDP port, or ours, is out of reach. */
export class UnreachableError extends Error {
  override readonly name = 'UnreachableError'
}

/** What `response` says is wrong. */
export async function refusalOf(response: Response): Promise<RefusalError> {
  const text = await response.text().catch(() => '')
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN)
  const retryAfterMs = Number.isFinite(seconds) ? seconds * 1000 : undefined
  let code = `HTTP_${response.status}`
  let message = `the server answers ${response.status}`
  try {
    const { error } = JSON.parse(text)
    if (typeof error?.code === 'string') code = error.code
    if (typeof error?.message === 'string') message = error.message
  } catch {
    // not from tapedeck: a proxy, say
  }
  return new RefusalError(response.status, code, message, retryAfterMs)
}
