import type { Logger } from '../../media/ports.ts'
import type { StateStore, StoreHealth } from '../store.ts'
import { SqliteConnection } from './connection.ts'
import { SqliteEvents } from './events.ts'
import { SqliteRecordings } from './recordings.ts'
import { SqliteTasks } from './tasks.ts'

/**
 * State in one SQLite database, write-ahead logged: a call that was answered survives a crash of the process. Several
 * processes may share it.
 */
export class SqliteStateStore implements StateStore {
  readonly kind = 'sqlite'
  readonly recordings: SqliteRecordings
  readonly events: SqliteEvents
  readonly tasks: SqliteTasks
  readonly #connection: SqliteConnection

  /** @throws StateError */
  constructor(path: string, logger: Logger) {
    this.#connection = new SqliteConnection(path)
    this.recordings = new SqliteRecordings(this.#connection, logger)
    this.tasks = new SqliteTasks(this.#connection, logger)
    this.events = new SqliteEvents(this.#connection, this.tasks, logger)
  }

  get health(): StoreHealth {
    return this.#connection.reachability.health
  }

  listen(listener: (health: StoreHealth) => void): () => void {
    return this.#connection.reachability.listen(listener)
  }

  async close(): Promise<void> {
    this.events.close()
    this.#connection.close()
  }
}
