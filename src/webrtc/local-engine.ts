import { LimitError, MisuseError, UnsupportedError } from '../media/errors.ts'
import type { EngineSession, MediaEngine, PublishRequest, PublishSink, SessionSink, WatchRequest } from './engine.ts'
import { PublishSession } from './publish-session.ts'
import { negotiatePublish } from './sdp/publish-offer.ts'
import type { TransportFactory } from './transport.ts'
import { WatchSession } from './watch-session.ts'

/** What a `LocalEngine` may be told. */
export interface LocalEngineOptions {
  /** Sessions of both kinds at a time. Default 1000. */
  readonly maxSessions?: number
}

/** What a session of either kind is to the engine. */
interface RunningSession extends EngineSession {
  tick(nowMs: number): void
}

const MAX_SESSIONS = 1000
/** Between two looks at what is due: NACK, feedback, deadlines. */
const TICK_MS = 25

/** The engine in this process: sessions by id, one timer for all of them. */
export class LocalEngine implements MediaEngine {
  readonly #transports: TransportFactory
  readonly #maxSessions: number
  readonly #sessions = new Map<string, RunningSession>()
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  /** Takes over `transports`: it closes them. */
  constructor(transports: TransportFactory, options: LocalEngineOptions = {}) {
    this.#transports = transports
    this.#maxSessions = options.maxSessions ?? MAX_SESSIONS
  }

  async publish(request: PublishRequest, sink: PublishSink): Promise<EngineSession> {
    this.#checkRoom(request.id)
    const negotiation = negotiatePublish(request)
    const session = new PublishSession(request, negotiation, sink, () => this.#leave(session))
    this.#enter(session)
    try {
      session.attach(await this.#transports.accept(negotiation.remote, session))
    } catch (error) {
      session.close()
      throw error
    }
    return session
  }

  async watch(request: WatchRequest, sink: SessionSink): Promise<EngineSession> {
    this.#checkRoom(request.id)
    const publisher = this.#sessions.get(request.publisherId)
    if (!(publisher instanceof PublishSession))
      throw new UnsupportedError(`there is no publishing session ${request.publisherId} to be watched`)
    const session = new WatchSession(request, publisher, sink, () => this.#leave(session))
    this.#enter(session)
    try {
      session.attach(await this.#transports.accept(session.remote, session))
    } catch (error) {
      session.close()
      throw error
    }
    return session
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const session of [...this.#sessions.values()]) session.close()
    await this.#transports.close()
  }

  #checkRoom(id: string): void {
    if (this.#isClosed) throw new MisuseError('media engine: used after it was closed')
    if (this.#sessions.has(id)) throw new MisuseError(`media engine: there is a session ${id} already`)
    if (this.#sessions.size >= this.#maxSessions) throw new LimitError('WebRTC sessions', { limit: this.#maxSessions })
  }

  #enter(session: RunningSession): void {
    this.#sessions.set(session.id, session)
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS)
  }

  #leave(session: RunningSession): void {
    if (this.#sessions.get(session.id) === session) this.#sessions.delete(session.id)
    for (const other of [...this.#sessions.values()])
      if (other instanceof WatchSession && other.publisher === session) other.publisherEnded()
    if (this.#sessions.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #tick(): void {
    const nowMs = performance.now()
    for (const session of [...this.#sessions.values()]) {
      try {
        session.tick(nowMs)
      } catch {
        session.close() // a sink that throws costs its own session alone
      }
    }
  }
}
