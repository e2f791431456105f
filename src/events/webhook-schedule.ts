/** When deliveries are tried, and how long. All in ms. */
export interface WebhookTiming {
  /** After the first failure; doubles with each. */
  readonly firstRetryMs: number
  readonly maxRetryMs: number
  /** From the name's resolution to the last byte of the answer. */
  readonly timeoutMs: number
  /** After this an event is given up. */
  readonly lifetimeMs: number
  /** Between two looks at the queue while nothing calls for one: others may have put something in. */
  readonly lookEveryMs: number
  /** How long a delivery that came to its end stays in the log. */
  readonly keptMs: number
}

/** A second, then twice as long each time up to a quarter of an hour, for a day. */
export const WEBHOOK_TIMING: WebhookTiming = {
  firstRetryMs: 1000,
  maxRetryMs: 15 * 60_000,
  timeoutMs: 10_000,
  lifetimeMs: 24 * 3_600_000,
  lookEveryMs: 5000,
  keptMs: 3 * 24 * 3_600_000,
}

/** Share of a wait that chance decides: receivers that come back are not met by everything at once. */
const JITTER = 0.25

/**
 * How long to wait after failure number `failures` (from 1): doubled each time, with jitter either way, never shorter than
 * what the receiver asked for, never longer than the longest wait.
 * @param random 0 to 1
 */
export function retryDelayMs(failures: number, random: number, timing: WebhookTiming, askedMs = 0): number {
  const plainMs = Math.min(timing.maxRetryMs, timing.firstRetryMs * 2 ** Math.min(30, failures - 1))
  const jitteredMs = plainMs * (1 + JITTER * (2 * random - 1))
  return Math.round(Math.min(timing.maxRetryMs, Math.max(askedMs, jitteredMs)))
}

/** What `Retry-After` asks for (RFC 9110 §10.2.3), seconds or a date; 0 when it asks nothing that can be read. */
export function retryAfterMs(header: string | undefined, nowMs: number): number {
  if (header === undefined) return 0
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1000
  const dateMs = Date.parse(header)
  return Number.isNaN(dateMs) ? 0 : Math.max(0, dateMs - nowMs)
}
