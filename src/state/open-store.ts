import { join } from 'node:path'
import type { Logger } from '../media/ports.ts'
import { RedisStateStore } from './redis/store.ts'
import { SqliteStateStore } from './sqlite/store.ts'
import type { StateStore } from './store.ts'

/** Where state is kept, and how. */
export interface StateOptions {
  readonly dataDir: string
  /** In Redis instead of `{dataDir}/catalogue.db`. */
  readonly redisUrl?: string | undefined
  /** What all keys in Redis begin with. */
  readonly prefix: string
  /** Life of `{prefix}state:{id}` after its last change, ms. */
  readonly stateTtlMs: number
  /** Life of `{prefix}room:{room}` and `{prefix}user:{user}` after their last change, ms. */
  readonly indexTtlMs: number
  readonly logger: Logger
}

/**
 * Opens the store that the options name. Redis need not be there yet: health says when it is.
 * @throws StateError when the database cannot be opened
 */
export async function openStateStore(options: StateOptions): Promise<StateStore> {
  const { redisUrl, prefix, stateTtlMs, indexTtlMs, logger } = options
  if (redisUrl !== undefined) {
    return await RedisStateStore.open({ url: redisUrl, prefix }, { stateTtlMs, indexTtlMs }, logger)
  }
  return new SqliteStateStore(join(options.dataDir, 'catalogue.db'), logger)
}
