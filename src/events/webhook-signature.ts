import { createHmac, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import { TapedeckError } from '../media/errors.ts'

/** A key as text, for handing over: Standard Webhooks 1.0, "Secret serialization". */
const KEY_PREFIX = 'whsec_'
/** Symmetric signatures, HMAC-SHA256: Standard Webhooks 1.0, "Signature identifier". */
const SIGNATURE_PREFIX = 'v1,'
/** How far receiver's and sender's clocks may lie apart, and how old a request may be, seconds. */
const TOLERANCE_S = 300
/** Longest body, and most signatures in one header, that `verifyWebhook` looks at. */
const MAX_BODY_BYTES = 1024 * 1024
const MAX_SIGNATURES = 16

/** A request proves nothing: not signed with this secret, changed on its way, or too old. `reason` says which. */
export class WebhookSignatureError extends TapedeckError {
  readonly code = 'TD_WEBHOOK_SIGNATURE'
  readonly fault = 'peer'
  readonly reason: string

  constructor(reason: string, options?: ErrorOptions) {
    super(`webhook refused: ${reason}; answer with 400 and take nothing from it`, options)
    this.reason = reason
  }
}

/** The headers that a webhook carries. */
export interface WebhookHeaders {
  /** The event's id: the same over all tries. */
  readonly 'webhook-id': string
  /** When this try was made, seconds since 1970. */
  readonly 'webhook-timestamp': string
  readonly 'webhook-signature': string
}

/** The key that `secret` stands for: what follows `whsec_` is base64, anything else is the key itself. */
export function webhookKey(secret: string | Uint8Array): Uint8Array {
  const text = typeof secret === 'string' ? secret.trim() : Buffer.from(secret).toString('latin1')
  if (text.startsWith(KEY_PREFIX)) return Buffer.from(text.slice(KEY_PREFIX.length), 'base64')
  return typeof secret === 'string' ? Buffer.from(text) : secret
}

/** `key` as receivers enter it: `whsec_` and base64. */
export function webhookKeyText(key: Uint8Array): string {
  return `${KEY_PREFIX}${Buffer.from(key).toString('base64')}`
}

/** What a request about event `id` carries when it is made at `nowMs`. */
export function signWebhook(key: Uint8Array, id: string, body: string, nowMs: number): WebhookHeaders {
  const timestamp = String(Math.floor(nowMs / 1000))
  const signature = SIGNATURE_PREFIX + digest(key, id, timestamp, Buffer.from(body)).toString('base64')
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature }
}

/** What a receiver has got: header names in lower case, as node has them, or as fetch has them. */
export type ReceivedHeaders = Headers | Readonly<Record<string, string | readonly string[] | undefined>>

/** How `verifyWebhook` goes about it. */
export interface VerifyOptions {
  /** 300 by default. */
  readonly toleranceSeconds?: number
  /** The receiver's clock, ms since 1970. */
  readonly nowMs?: number
}

const eventSchema = z.looseObject({
  webhook_id: z.string().max(255),
  type: z.string().max(64),
  room_id: z.string().nullable(),
  data: z.record(z.string(), z.unknown()),
  seq: z.number().int(),
  time: z.iso.datetime(),
})
/** The body of a webhook. */
export type WebhookBody = z.output<typeof eventSchema>

/**
 * For receivers: the event in `body`, once it is certain that whoever has `secret` sent it lately. `body` must be what came
 * over the wire, byte for byte. The same event may come more than once: `webhook_id` tells.
 * @throws WebhookSignatureError
 */
export function verifyWebhook(
  secret: string | Uint8Array,
  headers: ReceivedHeaders,
  body: string | Uint8Array,
  options: VerifyOptions = {},
): WebhookBody {
  const id = headerOf(headers, 'webhook-id')
  const timestamp = headerOf(headers, 'webhook-timestamp')
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  if (bytes.length > MAX_BODY_BYTES) throw new WebhookSignatureError(`its body is longer than ${MAX_BODY_BYTES} bytes`)
  const expected = digest(webhookKey(secret), id, timestamp, bytes)
  const signatures = headerOf(headers, 'webhook-signature').split(' ').slice(0, MAX_SIGNATURES)
  if (!signatures.some((signature) => isSame(signature, expected))) {
    throw new WebhookSignatureError('its signature is not of this secret')
  }
  checkAge(timestamp, options)
  return parseBody(id, bytes)
}

function checkAge(timestamp: string, { toleranceSeconds = TOLERANCE_S, nowMs = Date.now() }: VerifyOptions): void {
  const ageS = nowMs / 1000 - (/^\d{1,12}$/.test(timestamp) ? Number(timestamp) : Number.NaN)
  if (Math.abs(ageS) <= toleranceSeconds) return
  throw new WebhookSignatureError(`its time is more than ${toleranceSeconds} s off: it may be a replay`)
}

function parseBody(id: string, bytes: Uint8Array): WebhookBody {
  try {
    const event = eventSchema.parse(JSON.parse(Buffer.from(bytes).toString('utf8')))
    if (event.webhook_id === id) return event
  } catch (error) {
    throw new WebhookSignatureError('its body is no event', { cause: error })
  }
  throw new WebhookSignatureError('its body is about another event than its headers')
}

/** HMAC-SHA256 over `{id}.{timestamp}.{body}`: Standard Webhooks 1.0, "Signature scheme". */
function digest(key: Uint8Array, id: string, timestamp: string, body: Uint8Array): Buffer {
  return createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest()
}

function isSame(signature: string, expected: Buffer): boolean {
  if (!signature.startsWith(SIGNATURE_PREFIX)) return false
  const given = Buffer.from(signature.slice(SIGNATURE_PREFIX.length, 256), 'base64')
  return given.length === expected.length && timingSafeEqual(given, expected)
}

function headerOf(headers: ReceivedHeaders, name: string): string {
  const value = headers instanceof Headers ? headers.get(name) : headers[name]
  if (typeof value === 'string' && value !== '' && value.length <= 4096) return value
  throw new WebhookSignatureError(`header "${name}" is missing`)
}
