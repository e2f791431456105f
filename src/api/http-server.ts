import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply } from 'fastify'
import { type Fault, TapedeckError } from '../media/errors.ts'
import type { Logger } from '../media/ports.ts'
import type { Access } from './access.ts'
import { type HealthSources, reportHealth } from './health.ts'
import { ListenError } from './listen-error.ts'
import type { Metrics } from './metrics.ts'
import { BadTokenError } from './token.ts'

/** Whole requests arrive within this, ms. */
const REQUEST_TIMEOUT_MS = 10_000
/** No route takes a body yet, bytes. */
const MAX_BODY_BYTES = 1024

/** What the HTTP side serves. */
export interface HttpServerOptions {
  readonly host: string
  readonly port: number
  readonly access: Access
  readonly health: HealthSources
  readonly metrics: Metrics
  readonly logger: Logger
}

/** The one shape of every error answer. */
export interface ErrorBody {
  readonly error: {
    readonly code: string
    readonly message: string
    readonly fault: Fault
    readonly details?: Readonly<Record<string, unknown>>
  }
}

/** GET /healthz, /readyz and /metrics. Lives once: `listen`, then `close`. */
export class HttpServer {
  readonly #options: HttpServerOptions
  readonly #app: FastifyInstance

  constructor(options: HttpServerOptions) {
    this.#options = options
    this.#app = Fastify({
      logger: false,
      bodyLimit: MAX_BODY_BYTES,
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectionTimeout: REQUEST_TIMEOUT_MS,
      forceCloseConnections: true,
    })
    this.#app.setErrorHandler((error: FastifyError, _, reply) => this.#fail(error, reply))
    this.#app.setNotFoundHandler((request, reply) =>
      sendError(
        reply,
        404,
        'TD_NOT_FOUND',
        `there is no ${request.method} ${request.url.slice(0, 200)} here`,
        'caller',
      ),
    )
    this.#route()
  }

  /** @throws ListenError */
  async listen(): Promise<{ host: string; port: number }> {
    const { host, port } = this.#options
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
    this.#app.get('/metrics', async (request, reply) => {
      await access.authorizeRequest('metrics', request.socket.remoteAddress ?? '', request.headers.authorization)
      return reply
        .type(metrics.contentType)
        .header('cache-control', 'no-store')
        .send(await metrics.render())
    })
  }

  #fail(error: FastifyError | TapedeckError, reply: FastifyReply): FastifyReply {
    if (error instanceof BadTokenError) {
      reply.header('www-authenticate', 'Bearer')
      return sendError(reply, 401, error.code, error.message, error.fault)
    }
    if (error instanceof TapedeckError) {
      return sendError(reply, error.fault === 'host' ? 500 : 400, error.code, error.message, error.fault)
    }
    const status = error.statusCode ?? 500
    if (status < 500) return sendError(reply, status, 'TD_BAD_REQUEST', error.message, 'caller')
    this.#options.logger.error({ err: error }, 'an HTTP request failed')
    return sendError(reply, 500, 'TD_INTERNAL', 'this should not have happened; the log says more', 'host')
  }
}

function sendError(reply: FastifyReply, status: number, code: string, message: string, fault: Fault): FastifyReply {
  return reply.code(status).send({ error: { code, message, fault } } satisfies ErrorBody)
}
