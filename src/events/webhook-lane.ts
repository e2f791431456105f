import { createHash, randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { Logger } from '../media/ports.ts'
import type { Task, TaskOutcome, TaskStore } from '../state/task-store.ts'
import { WebhookAddressError } from './webhook-address.ts'
import { postWebhook, type WebhookAnswer } from './webhook-request.ts'
import { retryAfterMs, retryDelayMs, type WebhookTiming } from './webhook-schedule.ts'
import { signWebhook } from './webhook-signature.ts'

/** Deliveries to one URL at a time. */
const PARALLEL = 8
/** What a claim holds for beyond the time that a request may take, ms. */
const LEASE_MARGIN_MS = 5000
/** Between two looks at least, ms. */
const MIN_LOOK_MS = 100
/** From so many failures in a row on, the receiver is spared: one delivery at a time, with a rest before each. */
const FAILURES_TO_REST = 3
/** Longest rest: this long after the receiver came back it is noticed, ms. */
const MAX_REST_MS = 60_000
/** How often, and how far apart, ms, a result is put down again that the store did not take. */
const SETTLE_TRIES = 10
const SETTLE_PAUSE_MS = 500
const USER_AGENT = 'tapedeck'

/** What is in a task of a webhook's queue: the event as it was stored. */
export const deliveredEventSchema = z.object({
  id: z.string().max(255),
  type: z.string().max(64),
  room_id: z.string().nullable(),
  recording_id: z.string().nullable(),
  data: z.record(z.string(), z.unknown()),
  seq: z.number().int(),
  time: z.string().max(64),
})

/** The queue of what goes to `url`. */
export function webhookQueue(url: string): string {
  return `webhook:${createHash('sha256').update(url).digest('hex').slice(0, 16)}`
}

/** What a lane needs. */
export interface WebhookLaneOptions {
  readonly url: string
  readonly tasks: TaskStore
  readonly key: Uint8Array
  readonly allowPrivate: boolean
  readonly timing: WebhookTiming
  readonly logger: Logger
}

/**
 * Delivers what is queued for one URL: of each recording one event at a time and in order, of several recordings side by
 * side. A receiver that fails is asked less and less.
 */
export class WebhookLane {
  /** Events that the receiver took, and tries that failed. */
  readonly figures = { delivered: 0, failed: 0 }
  readonly #options: WebhookLaneOptions
  readonly #queue: string
  readonly #worker = randomUUID()
  readonly #active = new Set<Promise<void>>()
  readonly #abort = new AbortController()
  #failuresInARow = 0
  #restUntilMs = 0
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> | undefined
  #lookAgain = false
  #isClosed = false

  constructor(options: WebhookLaneOptions) {
    this.#options = options
    this.#queue = webhookQueue(options.url)
  }

  /** There may be something to deliver. */
  wake(): void {
    if (this.#isClosed) return
    this.#lookAgain = true
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined
      if (this.#lookAgain) this.wake()
    })
  }

  /** Begins nothing more; breaks off what is under way after `graceMs`, to be delivered again by whoever comes next. */
  async close(graceMs: number): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    await this.#looking
    const timer = setTimeout(() => this.#abort.abort(new Error('the server is stopping')), graceMs)
    await Promise.all(this.#active)
    clearTimeout(timer)
  }

  async #look(): Promise<void> {
    this.#lookAgain = false
    try {
      this.#lookAt(await this.#begin())
    } catch (error) {
      this.#options.logger.debug({ err: error }, 'the webhook queue cannot be read now')
      this.#lookAt(Number.POSITIVE_INFINITY)
    }
  }

  /** Claims and begins what may be begun. Resolves to when to look again, ms since 1970. */
  async #begin(): Promise<number> {
    const { tasks, timing } = this.#options
    for (;;) {
      const nowMs = Date.now()
      const isResting = this.#failuresInARow >= FAILURES_TO_REST
      if (isResting && nowMs < this.#restUntilMs) return this.#restUntilMs
      const limit = (isResting ? 1 : PARALLEL) - this.#active.size
      if (limit <= 0 || this.#isClosed) return Number.POSITIVE_INFINITY
      const leaseMs = timing.timeoutMs + LEASE_MARGIN_MS
      const claimed = await tasks.claim(this.#queue, this.#worker, { leaseMs, limit, nowMs })
      for (const task of claimed) this.#track(this.#deliver(task))
      if (claimed.length === 0) return (await tasks.nextDueMs(this.#queue)) ?? Number.POSITIVE_INFINITY
    }
  }

  #lookAt(timeMs: number): void {
    clearTimeout(this.#timer)
    if (this.#isClosed) return
    const waitMs = Math.max(MIN_LOOK_MS, Math.min(timeMs - Date.now(), this.#options.timing.lookEveryMs))
    this.#timer = setTimeout(() => this.wake(), waitMs).unref()
  }

  #track(delivery: Promise<void>): void {
    const tracked = delivery.finally(() => {
      this.#active.delete(tracked)
      this.wake()
    })
    this.#active.add(tracked)
  }

  async #deliver(task: Task): Promise<void> {
    const { url, timing, logger } = this.#options
    const { origin } = new URL(url) // the rest may be a secret of the receiver's
    const event = deliveredEventSchema.safeParse(task.payload)
    if (!event.success) {
      return this.#settle(task, { kind: 'dead', error: 'this is no event: a task that somebody else made' })
    }
    const { recording_id, ...told } = event.data
    const about = { origin, event: told.id, type: told.type, recording: recording_id, attempt: task.attempts }
    try {
      const answer = await this.#post(told.id, JSON.stringify({ ...told, webhook_id: told.id }))
      const outcome = this.#judge(answer, task)
      if (outcome.kind === 'done') logger.debug(about, 'webhook delivered')
      else logger.warn({ ...about, answer: answer.status, outcome: outcome.kind }, 'webhook not taken')
      await this.#settle(task, outcome)
    } catch (error) {
      const reason = reasonOf(error, timing.timeoutMs)
      if (this.#abort.signal.aborted) return this.#settle(task, { kind: 'retry', dueAtMs: Date.now(), error: reason })
      this.#noteFailure(!(error instanceof WebhookAddressError))
      logger.warn({ ...about, reason }, 'webhook not delivered')
      await this.#settle(task, this.#again(task, reason))
    }
  }

  #post(id: string, body: string): Promise<WebhookAnswer> {
    const { url, key, allowPrivate, timing } = this.#options
    const headers = {
      'content-type': 'application/json',
      'user-agent': USER_AGENT,
      ...signWebhook(key, id, body, Date.now()),
    }
    return postWebhook({ url, headers, body, allowPrivate, timeoutMs: timing.timeoutMs, signal: this.#abort.signal })
  }

  /** 2xx: taken. 410: not wanted, now or later. Anything else, redirects too: not taken, try again. */
  #judge(answer: WebhookAnswer, task: Task): TaskOutcome {
    const { status, text } = answer
    if (status >= 200 && status < 300) {
      this.figures.delivered++
      this.#failuresInARow = 0
      return { kind: 'done', result: { status, text } }
    }
    const error = `answered ${status}${text === '' ? '' : `: ${text}`}`
    this.#noteFailure(status >= 500 || status === 408 || status === 429)
    if (status === 410) return { kind: 'dead', error }
    return this.#again(task, error, retryAfterMs(answer.retryAfter, Date.now()))
  }

  #again(task: Task, error: string, askedMs = 0): TaskOutcome {
    const delayMs = retryDelayMs(Math.max(1, task.attempts), Math.random(), this.#options.timing, askedMs)
    return { kind: 'retry', dueAtMs: Date.now() + delayMs, error }
  }

  /** @param isOfReceiver it is the receiver that fails, not this one event */
  #noteFailure(isOfReceiver: boolean): void {
    this.figures.failed++
    if (!isOfReceiver) return
    this.#failuresInARow++
    const rests = Math.max(1, this.#failuresInARow - FAILURES_TO_REST)
    const restMs = retryDelayMs(rests, Math.random(), this.#options.timing)
    this.#restUntilMs = Date.now() + Math.min(MAX_REST_MS, restMs)
  }

  /** Puts down how it went; what cannot be put down is delivered again once the claim is over, under the same id. */
  async #settle(task: Task, outcome: TaskOutcome): Promise<void> {
    const { tasks, logger } = this.#options
    for (let tries = 1; ; tries++) {
      try {
        await tasks.settle(task.id, this.#worker, outcome)
        return
      } catch (error) {
        if (tries === SETTLE_TRIES || this.#abort.signal.aborted) {
          logger.warn({ err: error, task: task.id }, 'how a webhook went cannot be kept; it will be sent again')
          return
        }
        await new Promise((resolve) => setTimeout(resolve, SETTLE_PAUSE_MS))
      }
    }
  }
}

function reasonOf(error: unknown, timeoutMs: number): string {
  if (error instanceof DOMException && error.name === 'TimeoutError') return `no answer within ${timeoutMs} ms`
  const causes: unknown[] = error instanceof AggregateError ? error.errors : [error]
  return causes.map((cause) => (cause instanceof Error ? cause.message : String(cause))).join('; ')
}
