import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { RouteMissingError } from './errors.ts'

const DIRECTORY = join(import.meta.dirname, '..', 'browser')
const TYPE = 'text/javascript; charset=utf-8'
/** For what belongs to a version of the package, seconds. */
const MAX_AGE_S = 300

/**
 * `GET /browser.js`: the module `tapedeck/browser`, for pages of any origin: `import { publish } from '…/browser.js'`. In a
 * checkout, where it is not built, it comes from its sources, one by one.
 */
export function browserModule(app: FastifyInstance): void {
  const isBuilt = existsSync(join(DIRECTORY, 'index.js'))
  const headers = {
    'access-control-allow-origin': '*',
    'cross-origin-resource-policy': 'cross-origin',
    'cache-control': `public, max-age=${MAX_AGE_S}`,
    'x-content-type-options': 'nosniff',
  }
  app.get('/browser.js', async (_, reply) => {
    const text = isBuilt ? await readFile(join(DIRECTORY, 'index.js'), 'utf8') : "export * from './browser/index.ts'\n"
    return reply.type(TYPE).headers(headers).send(text)
  })
  if (isBuilt) return
  app.get<{ Params: { file: string } }>('/browser/:file', async (request, reply) => {
    const { file } = request.params
    if (!/^[a-z-]+\.ts$/.test(file)) throw new RouteMissingError(request.method, request.url)
    const text = await readFile(join(DIRECTORY, file), 'utf8').catch(() => undefined)
    if (text === undefined) throw new RouteMissingError(request.method, request.url)
    return reply.type(TYPE).headers(headers).send(stripTypeScriptTypes(text))
  })
}
