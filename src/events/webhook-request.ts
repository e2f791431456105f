import type { LookupAddress } from 'node:dns'
import type { ClientRequest, IncomingMessage } from 'node:http'
import type { LookupFunction } from 'node:net'
import { resolveAddresses } from './webhook-address.ts'

/** What is kept of an answer, bytes. */
const MAX_ANSWER_BYTES = 1024
/** Largest head of an answer, bytes. */
const MAX_HEADER_BYTES = 16 * 1024

/** One POST. */
export interface WebhookRequest {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** JSON. */
  readonly body: string
  readonly allowPrivate: boolean
  readonly timeoutMs: number
  /** Breaks it off. */
  readonly signal: AbortSignal
}

/** What the receiver said. */
export interface WebhookAnswer {
  readonly status: number
  readonly retryAfter: string | undefined
  /** The first KiB of the body, control characters left out. */
  readonly text: string
}

/**
 * Posts to an address that was checked, following no redirect; over TLS only to whom the certificate names.
 * @throws WebhookAddressError for addresses that are not public; the system's errors; the signal's reason, or a TimeoutError
 */
export async function postWebhook(asked: WebhookRequest): Promise<WebhookAnswer> {
  const url = new URL(asked.url)
  const signal = AbortSignal.any([asked.signal, AbortSignal.timeout(asked.timeoutMs)])
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const addresses = await orAborted(resolveAddresses(host, asked.allowPrivate), signal)
  const options = {
    method: 'POST',
    agent: false,
    signal,
    lookup: answering(addresses),
    maxHeaderSize: MAX_HEADER_BYTES,
    headers: { ...asked.headers, 'content-length': Buffer.byteLength(asked.body) },
  }
  // an import statement would touch every export of node:http, `fetch` and `WebSocket` among them, which costs 6 MB
  const client = process.getBuiltinModule(url.protocol === 'https:' ? 'node:https' : 'node:http')
  const request = client.request(url, options)
  try {
    return await answerTo(request, asked.body)
  } finally {
    request.destroy()
  }
}

/** Gives every question for a name the answer that was checked. */
function answering(addresses: readonly LookupAddress[]): LookupFunction {
  const [first] = addresses
  return (hostname, options, callback) => {
    if (first === undefined) callback(new Error(`${hostname} has no address`), '', 0)
    else if (options.all === true) callback(null, [...addresses])
    else callback(null, first.address, first.family)
  }
}

function answerTo(request: ClientRequest, body: string): Promise<WebhookAnswer> {
  return new Promise((resolve, reject) => {
    let answered: (() => void) | undefined
    // once the status is known, what follows it changes nothing
    request.on('error', (error) => (answered === undefined ? reject(error) : answered()))
    request.on('response', (response: IncomingMessage) => {
      const status = response.statusCode ?? 0
      const retryAfter = response.headers['retry-after']
      const chunks: Buffer[] = []
      let bytes = 0
      const done = () => resolve({ status, retryAfter, text: plain(Buffer.concat(chunks)) })
      answered = done
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk.subarray(0, MAX_ANSWER_BYTES - bytes))
        bytes += chunk.length
        if (bytes >= MAX_ANSWER_BYTES) done()
      })
      response.on('error', done)
      response.on('close', done)
    })
    request.end(body)
  })
}

function plain(bytes: Buffer): string {
  return bytes
    .toString('utf8')
    .replace(/\p{C}+/gu, ' ')
    .trim()
}

function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
