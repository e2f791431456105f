import type { Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import { TapedeckError } from '../../media/errors.ts'
import type { Logger } from '../../media/ports.ts'
import { StateAwayError } from '../../state/errors.ts'
import { Nap } from '../nap.ts'

/** BullMQ's name of the queue: its keys are `{prefix}jobs:…`. */
export const QUEUE_NAME = 'jobs'
/** A call that is not answered by then has failed, ms. */
const CALL_MS = 2000
const MAX_RECONNECT_MS = 1000

/** The two packages; loaded when the first queue is used. */
export interface BullPackages {
  readonly bullmq: typeof import('bullmq')
  readonly Redis: typeof Redis
}

async function load(): Promise<BullPackages> {
  const [bullmq, { Redis }] = await Promise.all([import('bullmq'), import('ioredis')])
  return { bullmq, Redis }
}

/** What sets our connections apart. */
interface ClientOptions {
  readonly maxRetriesPerRequest: number | null
  readonly enableOfflineQueue?: boolean
  readonly autoResendUnfulfilledCommands?: boolean
  readonly commandTimeout?: number
}

/** Nothing is queued, nothing is sent twice. */
const IMPATIENT: ClientOptions = {
  maxRetriesPerRequest: 0,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  commandTimeout: CALL_MS,
}

/** Connections to one Redis, and the queue there. */
export class BullConnection {
  /** BullMQ's prefix: it sets its own colon. */
  readonly bullPrefix: string
  readonly #url: string
  readonly #prefix: string
  readonly #logger: Logger
  readonly #clients: Redis[] = []
  #loading: Promise<BullPackages> | undefined
  #client: Promise<Redis> | undefined
  /** All calls wait for the same. */
  #readying: Promise<void> | undefined
  #queue: Queue | undefined
  #isAway = false
  #isClosed = false

  constructor(url: string, prefix: string, logger: Logger) {
    this.#url = url
    this.#prefix = prefix
    this.#logger = logger
    this.bullPrefix = prefix.endsWith(':') ? prefix.slice(0, -1) : prefix
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** A key of our own. */
  key(name: string): string {
    return `${this.#prefix}${name}`
  }

  /** A key of BullMQ's. */
  bullKey(name: string): string {
    return `${this.bullPrefix}:${QUEUE_NAME}:${name}`
  }

  packages(): Promise<BullPackages> {
    this.#loading ??= load()
    return this.#loading
  }

  /** One call to Redis, answered or failed within two seconds. @throws StateAwayError */
  async call<T>(work: (queue: Queue, client: Redis) => Promise<T>): Promise<T> {
    const patience = new Nap()
    const late = patience.sleep(CALL_MS).then(() => {
      throw new Error(`no answer within ${CALL_MS} ms`)
    })
    try {
      return await Promise.race([this.#connected().then(({ queue, client }) => work(queue, client)), late])
    } catch (error) {
      if (error instanceof TapedeckError) throw error
      throw new StateAwayError(`the queue of jobs in Redis at ${this.#place()}`, messageOf(error))
    } finally {
      late.catch(() => undefined)
      patience.end()
    }
  }

  /** A connection that waits for Redis as long as it takes, for workers and followers. Closed with this. */
  async patient(): Promise<Redis> {
    return this.#open({ maxRetriesPerRequest: null })
  }

  /** Logs that Redis is away, once until it is back. */
  failed(error: unknown): void {
    if (this.#isAway || this.#isClosed) return
    this.#isAway = true
    this.#logger.warn({ reason: messageOf(error) }, 'the queue of jobs in Redis cannot be reached; trying again')
  }

  /** BullMQ says that something went wrong: that Redis is away, or what nobody expects of it. */
  complained(error: unknown): void {
    if (this.#isClosed) return
    if (this.#isAway || this.#clients.some(({ status }) => status !== 'ready')) this.failed(error)
    else this.#logger.warn({ reason: messageOf(error) }, 'something is wrong with the queue of jobs in Redis')
  }

  close(): void {
    this.#isClosed = true
    for (const client of this.#clients) client.disconnect()
  }

  async #connected(): Promise<{ queue: Queue; client: Redis }> {
    const { bullmq } = await this.packages()
    this.#client ??= this.#open(IMPATIENT)
    const client = await this.#client
    if (client.status !== 'ready') {
      this.#readying ??= readiness(client).finally(() => {
        this.#readying = undefined
      })
      await this.#readying
    }
    if (this.#queue === undefined) {
      const options = { connection: client, prefix: this.bullPrefix, skipVersionCheck: true }
      this.#queue = new bullmq.Queue(QUEUE_NAME, options)
      this.#queue.on('error', (error) => this.complained(error))
    }
    return { queue: this.#queue, client }
  }

  async #open(options: ClientOptions): Promise<Redis> {
    const { Redis } = await this.packages()
    if (this.#isClosed) throw new StateAwayError('the queue of jobs', 'it is closed')
    const retryStrategy = (times: number): number => Math.min(times * 50, MAX_RECONNECT_MS)
    const client = new Redis(this.#url, { connectTimeout: CALL_MS, retryStrategy, ...options })
    client.on('error', (error) => this.failed(error))
    client.on('ready', () => {
      this.#isAway = false
    })
    this.#clients.push(client)
    return client
  }

  /** Without the password. */
  #place(): string {
    return URL.parse(this.#url)?.host ?? 'an address that is none'
  }
}

/** Resolves when the client can be asked; rejects with what keeps it from that. */
async function readiness(client: Redis): Promise<void> {
  if (client.status === 'end') throw new Error('the connection is closed')
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  client.once('ready', resolve)
  client.once('error', reject)
  try {
    await promise
  } finally {
    client.off('ready', resolve)
    client.off('error', reject)
  }
}

/** Errors of ioredis carry the command that failed, and with it the password. */
function messageOf(error: unknown): string {
  return error instanceof Error ? error.message || error.name : String(error)
}
