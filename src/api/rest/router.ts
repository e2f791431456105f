import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { RecordingMissingError } from '../../service/errors.ts'
import type { CatalogueEntry } from '../../state/catalogue-entry.ts'
import type { Caller } from '../caller.ts'
import { DownloadLinks } from '../download-links.ts'
import { demand, demandRole, type Permission } from '../permission.ts'
import type { Handlers, JsonOperationId } from './call.ts'
import { catalogueHandlers } from './catalogue-handlers.ts'
import { docsRoutes } from './docs-page.ts'
import { Doorkeeper } from './doorkeeper.ts'
import { downloadRoute } from './download.ts'
import { parseJsonBodies, readInput } from './input.ts'
import { jobHandlers } from './job-handlers.ts'
import { OPERATIONS, type OperationId } from './operations.ts'
import { recordingHandlers } from './recording-handlers.ts'
import { roomHandlers } from './room-handlers.ts'
import { ROUTES, type Route } from './routes.ts'
import { serverHandlers } from './server-handlers.ts'
import type { ApiServices } from './services.ts'
import { uploadRoutes } from './upload-routes.ts'
import { webhookHandlers } from './webhook-handlers.ts'

/** Where the same API is to be found. */
export const MOUNTS = ['/api', '/api/webrtc'] as const

/** Largest body, bytes: a thousand names of participants and the metadata. */
const MAX_BODY_BYTES = 512 * 1024

/** A call whose operation is not known to the compiler; the route's schemas have checked it. */
interface AnyCall {
  readonly caller: Caller
  readonly params: unknown
  readonly query: unknown
  readonly body: unknown
  readonly mount: string
  readonly entry?: CatalogueEntry
}
/** Handlers by name. A method, so that each may ask for the call of its own operation. */
interface AnyHandler {
  handle(call: AnyCall): Promise<unknown>
}

/** Adds the whole API to `app`, once below each mount. Error handlers are the app's. */
export async function mountApi(app: FastifyInstance, services: ApiServices): Promise<void> {
  const doorkeeper = new Doorkeeper(services.access, services.maxRequestRate)
  const links = new DownloadLinks(services.secret, services.publicUrl)
  const router = new Router(services, doorkeeper, links)
  await app.register(async (api) => {
    await doorkeeper.guard(api)
    parseJsonBodies(api)
    for (const mount of MOUNTS) {
      await api.register(async (scope) => router.route(scope, mount), { prefix: mount })
    }
  })
}

class Router {
  readonly #services: ApiServices
  readonly #doorkeeper: Doorkeeper
  readonly #links: DownloadLinks
  readonly #handlers: Readonly<Record<JsonOperationId, AnyHandler['handle']>>

  constructor(services: ApiServices, doorkeeper: Doorkeeper, links: DownloadLinks) {
    this.#services = services
    this.#doorkeeper = doorkeeper
    this.#links = links
    this.#handlers = {
      ...recordingHandlers(services),
      ...catalogueHandlers(services, links),
      ...roomHandlers(services),
      ...jobHandlers(services),
      ...webhookHandlers(services),
      ...serverHandlers(services),
    } satisfies Handlers<JsonOperationId>
  }

  route(scope: FastifyInstance, mount: string): void {
    scope.addHook('onResponse', async (request, reply) => this.#log(request, reply))
    scope.options('/*', async (_, reply) => reply.code(204).send())
    for (const id of Object.keys(this.#handlers).filter(isJsonOperation)) {
      const [method, path] = OPERATIONS[id]
      const route: Route = ROUTES[id]
      scope.route({
        method,
        url: fastifyPath(path),
        bodyLimit: MAX_BODY_BYTES,
        preParsing: async (request) => this.#admit(request, route),
        handler: (request, reply) => this.#answer(id, mount, request, reply),
      })
    }
    downloadRoute(scope, {
      control: this.#services.control,
      links: this.#links,
      admit: (request) => this.#doorkeeper.admit(request),
    })
    const { uploads, access, logger } = this.#services
    if (uploads !== undefined) void scope.register(async (inner) => uploadRoutes(inner, { uploads, access, logger }))
    docsRoutes(scope, mount, this.#services.version)
  }

  /** Turns away before a body is read. */
  #admit(request: FastifyRequest, { permission }: Route): void {
    if (permission === 'public' || permission === 'publish') return
    const caller = this.#doorkeeper.admit(request)
    if (permission !== 'known') demandRole(caller, permission)
  }

  async #answer(id: JsonOperationId, mount: string, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
    const route: Route = ROUTES[id]
    const caller = this.#doorkeeper.admit(request)
    const { params, query, body } = route
    const path = readInput({ params }, request)
    const entry = await this.#authorize(route, caller, path.params)
    const more = readInput({ query, body }, request) // whoever may not learns no more than that
    const of = entry === undefined ? {} : { entry }
    const answer = await this.#handlers[id]({ ...path, ...more, ...of, caller, mount })
    return reply.code(route.status).send(answer)
  }

  async #authorize({ permission }: Route, caller: Caller, params: unknown): Promise<CatalogueEntry | undefined> {
    const recordingId = pathParameter(params, 'recording_id')
    const roomId = pathParameter(params, 'room_id')
    if (recordingId !== undefined) {
      const entry = await this.#services.control.get(recordingId)
      const { room_id, user_id } = entry.recording
      if (roomId !== undefined && room_id !== roomId) throw new RecordingMissingError(recordingId)
      if (isPermission(permission)) demand(caller, permission, { roomId: room_id, userId: user_id })
      return entry
    }
    if (roomId !== undefined && isPermission(permission)) demand(caller, permission, { roomId, userId: null })
    return undefined
  }

  #log(request: FastifyRequest, reply: FastifyReply): void {
    const { method, id, url } = request
    const fields = {
      requestId: id,
      method,
      path: (url.split('?', 1)[0] ?? '').slice(0, 1024),
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime * 10) / 10,
      user: this.#doorkeeper.nameOf(request),
      address: request.socket.remoteAddress,
    }
    const isReading = method === 'GET' || method === 'HEAD' || method === 'OPTIONS'
    if (isReading) this.#services.logger.debug(fields, 'request')
    else this.#services.logger.info(fields, 'request')
  }
}

function isPermission(permission: Route['permission']): permission is Permission {
  return permission !== 'known' && permission !== 'public' && permission !== 'publish'
}

function isJsonOperation(name: string): name is JsonOperationId {
  return name in OPERATIONS
}

/** `/a/{b}` as Fastify writes it: `/a/:b`. */
function fastifyPath(path: string): string {
  return path.replace(/\{(\w+)\}/g, ':$1')
}

function pathParameter(params: unknown, name: 'room_id' | 'recording_id'): string | undefined {
  if (typeof params !== 'object' || params === null || !(name in params)) return undefined
  const value = new Map<string, unknown>(Object.entries(params)).get(name)
  return typeof value === 'string' ? value : undefined
}

/** Which methods `path` (with its mount, without its query) has. */
export function methodsAt(path: string): string[] {
  const mount = MOUNTS.toReversed().find((each) => path.startsWith(`${each}/`))
  if (mount === undefined) return []
  const below = path.slice(mount.length)
  return Object.keys(OPERATIONS)
    .filter(isOperation)
    .flatMap((id) => {
      const [method, pattern] = OPERATIONS[id]
      return new RegExp(`^${pattern.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/]+')}$`).test(below) ? [method] : []
    })
}

function isOperation(name: string): name is OperationId {
  return name in OPERATIONS
}
