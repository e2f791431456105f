import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { FastifyInstance } from 'fastify'
import { RouteMissingError } from '../errors.ts'

/** Nothing from elsewhere, no script in the page itself; Swagger UI sets styles on its elements. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>tapedeck API</title>
    <link rel="icon" href="docs/favicon-32x32.png">
    <link rel="stylesheet" href="docs/swagger-ui.css">
  </head>
  <body>
    <div id="api"></div>
    <script src="docs/swagger-ui-bundle.js"></script>
    <script src="docs/start.js"></script>
  </body>
</html>
`
const START = `SwaggerUIBundle({
  url: 'openapi.json',
  dom_id: '#api',
  deepLinking: true,
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
})
`
const TYPES: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'favicon-32x32.png': 'image/png',
}
/** For what belongs to a version of the package, seconds. */
const MAX_AGE_S = 3600

/** The OpenAPI document, and Swagger UI to look at it: from its package, no other host is asked. */
export function docsRoutes(scope: FastifyInstance, mount: string, version: string): void {
  let document: Promise<string> | undefined
  scope.get('/openapi.json', async (_, reply) => {
    document ??= import('./openapi.ts').then(({ openApiDocument }) => openApiDocument(mount, version))
    return reply.type('application/json; charset=utf-8').send(await document)
  })
  scope.get('/docs', async (_, reply) =>
    reply.type('text/html; charset=utf-8').header('content-security-policy', POLICY).send(PAGE),
  )
  scope.get('/docs/start.js', async (_, reply) => reply.type('text/javascript; charset=utf-8').send(START))
  scope.get<{ Params: { asset: string } }>('/docs/:asset', async (request, reply) => {
    const { asset } = request.params
    const type = TYPES[asset]
    if (type === undefined) throw new RouteMissingError(request.method, request.url)
    const path = fileURLToPath(import.meta.resolve(`swagger-ui-dist/${asset}`))
    return reply
      .type(type)
      .header('cache-control', `public, max-age=${MAX_AGE_S}`)
      .send(await readFile(path))
  })
}
