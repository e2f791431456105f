import { LimitError, TapedeckError } from '../media/errors.ts'
import type { Logger } from '../media/ports.ts'
import type { Track } from '../media/track.ts'
import { GopBudget } from './gop-budget.ts'
import { LiveStream, type PublisherInfo, type StreamAddress } from './stream.ts'
import type { EndReason } from './subscriber.ts'

/** Somebody publishes under this name already, and takeover is not allowed. */
export class NameBusyError extends TapedeckError {
  readonly code = 'TD_NAME_BUSY'
  readonly fault = 'peer'

  constructor(address: StreamAddress) {
    super(
      `${address.room}/${address.participant} is being published already; use another name, or start with --takeover`,
    )
  }
}

/** Follows the comings and goings of streams. */
export interface HubListener {
  /** Before the stream has tracks. */
  started?(stream: LiveStream): void
  /** A track that is new, or has a new configuration: its next epoch. */
  tracked?(stream: LiveStream, track: Track): void
  ended?(stream: LiveStream, reason: EndReason): void
}

/** Bounds and rules of a hub. */
export interface HubOptions {
  /** A second publisher replaces the first instead of being refused. */
  readonly takeover: boolean
  readonly maxStreams: number
  /** Media kept for late joiners, of all streams together, bytes. 16 MiB by default. */
  readonly gopCacheBytes?: number
}

const GOP_CACHE_BYTES = 16 * 1024 * 1024

/** All rooms of this process: who publishes what, now. */
export class Hub {
  readonly #options: HubOptions
  readonly #logger: Logger
  readonly #gopBudget: GopBudget
  readonly #streams = new Map<string, LiveStream>()
  readonly #listeners = new Set<HubListener>()

  constructor(options: HubOptions, logger: Logger) {
    this.#options = options
    this.#logger = logger
    this.#gopBudget = new GopBudget(options.gopCacheBytes ?? GOP_CACHE_BYTES)
  }

  get streams(): readonly LiveStream[] {
    return [...this.#streams.values()]
  }

  /** Media kept for late joiners, bytes, of all streams. */
  get gopBytes(): number {
    return this.#gopBudget.bytes
  }

  /** The stream that is live under `address`, if any. */
  find(address: StreamAddress): LiveStream | undefined {
    return this.#streams.get(keyOf(address))
  }

  /**
   * Says early what `publish` would say, for whoever has work to do before it.
   * @throws NameBusyError
   * @throws LimitError
   */
  demandFree(address: StreamAddress): void {
    const busy = this.find(address)
    if (busy === undefined) this.#demandRoom()
    else if (!this.#givesWay(busy)) throw new NameBusyError(address)
  }

  /**
   * Begins a stream. One that has the name already ends when takeover is on, or when it has not been heard for a while.
   * @throws NameBusyError when it does not give way
   * @throws LimitError when this process has all the streams it may have
   */
  publish(address: StreamAddress, publisher: PublisherInfo): LiveStream {
    const key = keyOf(address)
    const busy = this.#streams.get(key)
    if (busy !== undefined) {
      if (!this.#givesWay(busy)) throw new NameBusyError(address)
      busy.end('replaced')
      busy.publisher.disconnect?.('replaced')
    }
    this.#demandRoom()
    const stream = new LiveStream(address, publisher, this.#gopBudget, this.#logger, {
      tracked: (of, track) => this.#tell((listener) => listener.tracked?.(of, track)),
      ended: (ended, reason) => {
        if (this.#streams.get(key) === ended) this.#streams.delete(key)
        this.#tell((listener) => listener.ended?.(ended, reason))
      },
    })
    this.#streams.set(key, stream)
    this.#tell((listener) => listener.started?.(stream))
    return stream
  }

  /** Returns the way to stop listening. */
  listen(listener: HubListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Ends every stream; their connections are closed by whoever owns the listeners. */
  close(): void {
    for (const stream of this.#streams.values()) stream.end('shutdown')
  }

  #givesWay({ publisher }: LiveStream): boolean {
    return this.#options.takeover || publisher.yields?.() === true
  }

  #demandRoom(): void {
    const { maxStreams } = this.#options
    if (this.#streams.size >= maxStreams) throw new LimitError('streams published at a time', { limit: maxStreams })
  }

  #tell(call: (listener: HubListener) => void): void {
    for (const listener of this.#listeners) {
      try {
        call(listener)
      } catch (error) {
        this.#logger.error({ err: error }, 'stream listener failed')
      }
    }
  }
}

function keyOf(address: StreamAddress): string {
  return `${address.room.length}:${address.room}/${address.participant}`
}
