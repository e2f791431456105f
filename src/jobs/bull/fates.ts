import type { Redis } from 'ioredis'
import { z } from 'zod'
import { jobSchema } from '../job.ts'
import { KEEP_DEAD_MS, KEEP_DONE_MS } from '../queue-timing.ts'

/**
 * What was decided of a job beside BullMQ, which cannot cancel a job that another process runs. Whoever writes it first has
 * decided: `done` its worker, before it gives the result; `cancelled` somebody else. `retrying`: was cancelled, and is
 * being added again.
 */
const fateSchema = z.discriminatedUnion('fate', [
  z.object({ fate: z.literal('done') }),
  z.object({
    fate: z.enum(['cancelled', 'retrying']),
    job: jobSchema,
    /** When the job was added, ms since 1970. */
    added_ms: z.number(),
    attempts: z.number(),
    error: z.string().nullable(),
  }),
])
/** See `fateSchema`. */
export type Fate = z.output<typeof fateSchema>
/** A job that was cancelled, with all that is known of it. */
export type CancelledFate = Exclude<Fate, { fate: 'done' }>

/** Unless it is another by now. Keys: fate, list; arguments: the fate as it was, the job's id. */
const FORGET_IF = `
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('ZREM', KEYS[2], ARGV[2])
  redis.call('DEL', KEYS[1])
end`

/** Where fates are kept: a string each, and a set that lists those cancelled by when they were added. */
export class Fates {
  readonly #keyOf: (name: string) => string

  constructor(keyOf: (name: string) => string) {
    this.#keyOf = keyOf
  }

  async read(client: Redis, jobId: string): Promise<Fate | undefined> {
    return parseFate(await client.get(this.#key(jobId)))
  }

  /** In the order of `jobIds`. */
  async readAll(client: Redis, jobIds: readonly string[]): Promise<(Fate | undefined)[]> {
    if (jobIds.length === 0) return []
    return (await client.mget(jobIds.map((id) => this.#key(id)))).map(parseFate)
  }

  /** False when it was cancelled before. */
  async claimDone(client: Redis, jobId: string): Promise<boolean> {
    const fate: Fate = { fate: 'done' }
    const set = await client.set(this.#key(jobId), JSON.stringify(fate), 'PX', KEEP_DONE_MS, 'NX')
    return set === 'OK' || (await this.read(client, jobId))?.fate === 'done'
  }

  /** False when its worker was first. `isRunning` false: what its worker wrote is of a life that ended before its result. */
  async cancel(client: Redis, fate: CancelledFate, isRunning: boolean): Promise<boolean> {
    const key = this.#key(fate.job.job_id)
    const text = JSON.stringify(fate)
    const set = isRunning
      ? await client.set(key, text, 'PX', KEEP_DEAD_MS, 'NX')
      : await client.set(key, text, 'PX', KEEP_DEAD_MS)
    if (set !== 'OK') return false
    await client.zadd(this.#listKey, fate.added_ms, fate.job.job_id)
    await client.zremrangebyscore(this.#listKey, '-inf', Date.now() - 2 * KEEP_DEAD_MS)
    return true
  }

  /**
   * Adds a cancelled job again, by `add`. Whatever dies in between, it is cancelled still or waits: never neither. Its
   * worker may be so fast as to have forgotten the fate first, and something new may have been decided.
   */
  async again(client: Redis, fate: CancelledFate, add: () => Promise<void>): Promise<void> {
    const key = this.#key(fate.job.job_id)
    const text = JSON.stringify({ ...fate, fate: 'retrying' })
    await client.set(key, text, 'PX', KEEP_DEAD_MS)
    await add()
    await client.eval(FORGET_IF, 2, key, this.#listKey, text, fate.job.job_id)
  }

  async forget(client: Redis, jobId: string): Promise<void> {
    await client.zrem(this.#listKey, jobId)
    await client.del(this.#key(jobId))
  }

  /** Newest first. */
  async cancelled(client: Redis, limit: number): Promise<CancelledFate[]> {
    const ids = await client.zrevrange(this.#listKey, 0, limit - 1)
    return (await this.readAll(client, ids)).filter(isCancelled)
  }

  get #listKey(): string {
    return this.#keyOf('jobs-cancelled')
  }

  #key(jobId: string): string {
    return this.#keyOf(`job-fate:${jobId}`)
  }
}

/** Whether users see it as cancelled. */
export function isCancelled(fate: Fate | undefined): fate is CancelledFate {
  return fate !== undefined && fate.fate !== 'done'
}

function parseFate(text: string | null): Fate | undefined {
  if (text === null) return undefined
  try {
    return fateSchema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}
