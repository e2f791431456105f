import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { z } from 'zod'
import { BadRequestError } from '../errors.ts'
import type { Route } from './routes.ts'

/** How many mistakes are told at a time. */
const MAX_DETAILS = 20

/** What came in, as the route's schemas make it. @throws BadRequestError */
export function readInput(
  { params, query, body }: Pick<Route, 'params' | 'query' | 'body'>,
  request: Pick<FastifyRequest, 'params' | 'query' | 'body'>,
): { readonly params: unknown; readonly query: unknown; readonly body: unknown } {
  const mistakes: { path: string; message: string }[] = []
  const read = (where: string, schema: z.ZodType, value: unknown): unknown => {
    const result = schema.safeParse(value)
    if (result.success) return result.data
    for (const { path, message } of result.error.issues) {
      mistakes.push({ path: [where, ...path.map(String)].join('.'), message })
    }
    return undefined
  }
  const input = {
    params: read('params', params, request.params),
    query: read('query', query, request.query),
    body: read('body', body, request.body),
  }
  if (mistakes.length > 0) throw new BadRequestError(mistakes.slice(0, MAX_DETAILS))
  return input
}

/** Bodies are JSON, or empty: curl and many clients name a type though they send nothing. */
export function parseJsonBodies(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body.length === 0) done(null, undefined)
    else parse(request, String(body), done)
  })
}
