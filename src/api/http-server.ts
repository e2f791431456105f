import { randomUUID } from 'node:crypto'
import Fastify, { type FastifyInstance } from 'fastify'
import type { Logger } from '../media/ports.ts'
import type { Access } from './access.ts'
import { browserModule } from './browser-module.ts'
import { answerError } from './error-answer.ts'
import { MethodError, RouteMissingError } from './errors.ts'
import type { EventSocket } from './event-socket.ts'
import { type HealthSources, reportHealth } from './health.ts'
import { ListenError } from './listen-error.ts'
import type { Metrics } from './metrics.ts'
import { MOUNTS, methodsAt, mountApi } from './rest/router.ts'
import type { ApiServices } from './rest/services.ts'
import { UploadSocket } from './upload-socket.ts'
import { mountSignalling, type SignallingOptions } from './webrtc/signalling.ts'

/** Whole requests arrive within this, ms. */
const REQUEST_TIMEOUT_MS = 10_000
/** A connection on which nothing moves for so long is closed, ms: whoever watches a download may pause it for a while. */
const IDLE_TIMEOUT_MS = 120_000
/** Of routes that do not say otherwise, bytes. */
const MAX_BODY_BYTES = 1024
/** Longest name in a path, characters: 255 bytes, each percent-encoded. */
const MAX_NAME_CHARACTERS = 1024

/** What the HTTP side serves. */
export interface HttpServerOptions {
  readonly host: string
  readonly port: number
  readonly access: Access
  readonly health: HealthSources
  readonly metrics: Metrics
  readonly logger: Logger
  /** For /api and /api/webrtc. */
  readonly api?: ApiServices
  /** For /api/events and /api/webrtc/events. */
  readonly events?: EventSocket
  /** For /whip and /whep. */
  readonly signalling?: SignallingOptions
}

/** GET /healthz, /readyz, /metrics and /browser.js, and the API. Lives once: `listen`, then `close`. */
export class HttpServer {
  readonly #options: HttpServerOptions
  readonly #app: FastifyInstance

  constructor(options: HttpServerOptions) {
    this.#options = options
    this.#app = Fastify({
      logger: false,
      bodyLimit: MAX_BODY_BYTES,
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectionTimeout: IDLE_TIMEOUT_MS,
      forceCloseConnections: true,
      genReqId: () => randomUUID(),
      routerOptions: { maxParamLength: MAX_NAME_CHARACTERS },
      frameworkErrors: (error, _, reply) => answerError(error, reply, options.logger),
    })
    this.#app.setErrorHandler((error, _, reply) => answerError(error, reply, options.logger))
    this.#app.setNotFoundHandler((request) => {
      const { method, url } = request
      const methods = methodsAt(url.split('?', 1)[0] ?? '')
      throw methods.length > 0 ? new MethodError(method, methods) : new RouteMissingError(method, url)
    })
    this.#route()
  }

  /** @throws ListenError */
  async listen(): Promise<{ host: string; port: number }> {
    const { host, port, api, events, signalling } = this.#options
    events?.mount(this.#app, MOUNTS)
    if (events !== undefined && api?.uploads !== undefined) {
      new UploadSocket({ uploads: api.uploads, access: api.access, logger: api.logger }).mount(this.#app, MOUNTS)
    }
    if (api !== undefined) await mountApi(this.#app, api)
    if (signalling !== undefined) await mountSignalling(this.#app, signalling)
    try {
      await this.#app.listen({ host, port })
    } catch (error) {
      throw new ListenError('--http', { host, port }, error)
    }
    const address = this.#app.server.address()
    return { host, port: typeof address === 'object' && address !== null ? address.port : port }
  }

  /** Ends open requests too. Idempotent. */
  async close(): Promise<void> {
    await this.#app.close()
  }

  #route(): void {
    const { access, health, metrics } = this.#options
    this.#app.get('/healthz', async (_, reply) => {
      const report = await reportHealth(health)
      return reply
        .code(report.status === 'failing' ? 503 : 200)
        .header('cache-control', 'no-store')
        .send(report)
    })
    this.#app.get('/readyz', async (_, reply) => {
      const report = await reportHealth(health)
      const ready = report.status === 'ok'
      return reply
        .code(ready ? 200 : 503)
        .header('cache-control', 'no-store')
        .send({ ready, ...report })
    })
    browserModule(this.#app)
    this.#app.get('/metrics', async (request, reply) => {
      await access.authorizeRequest('metrics', request.socket.remoteAddress ?? '', request.headers.authorization)
      return reply
        .type(metrics.contentType)
        .header('cache-control', 'no-store')
        .send(await metrics.render())
    })
  }
}
