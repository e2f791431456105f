import { request } from 'node:http'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ApiServer } from '../peers/api-server.ts'

const lines: { fields: object; message: string }[] = []
const keep = (fields: object, message: string) => void lines.push({ fields, message })
const RATE = 5
const shared: { server?: ApiServer; strict?: ApiServer } = {}
const rig = () => {
  const { server, strict } = shared
  if (server === undefined || strict === undefined) throw new Error('not started')
  return { server, strict }
}

beforeAll(async () => {
  const logger = { debug: keep, info: keep, warn: keep, error: keep }
  shared.server = await ApiServer.start({ corsOrigins: 'https://a.example' }, logger)
  shared.strict = await ApiServer.start({ requireToken: true, maxRequestRate: RATE, corsOrigins: '*' })
})
afterAll(async () => {
  await shared.server?.stop()
  await shared.strict?.stop()
})

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly error: { code?: string; message?: string; details?: unknown }
}
async function ask(path: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(rig().server.http + path, init)
  const text = await response.text()
  return {
    status: response.status,
    headers: response.headers,
    error: text === '' ? {} : (JSON.parse(text).error ?? {}),
  }
}
const json = (body: string, type = 'application/json') => ({ method: 'POST', body, headers: { 'content-type': type } })

describe('errors', () => {
  it.each<[string, string, RequestInit, number, string]>([
    ['an unknown address', '/api/none', {}, 404, 'TD_NOT_FOUND'],
    ['an address above the API', '/apinone', {}, 404, 'TD_NOT_FOUND'],
    ['an unknown asset of the page', '/api/docs/index.js', {}, 404, 'TD_NOT_FOUND'],
    ['a way out of the page', '/api/docs/..%2Fpackage.json', {}, 404, 'TD_NOT_FOUND'],
    ['a wrong method', '/api/recordings', { method: 'POST' }, 405, 'TD_METHOD'],
    ['a garbled name', '/api/rooms/%ff', {}, 400, 'TD_BAD_REQUEST'],
    ['a name that is too long', `/api/rooms/${'x'.repeat(256)}`, {}, 400, 'TD_BAD_REQUEST'],
    ['a wrong query', '/api/recordings?limit=0', {}, 400, 'TD_BAD_REQUEST'],
    ['garbled JSON', '/api/rooms/a/recording/start', json('{'), 400, 'TD_BAD_REQUEST'],
    ['a prototype in JSON', '/api/rooms/a/recording/start', json('{"__proto__":{}}'), 400, 'TD_BAD_REQUEST'],
    ['no object', '/api/rooms/a/recording/start', json('3'), 400, 'TD_BAD_REQUEST'],
    ['another type', '/api/rooms/a/recording/start', json('<a/>', 'text/xml'), 415, 'TD_MEDIA_TYPE'],
    ['a large body', '/api/rooms/a/recording/start', json(`"${'x'.repeat(600_000)}"`), 413, 'TD_BAD_REQUEST'],
    ['an unknown recording', '/api/recordings/none', {}, 404, 'TD_RECORDING_MISSING'],
    ['an unknown file', '/api/recordings/none/files/none', {}, 404, 'TD_RECORDING_MISSING'],
    ['an unknown job', '/api/jobs/none/retry', { method: 'POST' }, 404, 'TD_JOB_MISSING'],
    ['a forged link', '/api/recordings/a/files/b?expires=9999999999&signature=x', {}, 403, 'TD_BAD_LINK'],
  ])('%s: %s', async (_, path, init, status, code) => {
    const answer = await ask(path, init)
    expect(answer).toMatchObject({ status, error: { code, message: expect.any(String), fault: 'caller' } })
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8')
  })

  it('say what is wrong where, and which methods there are', async () => {
    const body = { participants: [''], max_size_bytes: 1.5 }
    const { error } = await ask('/api/rooms/a/recording/start', json(JSON.stringify(body)))
    expect(error.details).toEqual([
      { path: 'body.participants.0', message: expect.any(String) },
      { path: 'body.max_size_bytes', message: expect.any(String) },
    ])
    expect((await ask('/api/recordings/x', { method: 'PATCH' })).headers.get('allow')).toBe('GET, DELETE')
  })

  it('take an empty body of any type for none', async () => {
    for (const type of ['application/json', 'application/x-www-form-urlencoded']) {
      expect(await ask('/api/rooms/a/recording/start', json('', type))).toMatchObject({
        error: { code: 'TD_ROOM_UNKNOWN' },
      })
    }
  })

  it('a request that is not HTTP is told so, and nothing falls over', async () => {
    const port = Number(new URL(rig().server.http).port)
    const said = await new Promise<string>((resolve) => {
      let text = ''
      const socket = connect(port, '127.0.0.1', () =>
        socket.write('GET /api/rooms HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n'),
      )
      socket.on('data', (data) => (text += data)).on('close', () => resolve(text))
    })
    expect(said).toMatch(/^HTTP\/1\.1 400 /)
    expect((await ask('/api/server')).status).toBe(200)
  })
})

describe('headers', () => {
  it('are for machines, and never for keeping', async () => {
    const { headers } = await ask('/api/server')
    expect(headers.get('cache-control')).toBe('no-store')
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('x-request-id')).toMatch(/^[\w-]{36}$/)
    expect(headers.get('access-control-allow-origin')).toBeNull()
  })

  it('let pages of the named origin in, and no others', async () => {
    const of = async (origin: string, method = 'GET') => ask('/api/server', { method, headers: { origin } })
    expect((await of('https://a.example')).headers.get('access-control-allow-origin')).toBe('https://a.example')
    const preflight = await of('https://a.example', 'OPTIONS')
    expect(preflight.status).toBe(204)
    expect(preflight.headers.get('access-control-allow-methods')).toContain('DELETE')
    expect(preflight.headers.get('access-control-allow-headers')).toContain('authorization')
    const strange = await of('https://evil.example')
    expect(strange).toMatchObject({ status: 403, error: { code: 'TD_FORBIDDEN' } })
    expect(strange.headers.get('access-control-allow-origin')).toBeNull()
    expect((await of('https://evil.example', 'OPTIONS')).headers.get('access-control-allow-methods')).toBeNull()
    expect(strange.headers.get('vary')).toBe('Origin')
  })

  it('a host name that only leads here is not trusted', async () => {
    const { port } = new URL(rig().server.http)
    const status = (host: string) =>
      new Promise((resolve, reject) => {
        request({ port, host: '127.0.0.1', path: '/api/server', headers: { host } }, (response) => {
          response.resume()
          resolve(response.statusCode)
        })
          .on('error', reject)
          .end()
      })
    expect(await status(`evil.example:${port}`)).toBe(403)
    expect(await status(`localhost:${port}`)).toBe(200)
  })
})

describe('names in paths', () => {
  it.each(['a b', 'ü/é', '...', '%41', 'a?b#c', '🎬', 'x'.repeat(255)])(
    '%j reaches the room of that name',
    async (room) => {
      const answer = await ask(`/api/rooms/${encodeURIComponent(room)}/recordings`)
      expect(answer.status).toBe(200)
      const { error } = await ask(`/api/rooms/${encodeURIComponent(room)}`)
      expect(error).toMatchObject({ code: 'TD_ROOM_UNKNOWN' })
      expect(error.message).toContain(JSON.stringify(room.slice(0, 64)))
    },
  )
})

describe('the log', () => {
  it('knows requests by their ids, and no tokens', async () => {
    const { server } = rig()
    const token = await server.token({ sub: 'alice', role: 'admin' })
    const headers = { authorization: `Bearer ${token}` }
    const path = '/api/rooms/a/recording/start'
    const answer = await ask(`${path}?quality=low`, { method: 'POST', headers })
    await ask(`/api/recordings/a/files/b?expires=1&signature=secretsignature`, { headers })
    const id = answer.headers.get('x-request-id')
    expect(lines.find(({ fields }) => 'requestId' in fields && fields.requestId === id)).toMatchObject({
      message: 'request',
      fields: { method: 'POST', path, status: 404, user: 'alice', address: '127.0.0.1' },
    })
    const text = JSON.stringify(lines)
    expect(text).not.toContain(token)
    expect(text).not.toContain('secretsignature')
  })
})

describe('requests per second', () => {
  it('are bounded for each user, for addresses, and say when to go on', async () => {
    const { strict } = rig()
    const get = (token: string) => fetch(`${strict.http}/api/rooms`, { headers: { authorization: `Bearer ${token}` } })
    const alice = await strict.token({ sub: 'alice', role: 'viewer', rooms: '*' })
    const bob = await strict.token({ sub: 'bob', role: 'viewer', rooms: '*' })
    const many = await Promise.all(Array.from({ length: RATE * 12 }, () => get(alice)))
    const refused = many.filter(({ status }) => status === 429)
    expect(refused.length).toBeGreaterThan(RATE * 4) // even if it takes seven seconds
    expect(refused[0]?.headers.get('retry-after')).toBe('1')
    expect(await refused[0]?.json()).toMatchObject({ error: { code: 'TD_REQUEST_RATE', fault: 'caller' } })
    expect((await get(bob)).status).toBe(200)
    const guesses = await Promise.all(Array.from({ length: RATE * 12 }, () => get('guess')))
    expect(guesses.some(({ status }) => status === 429)).toBe(true)
    expect(guesses.every(({ status }) => status === 429 || status === 401)).toBe(true)
  })

  it('are not for whoever needs no token on this machine', async () => {
    const answers = await Promise.all(Array.from({ length: 300 }, () => ask('/api/rooms')))
    expect(answers.every(({ status }) => status === 200)).toBe(true)
  })
})

describe('the page', () => {
  it('comes from here, whole', async () => {
    const { server } = rig()
    for (const mount of ['/api', '/api/webrtc']) {
      const page = await fetch(`${server.http}${mount}/docs`)
      expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
      const html = await page.text()
      for (const [, path = ''] of html.matchAll(/(?:src|href)="([^"]+)"/g)) {
        const asset = await fetch(new URL(path, `${server.http}${mount}/docs`))
        expect([path, asset.status]).toEqual([path, 200])
        expect((await asset.arrayBuffer()).byteLength).toBeGreaterThan(50)
      }
      const document = await fetch(`${server.http}${mount}/openapi.json`)
      expect(await document.json()).toMatchObject({ openapi: '3.1.0', servers: [{ url: mount }] })
    }
  })
})
