import type { Redis } from 'ioredis'
import type { Logger } from '../../media/ports.ts'
import { StateAwayError, StateDamagedError } from '../errors.ts'
import { Reachability } from '../reachability.ts'
import type { Script } from './script.ts'

/** A call is given up after this, ms: it may have happened. */
const DEADLINE_MS = 1800
/** How often it is looked whether Redis still answers, ms. */
const PROBE_MS = 2000
/** A connection that broke and is back within this was never away, ms. */
const GRACE_MS = 500
/** Calls that may wait for a connection at a time. */
const MAX_WAITING = 1000
/** Between two tries to connect, ms. */
const FIRST_RECONNECT_MS = 50
const LAST_RECONNECT_MS = 1000

/** Where the state lies, and under which keys. */
export interface RedisPlace {
  readonly url: string
  readonly prefix: string
}

/**
 * The connection to Redis: calls are answered or fail soon, nothing is queued without bound, nothing is sent twice. A
 * connection counts only after Redis has taken a write on it: one that stands still, loads, or is full is away.
 */
export class RedisLink {
  readonly reachability = new Reachability()
  readonly #client: Redis
  readonly #place: RedisPlace
  readonly #name: string
  readonly #waiting = new Set<() => void>()
  readonly #probe: NodeJS.Timeout
  #grace: NodeJS.Timeout | undefined
  #isProven = false
  /** Grows with each connection. */
  #epoch = 0
  #isClosed = false
  #problem = 'no connection yet'

  private constructor(client: Redis, place: RedisPlace, logger: Logger) {
    this.#client = client
    this.#place = place
    this.#name = placeName(place.url)
    this.#probe = setInterval(() => void this.#prove(), PROBE_MS).unref()
    client.on('error', (error) => {
      this.#problem = this.#clean(error)
      logger.debug({ reason: this.#problem }, `connection to ${this.#name}`)
    })
    client.on('ready', () => void this.#prove())
    client.on('close', () => this.#lost())
  }

  /** Resolves when Redis answers, or when it has been waited for long enough: health says which. */
  static async open(place: RedisPlace, logger: Logger): Promise<RedisLink> {
    const link = new RedisLink(await connect(place.url), place, logger)
    await link.#proven(performance.now() + DEADLINE_MS)
    if (!link.#isProven) link.#failed(link.#problem)
    return link
  }

  get prefix(): string {
    return this.#place.prefix
  }

  /** A connection of its own for commands that block. */
  blocking(): Promise<Redis> {
    return connect(this.#place.url)
  }

  /** Runs a script with the prefix and `args`. @throws StateAwayError */
  run(script: Script, ...args: readonly (string | number)[]): Promise<unknown> {
    const values = [0, this.prefix, ...args]
    return this.#call(async () => {
      try {
        return await this.#client.call('EVALSHA', script.sha, ...values)
      } catch (error) {
        if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
        return await this.#client.call('EVAL', script.body, ...values)
      }
    })
  }

  /** One command; the first argument is a key, without prefix. @throws StateAwayError */
  command(name: string, key: string, ...args: readonly (string | number)[]): Promise<unknown> {
    return this.#call(() => this.#client.call(name, this.prefix + key, ...args))
  }

  /** What a call throws for an error of a client, without secrets. */
  away(error: unknown): StateAwayError {
    return new StateAwayError(this.#name, new Error(this.#clean(error)))
  }

  close(): void {
    this.#isClosed = true
    clearInterval(this.#probe)
    clearTimeout(this.#grace)
    this.#client.disconnect()
    this.#wake()
  }

  async #call(send: () => Promise<unknown>): Promise<unknown> {
    const deadline = performance.now() + DEADLINE_MS
    if (!this.#isProven) await this.#proven(deadline)
    if (this.#isClosed) throw this.away('it is closed')
    if (!this.#isProven) {
      this.#failed(this.#problem)
      throw this.away(this.#problem)
    }
    try {
      return await this.#within(deadline, send())
    } catch (error) {
      const message = this.#clean(error)
      if (/^WRONGTYPE|user_script/.test(message)) throw new StateDamagedError(`a key below ${this.prefix}`, message)
      // what the loss of a connection means is known when the grace is over
      if (this.#isProven && !this.#isClosed) this.#failed(message)
      throw this.away(error)
    }
  }

  /** Rejects at the deadline, and then begins a new connection: whatever comes on the old one comes too late. */
  async #within(deadline: number, reply: Promise<unknown>): Promise<unknown> {
    const { promise, reject } = Promise.withResolvers<never>()
    const epoch = this.#epoch
    const timer = setTimeout(() => {
      const problem = `no answer within ${DEADLINE_MS} ms`
      reject(new Error(problem))
      this.#failed(problem)
      if (this.#epoch !== epoch) return
      this.#epoch++
      this.#isProven = false
      this.#client.disconnect(true)
    }, deadline - performance.now())
    try {
      return await Promise.race([reply, promise])
    } finally {
      clearTimeout(timer)
    }
  }

  /** Resolves when the connection is proven, or at the deadline; at once while Redis is known to be away. */
  async #proven(deadline: number): Promise<void> {
    if (!this.reachability.health.isReachable || this.#isClosed || this.#waiting.size >= MAX_WAITING) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, deadline - performance.now())
    this.#waiting.add(resolve)
    await promise
    this.#waiting.delete(resolve)
    clearTimeout(timer)
  }

  async #prove(): Promise<void> {
    if (this.#client.status !== 'ready' || this.#isClosed) return
    try {
      const write = this.#client.call('SET', `${this.prefix}probe`, String(Date.now()), 'EX', '60')
      await this.#within(performance.now() + DEADLINE_MS, write)
      this.#isProven = true
      clearTimeout(this.#grace)
      this.#grace = undefined
      this.reachability.reached()
      this.#wake()
    } catch (error) {
      this.#isProven = false
      if (!this.#isClosed) this.#failed(this.#clean(error))
    }
  }

  #lost(): void {
    this.#epoch++
    this.#isProven = false
    if (this.#isClosed) return
    this.#grace ??= setTimeout(() => {
      this.#grace = undefined
      if (!this.#isProven) this.#failed(this.#problem)
    }, GRACE_MS).unref()
  }

  #failed(problem: string): void {
    this.#problem = problem
    this.reachability.failed(problem)
    this.#wake()
  }

  #wake(): void {
    for (const resolve of [...this.#waiting]) resolve()
  }

  /** What an error says, without the password. */
  #clean(error: unknown): string {
    const message = said(error)
    const { password } = new URL(this.#place.url)
    if (password === '') return message
    return message.replaceAll(password, '…').replaceAll(decodeURIComponent(password), '…')
  }
}

/** A client that may not try again says so at length. */
function said(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.name === 'MaxRetriesPerRequestError' ? 'the connection was lost' : error.message || error.name
}

/** Host and port alone. */
function placeName(url: string): string {
  const { hostname, port } = new URL(url)
  return `Redis at ${hostname}:${port || '6379'}`
}

async function connect(url: string): Promise<Redis> {
  const { Redis } = await import('ioredis')
  return new Redis(url, {
    protocol: 2,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: 5000,
    disableClientInfo: true,
    retryStrategy: (times) => Math.min(FIRST_RECONNECT_MS * 2 ** Math.min(times - 1, 10), LAST_RECONNECT_MS),
  })
}
