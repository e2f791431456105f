import { z } from 'zod'

/** An address to listen on. Port 0 lets the system choose. */
export interface Endpoint {
  readonly host: string
  /** 0 to 65535. */
  readonly port: number
}

const ENDPOINT = /^(?:(?<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+|\*)?:)?(?<port>\d{1,5})$/

/**
 * `host:port`, `[ipv6]:port`, `port` (on loopback), `:port` or `*:port` (on every IPv4 address).
 * Undefined when `text` is none of these.
 */
export function parseEndpoint(text: string): Endpoint | undefined {
  const match = ENDPOINT.exec(text.trim())
  const port = Number(match?.groups?.port)
  if (match === null || port > 65_535) return undefined
  const host = match.groups?.host
  if (host === undefined) return { host: text.trim().startsWith(':') ? '0.0.0.0' : '127.0.0.1', port }
  if (host === '*') return { host: '0.0.0.0', port }
  return { host: host.replace(/^\[|\]$/g, ''), port }
}

/** `endpoint` as it is written in a URL: IPv6 in brackets. */
export function formatEndpoint(endpoint: Endpoint): string {
  return `${endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host}:${endpoint.port}`
}

/** An endpoint as text. */
export const endpoint = z.string().transform((text, context): Endpoint => {
  const parsed = parseEndpoint(text)
  if (parsed !== undefined) return parsed
  context.issues.push({ code: 'custom', message: 'not host:port', input: text })
  return z.NEVER
})

/** An endpoint, or `off`. */
export const endpointOrOff = z.union([z.literal('off'), endpoint])

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const DURATION = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/
const DURATION_PART = /(\d+(?:\.\d+)?)(ms|s|m|h|d)/g

/** `90s`, `1h30m`, `250ms` in milliseconds; undefined for anything else. A unit must be there. */
export function parseDuration(text: string): number | undefined {
  const compact = text.replaceAll(' ', '')
  if (!DURATION.test(compact)) return undefined
  let ms = 0
  for (const [, count, unit] of compact.matchAll(DURATION_PART)) ms += Number(count) * (UNIT_MS[unit] ?? 0)
  return Number.isSafeInteger(Math.round(ms)) ? Math.round(ms) : undefined
}

/** Milliseconds as a person would write them: `30s`, `1h30m`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s'
  let rest = ms
  let text = ''
  for (const [unit, size] of Object.entries(UNIT_MS).reverse()) {
    const count = Math.floor(rest / size)
    if (count > 0) text += `${count}${unit}`
    rest -= count * size
  }
  return text
}

/** A duration as text with a unit; milliseconds inside. At least `minMs`. */
export function duration(minMs: number): z.ZodType<number, string> {
  return z.string().transform((text, context): number => {
    const ms = parseDuration(text)
    if (ms !== undefined && ms >= minMs) return ms
    context.issues.push({ code: 'custom', message: `not a duration of at least ${formatDuration(minMs)}`, input: text })
    return z.NEVER
  })
}
