import Fastify, { type FastifyInstance } from 'fastify'
import { SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Access } from '../../src/api/access.ts'
import { TokenKeeper } from '../../src/api/token.ts'
import { iceServerLinks } from '../../src/api/webrtc/ice-servers.ts'
import { mountSignalling } from '../../src/api/webrtc/signalling.ts'
import { codecPreference } from '../../src/ingest/whip/codec-preference.ts'
import { WhipIngest } from '../../src/ingest/whip/whip-ingest.ts'
import { Hub } from '../../src/live/hub.ts'
import { WhepPlayback } from '../../src/playback/whep/whep-playback.ts'
import { MediaProcessError, TransportError } from '../../src/webrtc/transport-error.ts'
import { turnCredentials } from '../../src/webrtc/turn-credentials.ts'
import { OFFER, ScriptedEngine } from '../ingest/scripted-engine.ts'

const SECRET = Buffer.from('a secret of thirty-two bytes, and more')
const PAGE = 'https://a.example'
const ICE_SERVERS = [
  'stun:stun.example.net',
  'turn:user:p%40ss@turn.example.net:3478?transport=udp',
  'turn:shared.example.net',
]
const lines: string[] = []
const log = (fields: object, message: string) => void lines.push(`${message} ${JSON.stringify(fields)}`)
const logger = { debug: log, info: log, warn: log, error: log }
const hub = new Hub({ takeover: false, maxStreams: 20 }, logger)
const engine = new ScriptedEngine()
const whip = new WhipIngest({
  hub,
  engine,
  logger,
  layers: 'best',
  maxBitrateBps: 1_000_000,
  jitterBudgetMs: 1000,
  codecs: () => codecPreference('auto'),
})
const whep = new WhepPlayback({ hub, engine, logger })
const open: FastifyInstance[] = []
const at = { free: '', strict: '', guarded: '' }

async function serve(requireToken: boolean, maxRequestRate: number): Promise<string> {
  const app = Fastify({ routerOptions: { maxParamLength: 1024 } })
  open.push(app)
  await mountSignalling(app, {
    protocols: [
      { name: 'whip', action: 'publish', door: whip },
      { name: 'whep', action: 'play', door: whep },
    ],
    access: new Access({ requireToken, allowAnonymous: false, corsOrigins: PAGE }, new TokenKeeper(SECRET)),
    logger,
    iceServers: { urls: ICE_SERVERS, turnSecret: 'north' },
    maxRequestRate,
    publicUrl: 'https://media.example/td/',
  })
  return app.listen({ host: '127.0.0.1', port: 0 })
}
beforeAll(async () => {
  at.free = await serve(false, 1000)
  at.strict = await serve(true, 8)
  at.guarded = await serve(true, 1000)
})
afterAll(async () => {
  whip.close()
  whep.close()
  for (const app of open) await app.close()
})

let count = 0
const name = () => `p${count++}`
interface Given {
  readonly method?: string
  readonly body?: string
  readonly headers?: Record<string, string>
}
async function ask(path: string, { method = 'POST', body, headers = {} }: Given = {}, base = at.free) {
  const type = method === 'PATCH' ? 'application/trickle-ice-sdpfrag' : 'application/sdp'
  const sent = body === undefined ? {} : { body }
  const all = body === undefined ? headers : { 'content-type': type, ...headers }
  const response = await fetch(base + path, { method, headers: all, ...sent })
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.startsWith('application/json') === true
  return {
    status: response.status,
    headers: response.headers,
    text,
    error: isJson ? JSON.parse(text).error : undefined,
  }
}
async function session(protocol = 'whip', participant = name()) {
  const answer = await ask(`/${protocol}/standup/${participant}`, { body: OFFER })
  if (answer.status !== 201) throw new Error(`${answer.status} ${answer.text}`)
  const path = (answer.headers.get('location') ?? '').replace('/td', '')
  return { participant, path, etag: answer.headers.get('etag') ?? '', answer }
}
const token = (claims: object) =>
  new SignJWT({ ...claims }).setProtectedHeader({ alg: 'HS256' }).setExpirationTime('1m').sign(SECRET)

describe('POST (RFC 9725 §4.2)', () => {
  it('is answered with 201, the answer, where the session is, its ICE session and servers', async () => {
    const { answer, path, participant } = await session()
    expect(answer.text).toBe(engine.published.at(-1)?.answer)
    expect(answer.headers.get('content-type')).toBe('application/sdp')
    expect(answer.headers.get('location')).toMatch(/^\/td\/whip\/standup\/p\d+\/[\da-f-]{36}$/)
    expect(answer.headers.get('etag')).toMatch(/^"[\w-]{16}"$/)
    expect(answer.headers.get('accept-patch')).toBe('application/trickle-ice-sdpfrag')
    expect(answer.headers.get('cache-control')).toBe('no-store')
    const links = answer.headers.get('link')?.split(', ')
    expect(links?.slice(0, 2)).toEqual([
      '<stun:stun.example.net>; rel="ice-server"',
      '<turn:turn.example.net:3478?transport=udp>; rel="ice-server"; ' +
        'username="user"; credential="p@ss"; credential-type="password"',
    ])
    const [, until] =
      /^<turn:shared.example.net>.*username="(\d+):standup%2Fp\d+"; credential="/.exec(links?.[2] ?? '') ?? []
    expect(Number(until) - Date.now() / 1000).toBeGreaterThan(86_300)
    expect(Number(until) - Date.now() / 1000).toBeLessThanOrEqual(86_400)
    expect(hub.find({ room: 'standup', participant })?.publisher).toMatchObject({ source: 'whip' })
    expect(lines.join('\n')).not.toContain(path.split('/').at(-1))
  })

  it('takes names as they are, and labels of tracks', async () => {
    const path = `/whip/${encodeURIComponent('a/b ü')}/${encodeURIComponent('c?#')}`
    const answer = await ask(`${path}?labels=0:camera,1:my%20screen&streamKey=x`, { body: OFFER })
    expect(answer.status).toBe(201)
    expect(answer.headers.get('location')).toContain(`/td${path}/`)
    expect(hub.find({ room: 'a/b ü', participant: 'c?#' })).toBeDefined()
    expect(engine.published.at(-1)?.request.labels).toEqual({ 0: 'camera', 1: 'my screen' })
  })

  it.each<[string, string, Given, number, string]>([
    ['another type', '/whip/a/b', { body: OFFER, headers: { 'content-type': 'text/plain' } }, 415, 'TD_MEDIA_TYPE'],
    ['no type', '/whip/a/b', {}, 415, 'TD_MEDIA_TYPE'],
    ['an empty body', '/whip/a/b', { headers: { 'content-type': 'application/sdp' } }, 400, 'TD_MALFORMED'],
    ['a garbled body', '/whip/a/b', { body: 'hello' }, 400, 'TD_MALFORMED'],
    ['nothing to take', '/whip/a/b', { body: 'v=0\r\nm=application 9 x y\r\n' }, 422, 'TD_UNSUPPORTED'],
    ['a large body', '/whip/a/b', { body: `a=${'x'.repeat(300_000)}` }, 413, 'TD_BAD_REQUEST'],
    ['a name that is too long', `/whip/${'x'.repeat(256)}/b`, { body: OFFER }, 400, 'TD_BAD_NAME'],
    ['a name with controls', '/whip/a/b%00', { body: OFFER }, 400, 'TD_BAD_NAME'],
    ['garbled labels', '/whip/a/b?labels=camera', { body: OFFER }, 400, 'TD_BAD_REQUEST'],
    ['a forged token', '/whip/a/b?token=x', { body: OFFER }, 401, 'TD_BAD_TOKEN'],
    ['nobody to watch', '/whep/a/b', { body: OFFER }, 409, 'TD_NOT_LIVE'],
  ])('with %s: %s', async (_, path, given, status, code) => {
    const answer = await ask(path, given)
    expect(answer).toMatchObject({ status, error: { code, message: expect.any(String), details: expect.any(Array) } })
    expect(answer.headers.get('www-authenticate')).toBe(status === 401 ? 'Bearer' : null)
    expect(answer.headers.get('retry-after')).toBe(status === 409 ? '2' : null)
  })

  it('is refused while the name is busy, or the engine away or full', async () => {
    const { participant } = await session()
    const busy = await ask(`/whip/standup/${participant}`, { body: OFFER })
    expect(busy).toMatchObject({ status: 409, error: { code: 'TD_NAME_BUSY' } })
    for (const refusal of [new TransportError('no port'), new MediaProcessError('away')]) {
      engine.refusal = refusal
      const away = await ask('/whip/a/b', { body: OFFER })
      expect(away).toMatchObject({ status: 503, error: { code: refusal.code } })
      expect(away.headers.get('retry-after')).toBe('2')
    }
    engine.refusal = undefined
  })

  it('of viewers of what did not come by WebRTC is not possible', async () => {
    hub.publish({ room: 'standup', participant: 'rtmp' }, { source: 'rtmp' })
    const { status, error } = await ask('/whep/standup/rtmp', { body: OFFER })
    expect([status, error.message]).toEqual([422, expect.stringContaining('came by rtmp')])
  })
})

const FRAGMENT = 'a=ice-ufrag:EsAw\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\na=end-of-candidates\r\n'

describe.each(['whip', 'whep'])('a session of %s', (protocol) => {
  async function begin() {
    const { participant } = await session('whip')
    return protocol === 'whip' ? session('whip') : session('whep', participant)
  }
  const peerOf = () => (protocol === 'whip' ? engine.published : engine.watched).at(-1)

  it('takes candidates for its ICE session, and nothing else (§4.3)', async () => {
    const { path, etag } = await begin()
    const patch = (body: string, headers: Record<string, string> = { 'if-match': etag }) =>
      ask(path, { method: 'PATCH', body, headers })
    const taken = await patch(FRAGMENT)
    expect([taken.status, taken.text, taken.headers.get('etag')]).toEqual([204, '', null])
    expect((await patch(FRAGMENT, { 'if-match': `"other", ${etag}` })).status).toBe(204)
    expect((await patch('a=end-of-candidates', { 'if-match': '*' })).status).toBe(204)
    expect(peerOf()?.candidates).toEqual(Array(2).fill('candidate:1 1 udp 1 192.0.2.1 9 typ host'))
    expect(await patch(FRAGMENT, {})).toMatchObject({ status: 428, error: { code: 'TD_ENTITY_TAG_MISSING' } })
    const other = await patch(FRAGMENT, { 'if-match': '"other"' })
    expect(other).toMatchObject({ status: 412, error: { code: 'TD_ENTITY_TAG' } })
    expect((await patch(FRAGMENT, { 'if-match': `W/${etag}` })).status).toBe(412)
    const restart = await patch(FRAGMENT.replace('EsAw', 'ysXw'), { 'if-match': '*' })
    expect(restart).toMatchObject({ status: 422, error: { code: 'TD_ICE_RESTART' } })
    expect(await patch('hello')).toMatchObject({ status: 400, error: { code: 'TD_MALFORMED' } })
    expect((await patch(OFFER, { 'if-match': etag, 'content-type': 'application/sdp' })).status).toBe(415)
    expect((await patch('a='.repeat(40_000))).status).toBe(413)
  })

  it('ends with DELETE, whatever its entity tag; then it is gone', async () => {
    const { path } = await begin()
    expect((await ask(path, { method: 'DELETE', headers: { 'if-match': '"other"' } })).status).toBe(200)
    expect(peerOf()?.isClosed).toBe(true)
    for (const method of ['DELETE', 'PATCH', 'GET']) {
      const given = method === 'PATCH' ? { method, body: FRAGMENT, headers: { 'if-match': '*' } } : { method }
      expect(await ask(path, given)).toMatchObject({ status: 404, error: { code: 'TD_SESSION_MISSING' } })
    }
  })

  it('is found under its own name alone', async () => {
    const { path } = await begin()
    const id = path.split('/').at(-1) ?? ''
    const strange = [`/${protocol}/standup/other/${id}`, `/${protocol}/other/p0/${id}`, path.replace(id, 'x')]
    const other = protocol === 'whip' ? 'whep' : 'whip'
    for (const each of [...strange, path.replace(protocol, other)]) {
      expect((await ask(each, { method: 'DELETE' })).status).toBe(404)
    }
    expect((await ask(path, { method: 'GET' })).status).toBe(204)
  })
})

describe('other methods (RFC 9725 §4.1, §4.2)', () => {
  it('GET and HEAD have nothing to say but what this is; the rest is not for here', async () => {
    const { path } = await session()
    for (const method of ['GET', 'HEAD']) {
      expect(await ask('/whip/a/b', { method })).toMatchObject({ status: 204, text: '' })
      expect(await ask(path, { method })).toMatchObject({ status: 204, text: '' })
      const player = await ask('/whep/a/b', { method })
      expect([player.status, player.headers.get('content-type'), player.text]).toEqual([200, 'application/sdp', ''])
    }
    for (const [method, where, allow] of [
      ['PUT', '/whip/a/b', 'OPTIONS, GET, HEAD, POST'],
      ['PATCH', '/whip/a/b', 'OPTIONS, GET, HEAD, POST'],
      ['DELETE', '/whep/a/b', 'OPTIONS, GET, HEAD, POST'],
      ['POST', path, 'OPTIONS, GET, HEAD, PATCH, DELETE'],
      ['PUT', path, 'OPTIONS, GET, HEAD, PATCH, DELETE'],
    ]) {
      const answer = await ask(where, { method })
      expect([answer.status, answer.error.code, answer.headers.get('allow')]).toEqual([405, 'TD_METHOD', allow])
    }
  })

  it('OPTIONS says what is taken, and lets pages of the named origins in, no others', async () => {
    const { path } = await session()
    const bare = await ask('/whip/a/b', { method: 'OPTIONS' })
    expect([bare.status, bare.headers.get('accept-post')]).toEqual([200, 'application/sdp'])
    expect((await ask(path, { method: 'OPTIONS' })).headers.get('accept-patch')).toBe('application/trickle-ice-sdpfrag')
    const of = (origin: string, given: Given) => ask('/whip/a/b', { ...given, headers: { origin } })
    const { headers } = await of(PAGE, { method: 'OPTIONS' })
    expect(headers.get('access-control-allow-origin')).toBe(PAGE)
    expect(headers.get('access-control-allow-methods')).toBe('OPTIONS, GET, HEAD, POST, PATCH, DELETE')
    expect(headers.get('access-control-allow-headers')).toBe('authorization, content-type, if-match')
    const strange = await of('https://evil.example', { method: 'OPTIONS' })
    expect(strange.headers.get('access-control-allow-methods')).toBeNull()
    const posted = await ask('/whip/a/page', { body: OFFER, headers: { origin: PAGE } })
    expect([posted.status, posted.headers.get('access-control-expose-headers')]).toEqual([
      201,
      'location, etag, link, accept-patch, accept-post, retry-after, x-request-id, www-authenticate',
    ])
    expect(await ask('/whip/a/evil', { body: OFFER, headers: { origin: 'https://evil.example' } })).toMatchObject({
      status: 403,
      error: { code: 'TD_FORBIDDEN' },
    })
  })
})

describe('tokens', () => {
  it('grant publishing and playing as they do over RTMP, in the header or in the address', async () => {
    const grants = { rooms: ['standup'], participant: 'eve', grants: ['publish'] }
    const good = await token(grants)
    const bearer = { authorization: `Bearer ${good}` }
    const post = (path: string, headers: Record<string, string> = {}) => ask(path, { body: OFFER, headers }, at.strict)
    expect(await post('/whip/standup/eve')).toMatchObject({ status: 401, error: { code: 'TD_BAD_TOKEN' } })
    expect(await post('/whip/standup/bob', bearer)).toMatchObject({ status: 403, error: { code: 'TD_FORBIDDEN' } })
    expect(await post('/whep/standup/eve', bearer)).toMatchObject({ status: 403, error: { code: 'TD_FORBIDDEN' } })
    const { status, headers } = await post('/whip/standup/eve', bearer)
    expect(status).toBe(201)
    const path = (headers.get('location') ?? '').replace('/td', '')
    // whoever has the address of the session may end it: a token may have expired by then
    expect((await ask(path, { method: 'DELETE' }, at.strict)).status).toBe(200)
    expect((await post(`/whip/standup/eve?token=${good}`)).status).toBe(201)
  })

  it('or not, there are only so many requests a second', async () => {
    const answers = await Promise.all(Array.from({ length: 30 }, () => ask('/whip/a/b', { body: OFFER }, at.strict)))
    const limited = answers.find(({ status }) => status === 429)
    expect(limited?.error.code).toBe('TD_REQUEST_RATE')
    expect(limited?.headers.get('retry-after')).toMatch(/^\d+$/)
  })
})

it('ICE servers become links, and nothing else does', () => {
  const links = (...urls: string[]) => iceServerLinks({ urls }, 'standup/alice')
  expect(links()).toBeUndefined()
  expect(links('http://x', 'stun:a b', 'stun:h\r\nx: y')).toBeUndefined()
  expect(links('turns:u:a%22b@[2001:db8::1]:5349?transport=tcp')).toBe(
    '<turns:[2001:db8::1]:5349?transport=tcp>; rel="ice-server"; username="u"; credential="a\\"b"; credential-type="password"',
  )
})

it('passwords for TURN end by themselves, and are as coturn makes them', () => {
  expect(turnCredentials('north', 'standup/alice', 1_795_281_600_999)).toEqual({
    username: '1795368000:standup%2Falice',
    password: 'ZSHYZyoPRKJcZ8S06vmYjK09Mwo=',
  })
  expect(turnCredentials('north', 'ü'.repeat(500), 0).username).toHaveLength('86400:'.length + 200)
})

it('OPTIONS tells ICE servers to who may publish, and no preflight (RFC 9725 §4.6)', async () => {
  const ask = async (base: string, headers: Record<string, string> = {}) => {
    const { status, headers: told } = await fetch(`${base}/whip/standup/early`, { method: 'OPTIONS', headers })
    expect(status).toBe(200)
    return told.get('link')
  }
  expect(await ask(at.free)).toContain('<turn:shared.example.net>; rel="ice-server"; username="')
  expect(await ask(at.free, { origin: PAGE, 'access-control-request-method': 'POST' })).toBeNull()
  expect(await ask(at.guarded)).toBeNull()
  expect(await ask(at.guarded, { authorization: 'Bearer forged' })).toBeNull()
  const may = await token({ rooms: ['standup'], grants: ['publish'] })
  expect(await ask(at.guarded, { authorization: `Bearer ${may}` })).toContain('<stun:stun.example.net>')
})
