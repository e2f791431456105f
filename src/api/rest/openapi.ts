import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiPathsObject } from 'zod-openapi'
import { PERMISSIONS } from '../permission.ts'
import { errorAnswer } from './answers.ts'
import { OPERATIONS } from './operations.ts'
import { noBody } from './requests.ts'
import { ROUTES, type Route } from './routes.ts'

const DESCRIPTION = `Recordings of rooms: start, stop, pause, resume, cancel; what has been recorded, and its files.

The same API is at \`/api\` and at \`/api/webrtc\`. On the server's own machine it needs no token (unless \`--require-token\`);
elsewhere: \`tapedeck token --user alice --room demo --ttl 1h\`. Events come over a WebSocket at \`/api/events\`.`

const REACHES: Readonly<Record<string, string>> = { own: 'own', room: 'in the rooms of the token', all: 'everywhere' }
const USUAL_ERRORS = [400, 401, 403, 429, 500, 503]
const MEANINGS: Readonly<Record<number, string>> = {
  200: 'Done',
  201: 'Made',
  204: 'Done; there is nothing to say',
  400: 'The request cannot be used, is not possible now, or exceeds a limit',
  401: 'No token, or one that proves nothing',
  403: 'It is known who asks, and they may not do this',
  404: 'There is no such thing',
  409: 'It is on hold, or run by another server; a chunk: another one has its number',
  412: 'The file has changed',
  413: 'The body is too large',
  415: 'The body is not JSON',
  416: 'The range lies outside of the file',
  429: 'Too many requests; Retry-After says when to go on',
  500: 'A fault of the server',
  503: 'The state store is away; running recordings go on',
  507: 'The disk has no room for it',
}

/** The OpenAPI 3.1 document of the API below `mount`, as JSON. */
export function openApiDocument(mount: string, version: string): string {
  const paths: ZodOpenApiPathsObject = {}
  for (const [id, [method, path]] of Object.entries(OPERATIONS)) {
    const route = Object.entries(ROUTES).find(([name]) => name === id)?.[1]
    if (route === undefined) continue
    paths[path] = { ...paths[path], [method.toLowerCase()]: operation(id, path, route) }
  }
  const document = createDocument({
    openapi: '3.1.0',
    info: { title: 'tapedeck', version, description: DESCRIPTION, license: { name: 'MIT', identifier: 'MIT' } },
    servers: [{ url: mount }],
    security: [{ token: [] }],
    tags: ['Recording', 'Recordings', 'Rooms', 'Jobs', 'Server'].map((name) => ({ name })),
    paths,
    components: { securitySchemes: { token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } } },
  })
  return JSON.stringify(document)
}

function operation(id: string, path: string, route: Route): ZodOpenApiOperationObject {
  const statuses =
    route.permission === 'public'
      ? [429, 500]
      : [...USUAL_ERRORS, ...route.errors, ...(route.body === noBody ? [] : [413, 415])].sort((a, b) => a - b)
  return {
    operationId: id,
    summary: route.summary,
    tags: [route.tag],
    description: accessText(route.permission),
    ...(route.permission === 'public' ? { security: [] } : {}),
    requestParams: { ...(path.includes('{') ? { path: route.params } : {}), query: route.query },
    ...(route.body === noBody
      ? {}
      : { requestBody: { content: { [route.bodyMedia ?? 'application/json']: { schema: route.body } } } }),
    responses: {
      [String(route.status)]: {
        description: MEANINGS[route.status] ?? '',
        ...(route.status === 204 ? {} : { content: { [route.media ?? 'application/json']: { schema: route.answer } } }),
      },
      ...Object.fromEntries(statuses.map((status) => [String(status), errorResponse(status)])),
    },
  }
}

function accessText(permission: Route['permission']): string {
  if (permission === 'public') return 'For everybody.'
  if (permission === 'known') return 'For everybody with a token for the API; the answer holds what they may see.'
  if (permission === 'publish')
    return 'For whoever may publish under the name: a token that grants `publish`, as with WHIP.'
  const reaches = Object.entries(PERMISSIONS[permission]).filter(([, reach]) => reach !== 'none')
  return `\`${permission}\`: ${reaches.map(([role, reach]) => `${role} (${REACHES[reach]})`).join(', ')}.`
}

function errorResponse(status: number) {
  return { description: MEANINGS[status] ?? '', content: { 'application/json': { schema: errorAnswer } } }
}
