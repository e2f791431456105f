import type { FastifyReply, FastifyRequest } from 'fastify'
import type { PageOrigins } from './page-origin.ts'

/** How long a browser may remember what a preflight said, seconds. */
const PREFLIGHT_MAX_AGE_S = 600

/** What pages of other origins may send and see. */
export interface CrossOriginRules {
  /** Headers of answers, by commas. */
  readonly exposed: string
  readonly methods: string
  /** Headers of requests, by commas. */
  readonly headers: string
}

/** Says to a browser whether the page that asks may see the answer (Fetch §3.2). */
export function sayCrossOrigin(
  request: FastifyRequest,
  reply: FastifyReply,
  origins: PageOrigins,
  rules: CrossOriginRules,
): void {
  const { origin } = request.headers
  if (origin === undefined) return
  reply.header('vary', 'Origin')
  const allowed = origins.allowed(origin)
  if (allowed === undefined) return
  reply.headers({ 'access-control-allow-origin': allowed, 'access-control-expose-headers': rules.exposed })
  if (request.method !== 'OPTIONS') return
  reply.headers({
    'access-control-allow-methods': rules.methods,
    'access-control-allow-headers': rules.headers,
    'access-control-max-age': String(PREFLIGHT_MAX_AGE_S),
  })
}
