import { isDeepStrictEqual } from 'node:util'
import { errorAnswer } from '../../src/api/rest/answers.ts'
import { OPERATIONS } from '../../src/api/rest/operations.ts'
import { ROUTES, type Route } from '../../src/api/rest/routes.ts'

/**
 * `fetch` that holds every JSON answer of the API against the schema of its route: nothing missing, nothing beyond it, and the
 * right status.
 */
export async function checkedFetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
  const response = await fetch(input, init)
  const { pathname } = new URL(input instanceof Request ? input.url : input)
  const method = init?.method ?? 'GET'
  const route = routeAt(method, pathname)
  if (route.media !== undefined && response.ok) return response
  const text = await response.text()
  const isEmpty = response.status === 204
  const body: unknown = isEmpty ? undefined : JSON.parse(text)
  const schema = response.ok ? route.answer : errorAnswer
  const parsed = schema.parse(body)
  if (!isDeepStrictEqual(parsed, body)) throw new Error(`${method} ${pathname} says more than its schema: ${text}`)
  const statuses = [400, 401, 403, 429, 500, 503, ...route.errors, route.status]
  if (!statuses.includes(response.status))
    throw new Error(`${method} ${pathname}: status ${response.status} is not in its route`)
  return new Response(isEmpty ? null : text, { status: response.status, headers: response.headers })
}

function routeAt(method: string, pathname: string): Route {
  const path = pathname.replace(/^\/api(\/webrtc)?(?=\/)/, '')
  const id = Object.entries(OPERATIONS).find(
    ([, [verb, pattern]]) => verb === method && new RegExp(`^${pattern.replace(/\{\w+\}/g, '[^/]+')}$`).test(path),
  )?.[0]
  const route = Object.entries(ROUTES).find(([name]) => name === id)?.[1]
  if (route === undefined) throw new Error(`no route for ${method} ${pathname}`)
  return route
}
