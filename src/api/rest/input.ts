import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { z } from 'zod'
import { BadRequestError, MediaTypeError } from '../errors.ts'
import type { Route } from './routes.ts'

/** How many mistakes are told at a time. */
const MAX_DETAILS = 20

type Parts = Pick<Route, 'params' | 'query' | 'body'>

/** What came in, as the given schemas of a route make it. @throws BadRequestError */
export function readInput<Part extends keyof Parts>(
  schemas: Pick<Parts, Part>,
  request: Pick<FastifyRequest, keyof Parts>,
): { readonly [Each in Part]: unknown } {
  const mistakes: { path: string; message: string }[] = []
  const input: { [Each in Part]: unknown } = { ...schemas }
  for (const part in schemas) {
    const result = schemas[part].safeParse(request[part])
    if (result.success) input[part] = result.data
    else mistakes.push(...result.error.issues.map((issue) => mistakeIn(part, issue)))
  }
  if (mistakes.length > 0) throw new BadRequestError(mistakes.slice(0, MAX_DETAILS))
  return input
}

function mistakeIn(part: string, { path, message }: z.core.$ZodIssue): { path: string; message: string } {
  return { path: [part, ...path.map(String)].join('.'), message }
}

/** Bodies are JSON, or empty: curl and many clients name a type though they send nothing. */
export function parseJsonBodies(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body.length === 0) done(null, undefined)
    else parse(request, String(body), done)
  })
  app.addContentTypeParser('*', { parseAs: 'string' }, (request, body, done) => {
    if (body.length === 0) done(null, undefined)
    else done(new MediaTypeError(request.headers['content-type'] ?? ''))
  })
}
