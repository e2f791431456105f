/** Something that happened, not numbered yet. */
export interface NewEvent {
  /** Unique for ever: the same event appended twice is kept once. */
  readonly id: string
  readonly type: string
  /** Null for what is of the whole server. */
  readonly room_id: string | null
  /** What has to stay in order: the recording's id where there is one, else null. */
  readonly recording_id: string | null
  /** The recording's owner, so that only those who may are told. */
  readonly user_id: string | null
  readonly data: Readonly<Record<string, unknown>>
  /** ISO 8601, UTC. */
  readonly time: string
}

/** An event as it is kept and told. */
export interface StoredEvent extends NewEvent {
  /** Grows by at least one from event to event, over restarts and processes. From 1. */
  readonly seq: number
}

/** The events of the last while, in one order that everybody agrees on. */
export interface EventStore {
  /**
   * Numbers and keeps `events` and, in the same atomic step, adds a task for each of them to each queue of `outboxes`: key is
   * `recording_id`, or `room_id`, or `''`; payload is the stored event; id is `{queue}:{event id}`.
   * Events that are there already are returned as they are, and add nothing. An outbox gets no task for a type that it leaves out.
   */
  append(events: readonly NewEvent[], outboxes: readonly Outbox[]): Promise<StoredEvent[]>
  /** Those after `seq`, in order, at most `limit`. */
  since(seq: number, limit: number): Promise<StoredEvent[]>
  /** The lowest and highest number that is kept; `newest` is 0 before the first event ever. */
  bounds(): Promise<{ readonly oldest: number; readonly newest: number }>
  /** Forgets what is older. */
  prune(beforeMs: number): Promise<void>
  /** Calls `told` with each event of any process on this state, in order, soon after it was appended. Returns the way to stop. */
  follow(told: (event: StoredEvent) => void): () => void
}

/** Where deliveries of events are queued. */
export interface Outbox {
  readonly queue: string
  /** No attempts after so long, ms. */
  readonly lifetimeMs: number
  /** Types of events that are not delivered there. */
  readonly leavesOut?: readonly string[]
}
