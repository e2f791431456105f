import type { Logger } from '../media/ports.ts'
import type { EventStore, Outbox } from '../state/event-store.ts'
import type { TaskStore } from '../state/task-store.ts'
import type { EventType } from './event.ts'
import { WebhookLane, webhookQueue } from './webhook-lane.ts'
import { WEBHOOK_TIMING, type WebhookTiming } from './webhook-schedule.ts'
import { webhookKey } from './webhook-signature.ts'

/** Too many to be delivered one by one; whoever wants them listens to the WebSocket. */
const LEFT_OUT: readonly EventType[] = ['recording_progress']
/** Between two looks for deliveries that need not be kept any longer, ms. */
const PRUNE_EVERY_MS = 10 * 60_000

/** What a `WebhookDispatcher` stands on. */
export interface WebhookDispatcherOptions {
  readonly store: { readonly events: EventStore; readonly tasks: TaskStore }
  /** Each gets every event but progress. */
  readonly urls: readonly string[]
  /** As in the secret's file: see `webhookKey`. */
  readonly secret: string | Uint8Array
  readonly allowPrivate: boolean
  readonly logger: Logger
  readonly timing?: WebhookTiming
}

/** How deliveries stand. */
export interface WebhookFigures {
  /** To be delivered, or under way. */
  readonly waiting: number
  /** Given up. */
  readonly dead: number
  /** Taken by receivers, since this process began. */
  readonly delivered: number
  /** Tries that failed, since this process began. */
  readonly failed: number
}

/**
 * Posts events to whoever wants them: at least once, signed, in order per recording. The outboxes lie in the state store,
 * so that what is due outlives this process. Lives once: `start`, then `close`.
 */
export class WebhookDispatcher {
  /** For the `EventLog`: where it is to queue events. */
  readonly outboxes: readonly Outbox[]
  readonly #options: WebhookDispatcherOptions
  readonly #lanes: readonly WebhookLane[]
  readonly #timing: WebhookTiming
  #unfollow: (() => void) | undefined
  #pruning: NodeJS.Timeout | undefined

  constructor(options: WebhookDispatcherOptions) {
    this.#options = options
    this.#timing = options.timing ?? WEBHOOK_TIMING
    const urls = [...new Set(options.urls)]
    const { lifetimeMs } = this.#timing
    this.outboxes = urls.map((url) => ({ queue: webhookQueue(url), lifetimeMs, leavesOut: LEFT_OUT }))
    const key = webhookKey(options.secret)
    const { allowPrivate, logger } = options
    const { tasks } = options.store
    this.#lanes = urls.map((url) => new WebhookLane({ url, key, allowPrivate, logger, tasks, timing: this.#timing }))
  }

  /** Begins to deliver, first what an earlier process left. */
  start(): void {
    if (this.#lanes.length === 0) return
    this.#unfollow ??= this.#options.store.events.follow(() => this.#wake())
    this.#pruning ??= setInterval(() => void this.#prune(), PRUNE_EVERY_MS).unref()
    this.#wake()
  }

  /** @throws StateAwayError */
  async figures(): Promise<WebhookFigures> {
    const counts = await Promise.all(this.outboxes.map(({ queue }) => this.#options.store.tasks.counts(queue)))
    const sum = { waiting: 0, dead: 0, delivered: 0, failed: 0 }
    for (const { waiting, running, dead } of counts) {
      sum.waiting += waiting + running
      sum.dead += dead
    }
    for (const { figures } of this.#lanes) {
      sum.delivered += figures.delivered
      sum.failed += figures.failed
    }
    return sum
  }

  /** What is under way has `graceMs` to come to its end. Idempotent. */
  async close(options: { readonly graceMs?: number } = {}): Promise<void> {
    this.#unfollow?.()
    this.#unfollow = undefined
    clearInterval(this.#pruning)
    await Promise.all(this.#lanes.map((lane) => lane.close(options.graceMs ?? 2000)))
  }

  #wake(): void {
    for (const lane of this.#lanes) lane.wake()
  }

  async #prune(): Promise<void> {
    const { store, logger } = this.#options
    try {
      for (const { queue } of this.outboxes) await store.tasks.prune(queue, Date.now() - this.#timing.keptMs)
    } catch (error) {
      logger.debug({ err: error }, 'old webhook deliveries could not be removed now')
    }
  }
}
