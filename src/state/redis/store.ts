import type { Logger } from '../../media/ports.ts'
import type { StateStore, StoreHealth } from '../store.ts'
import { RedisEvents } from './events.ts'
import { RedisLink, type RedisPlace } from './link.ts'
import { type RedisLifetimes, RedisRecordings } from './recordings.ts'
import { RedisTasks } from './tasks.ts'

/** State in Redis 6.2 or later, for several servers and workers. Every write is one script, and so one step. */
export class RedisStateStore implements StateStore {
  readonly kind = 'redis'
  readonly recordings: RedisRecordings
  readonly events: RedisEvents
  readonly tasks: RedisTasks
  readonly #link: RedisLink

  private constructor(link: RedisLink, lifetimes: RedisLifetimes, logger: Logger) {
    this.#link = link
    this.recordings = new RedisRecordings(link, lifetimes, logger)
    this.events = new RedisEvents(link, logger)
    this.tasks = new RedisTasks(link, logger)
  }

  /** Resolves also while Redis is away: health says when it is there. */
  static async open(place: RedisPlace, lifetimes: RedisLifetimes, logger: Logger): Promise<RedisStateStore> {
    return new RedisStateStore(await RedisLink.open(place, logger), lifetimes, logger)
  }

  get health(): StoreHealth {
    return this.#link.reachability.health
  }

  listen(listener: (health: StoreHealth) => void): () => void {
    return this.#link.reachability.listen(listener)
  }

  async close(): Promise<void> {
    this.recordings.close()
    this.events.close()
    this.#link.close()
  }
}
