import { UnsupportedError } from '../media/errors.ts'
import type { EngineSession, MediaEngine, PublishRequest, PublishSink, SessionSink, WatchRequest } from './engine.ts'
import type { TransportFactory } from './transport.ts'

/** What a `LocalEngine` may be told. */
export interface LocalEngineOptions {
  /** Sessions of both kinds at a time. Default 1000. */
  readonly maxSessions?: number
}

/** The engine in this process: sessions by id, one timer for all of them. */
export class LocalEngine implements MediaEngine {
  readonly #transports: TransportFactory

  /** Takes over `transports`: it closes them. */
  constructor(transports: TransportFactory, _options: LocalEngineOptions = {}) {
    this.#transports = transports
  }

  async publish(request: PublishRequest, _sink: PublishSink): Promise<EngineSession> {
    throw new UnsupportedError(`session ${request.id}: publishing is not there yet`)
  }

  async watch(request: WatchRequest, _sink: SessionSink): Promise<EngineSession> {
    throw new UnsupportedError(`session ${request.id}: watching is not there yet`)
  }

  async close(): Promise<void> {
    await this.#transports.close()
  }
}
