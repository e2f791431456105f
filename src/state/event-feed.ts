import type { Logger } from '../media/ports.ts'
import type { StoredEvent } from './event-store.ts'

interface Follower {
  readonly told: (event: StoredEvent) => void
  /** The number of the last event that it needs not be told. */
  seenSeq: number
}

/** Hands events to those who follow them: in order, each once, and to each only what came after it began. */
export class EventFeed {
  readonly #logger: Logger
  readonly #followers = new Set<Follower>()

  constructor(logger: Logger) {
    this.#logger = logger
  }

  get isFollowed(): boolean {
    return this.#followers.size > 0
  }

  follow(told: (event: StoredEvent) => void, seenSeq: number): () => void {
    const follower = { told, seenSeq }
    this.#followers.add(follower)
    return () => void this.#followers.delete(follower)
  }

  /** Numbers begin again after `seq`: the store lost what it had. */
  rewind(seq: number): void {
    for (const follower of this.#followers) follower.seenSeq = Math.min(follower.seenSeq, seq)
  }

  tell(events: readonly StoredEvent[]): void {
    for (const event of events) {
      for (const follower of [...this.#followers]) {
        if (event.seq <= follower.seenSeq) continue
        follower.seenSeq = event.seq
        try {
          follower.told(event)
        } catch (error) {
          this.#logger.error({ err: error, seq: event.seq }, 'a follower of events failed')
        }
      }
    }
  }
}
