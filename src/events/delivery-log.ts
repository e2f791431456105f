import type { Task, TaskAttempt, TaskState, TaskStore } from '../state/task-store.ts'
import { deliveredEventSchema, webhookQueue } from './webhook-lane.ts'
import { WEBHOOK_TIMING } from './webhook-schedule.ts'

/** Deliveries to one URL that are looked at together: what a `TaskStore` lists at most. */
const PAGE = 10_000

/** How far a delivery has come. `dead`: given up, after a day or because the receiver said 410. */
export const DELIVERY_STATES = ['waiting', 'running', 'delivered', 'dead'] as const
/** One of `DELIVERY_STATES`. */
export type DeliveryState = (typeof DELIVERY_STATES)[number]

/** One event on its way to one URL, as users see it. Times ISO 8601, UTC. */
export interface Delivery {
  readonly delivery_id: string
  /** Without user, password and query. */
  readonly url: string
  readonly event_id: string
  readonly type: string
  readonly room_id: string | null
  readonly recording_id: string | null
  readonly seq: number
  readonly state: DeliveryState
  readonly attempts: number
  readonly created_at: string
  /** Of one that waits. */
  readonly next_attempt_at: string | null
  readonly finished_at: string | null
  /** The latest tries, oldest first. */
  readonly log: readonly TaskAttempt[]
}

/** Which deliveries a list is about. All conditions hold. */
export interface DeliveryQuery {
  readonly states?: readonly DeliveryState[]
  readonly recordingId?: string
  /** 1 to 1000. */
  readonly limit: number
}

/** Which deliveries are to be made again. All conditions hold. */
export interface ReplayQuery {
  /** Only those that were given up. */
  readonly onlyDead: boolean
  /** Of events that happened at or after, ms since 1970. */
  readonly sinceMs?: number
}

/** What became of webhooks in the last days, and the way to send them again. All methods: @throws StateAwayError */
export class DeliveryLog {
  readonly #tasks: TaskStore
  readonly #urls: readonly string[]

  constructor(tasks: TaskStore, urls: readonly string[]) {
    this.#tasks = tasks
    this.#urls = [...new Set(urls)]
  }

  /** Newest events first. */
  async list(query: DeliveryQuery): Promise<Delivery[]> {
    const found = await Promise.all(this.#urls.map((url) => this.#listOf(url, query)))
    return found
      .flat()
      .sort((a, b) => b.seq - a.seq)
      .slice(0, query.limit)
  }

  /** One that has come to its end is made again, after the others of its recording that wait. False when there is none. */
  async replay(deliveryId: string): Promise<boolean> {
    const isOurs = this.#urls.some((url) => deliveryId.startsWith(`${webhookQueue(url)}:`))
    return isOurs && (await this.#requeue(deliveryId))
  }

  /**
   * Makes deliveries that have come to their end again, in the order in which things happened. Resolves to how many. Of more
   * than 10,000 to one URL the newest go first where all of those that were given up are meant, else alone.
   */
  async replayAll(query: ReplayQuery): Promise<number> {
    let count = 0
    for (const url of this.#urls) {
      for (;;) {
        const found = await this.#listOf(url, {
          states: query.onlyDead ? ['dead'] : ['dead', 'delivered'],
          limit: PAGE,
        })
        const replayed = await this.#replayThese(found, query.sinceMs ?? 0)
        count += replayed
        if (found.length < PAGE || replayed === 0 || !query.onlyDead) break
      }
    }
    return count
  }

  async #replayThese(deliveries: readonly Delivery[], sinceMs: number): Promise<number> {
    let count = 0
    for (const { delivery_id, created_at } of deliveries.toSorted((a, b) => a.seq - b.seq)) {
      if (Date.parse(created_at) >= sinceMs && (await this.#requeue(delivery_id))) count++
    }
    return count
  }

  #requeue(deliveryId: string): Promise<boolean> {
    const nowMs = Date.now()
    return this.#tasks.requeue(deliveryId, { nowMs, expiresAtMs: nowMs + WEBHOOK_TIMING.lifetimeMs })
  }

  async #listOf(url: string, { states, recordingId, limit }: DeliveryQuery): Promise<Delivery[]> {
    const found = await this.#tasks.list({
      queue: webhookQueue(url),
      limit,
      ...(states === undefined ? {} : { states: states.map(taskState) }),
      ...(recordingId === undefined ? {} : { key: recordingId }),
    })
    return found.flatMap((task) => deliveryOf(url, task))
  }
}

function deliveryOf(url: string, task: Task): Delivery[] {
  const event = deliveredEventSchema.safeParse(task.payload)
  if (!event.success || task.state === 'cancelled') return []
  const { id, type, room_id, recording_id, seq } = event.data
  const { origin, pathname } = new URL(url)
  return [
    {
      delivery_id: task.id,
      url: `${origin}${pathname}`,
      event_id: id,
      type,
      room_id,
      recording_id,
      seq,
      state: task.state === 'done' ? 'delivered' : task.state,
      attempts: task.attempts,
      created_at: new Date(task.createdAtMs).toISOString(),
      next_attempt_at: task.state === 'waiting' ? new Date(task.dueAtMs).toISOString() : null,
      finished_at: task.finishedAtMs === null ? null : new Date(task.finishedAtMs).toISOString(),
      log: task.log,
    },
  ]
}

function taskState(state: DeliveryState): TaskState {
  return state === 'delivered' ? 'done' : state
}
