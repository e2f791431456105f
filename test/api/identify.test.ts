import { readFileSync } from 'node:fs'
import { SignJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import { Access, type AccessRules } from '../../src/api/access.ts'
import type { Caller } from '../../src/api/caller.ts'
import { demand, ForbiddenError, may, PERMISSIONS, type Permission } from '../../src/api/permission.ts'
import { TokenKeeper } from '../../src/api/token.ts'

const secret = Buffer.from('0123456789abcdef0123456789abcdef')
const keeper = new TokenKeeper(secret)
const access = (rules: Partial<AccessRules> = {}) =>
  new Access({ requireToken: false, allowAnonymous: false, ...rules }, keeper)
const request = (headers: Record<string, string> = {}, remoteAddress = '203.0.113.7') => ({
  socket: { remoteAddress },
  headers,
})
const bearer = async (claims: Record<string, unknown>) => ({
  authorization: `Bearer ${await new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).setExpirationTime('1h').sign(secret)}`,
})
const LOCAL = { userId: null, role: 'admin', rooms: '*', isLocal: true }

describe('who asks', () => {
  it.each<[string, Record<string, unknown>, Partial<Caller>]>([
    ['a user', { sub: 'alice', rooms: ['demo'] }, { userId: 'alice', role: 'user', rooms: ['demo'] }],
    ['a user of no room', { sub: 'alice' }, { userId: 'alice', role: 'user', rooms: [] }],
    ['a viewer', { sub: 'v', role: 'viewer', rooms: ['a', 'b'] }, { userId: 'v', role: 'viewer', rooms: ['a', 'b'] }],
    ['an operator without a name', { role: 'operator', rooms: '*' }, { userId: null, role: 'operator', rooms: '*' }],
    ['an operator of no room', { role: 'operator' }, { role: 'operator', rooms: [] }],
    ['an admin', { sub: 'root', role: 'admin' }, { userId: 'root', role: 'admin', rooms: '*' }],
    ['an admin of a room', { role: 'admin', rooms: ['demo'] }, { role: 'admin', rooms: ['demo'] }],
  ])('%s', async (_, claims, caller) => {
    expect(await access().identify(request(await bearer(claims)))).toMatchObject({ ...caller, isLocal: false })
    expect(await access().identify(request(await bearer(claims), '127.0.0.1'))).toMatchObject({ isLocal: false })
  })

  it('a token that another place than the header held', async () => {
    const { authorization } = await bearer({ sub: 'alice' })
    expect(await access().identify(request(), authorization.slice(7))).toMatchObject({ userId: 'alice' })
    await expect(access().identify(request({}, '127.0.0.1'), '')).rejects.toMatchObject({ code: 'TD_BAD_TOKEN' })
  })

  it('a token for streams or metrics alone has no business in the API', async () => {
    for (const claims of [
      { rooms: '*', grants: ['publish', 'play', 'metrics'] },
      { sub: 'a', role: 'emperor' },
    ]) {
      await expect(access().identify(request(await bearer(claims)))).rejects.toThrow(ForbiddenError)
    }
    await expect(access().identify(request(await bearer({ sub: '' })))).rejects.toMatchObject({ code: 'TD_BAD_TOKEN' })
  })

  it('whoever needs no token is an admin', async () => {
    expect(await access().identify(request({}, '127.0.0.1'))).toEqual(LOCAL)
    expect(await access().identify(request({}, '::ffff:127.0.0.1'))).toEqual(LOCAL)
    expect(await access({ allowAnonymous: true }).identify(request())).toEqual({ ...LOCAL, isLocal: false })
    for (const [rules, address] of [
      [{ requireToken: true }, '127.0.0.1'],
      [{}, '203.0.113.7'],
    ] as const) {
      await expect(access(rules).identify(request({}, address))).rejects.toMatchObject({ code: 'TD_BAD_TOKEN' })
    }
    await expect(access().identify(request({ authorization: 'Basic abc' }, '127.0.0.1'))).rejects.toMatchObject({
      code: 'TD_BAD_TOKEN',
    })
  })
})

describe('a web page on this machine', () => {
  const from = (headers: Record<string, string>, rules: Partial<AccessRules> = {}) =>
    access(rules).identify(request(headers, '127.0.0.1'))

  it.each<[string, Record<string, string>, Partial<AccessRules>]>([
    ['our own', { host: '127.0.0.1:8080', origin: 'http://127.0.0.1:8080' }, {}],
    ['our own, by name', { host: 'localhost:8080', origin: 'http://localhost:8080' }, {}],
    ['our own, over IPv6', { host: '[::1]:8080' }, {}],
    [
      'of a named origin',
      { host: 'localhost:8080', origin: 'https://a.example' },
      { corsOrigins: 'https://a.example' },
    ],
    ['by the public name', { host: 'media.example' }, { publicUrl: 'https://media.example/x' }],
  ])('%s: trusted', async (_, headers, rules) => {
    expect(await from(headers, rules)).toEqual(LOCAL)
  })

  it.each<[string, Record<string, string>, Partial<AccessRules>]>([
    ['of a stranger', { host: '127.0.0.1:8080', origin: 'https://evil.example' }, {}],
    ['of nowhere', { host: '127.0.0.1:8080', origin: 'null' }, {}],
    ['of another port here', { host: '127.0.0.1:8080', origin: 'http://127.0.0.1:3000' }, {}],
    ['of a stranger, though all may read', { host: 'localhost', origin: 'https://evil.example' }, { corsOrigins: '*' }],
    ['by a name that only leads here', { host: 'evil.example:8080', origin: 'http://evil.example:8080' }, {}],
    ['by such a name, without an origin', { host: 'evil.example:8080' }, {}],
    ['by a garbled name', { host: 'a b' }, {}],
  ])('%s: refused', async (_, headers, rules) => {
    await expect(from(headers, rules)).rejects.toThrow(ForbiddenError)
  })

  it('with a token it does not matter', async () => {
    const headers = { ...(await bearer({ sub: 'alice' })), host: 'evil.example', origin: 'https://evil.example' }
    expect(await from(headers)).toMatchObject({ userId: 'alice' })
  })
})

describe('permissions', () => {
  const caller = (
    role: Caller['role'],
    rooms: Caller['rooms'] = ['demo'],
    userId: string | null = 'alice',
  ): Caller => ({
    userId,
    role,
    rooms,
    isLocal: false,
  })
  const own = { roomId: 'other', userId: 'alice' }
  const here = { roomId: 'demo', userId: 'bob' }
  const elsewhere = { roomId: 'other', userId: 'bob' }
  const nobodys = { roomId: 'demo', userId: null }

  it.each<[Caller['role'], Permission, string]>([
    // own · of another in my room · of another elsewhere · of nobody in my room
    ['user', 'recording.read', 'y---'],
    ['viewer', 'recording.read', 'yy-y'],
    ['operator', 'recording.read', 'yy-y'],
    ['admin', 'recording.read', 'yy-y'],
    ['user', 'recording.control', 'y---'],
    ['viewer', 'recording.control', '----'],
    ['operator', 'recording.control', 'yy-y'],
    ['user', 'recording.delete', 'y---'],
    ['operator', 'recording.delete', 'y---'],
    ['admin', 'recording.delete', 'yy-y'],
    ['user', 'recording.hold', '----'],
    ['operator', 'server.read', 'yyyy'],
    ['viewer', 'server.read', '----'],
  ])('%s %s: %s', (role, permission, expected) => {
    const got = [own, here, elsewhere, nobodys].map((target) => (may(caller(role), permission, target) ? 'y' : '-'))
    expect(got.join('')).toBe(expected)
  })

  it('nobody in particular owns nothing, and all rooms are all rooms', () => {
    expect(may(caller('user', '*', null), 'recording.read', nobodys)).toBe(false)
    expect(may(caller('admin', '*', null), 'recording.delete', elsewhere)).toBe(true)
    expect(() => demand(caller('user'), 'recording.read', here)).toThrow('what is your own')
    expect(() => demand(caller('viewer'), 'recording.hold', here)).toThrow('"viewer"')
  })

  it('never grow downwards: what a role may, the next one may', () => {
    const reaches = ['none', 'own', 'room', 'all']
    for (const row of Object.values(PERMISSIONS)) {
      expect(reaches.indexOf(row.admin)).toBeGreaterThanOrEqual(reaches.indexOf(row.operator))
      expect(reaches.indexOf(row.operator)).toBeGreaterThanOrEqual(reaches.indexOf(row.user))
    }
  })

  it('stand in docs/api.md as they are', () => {
    const page = readFileSync(new URL('../../docs/api.md', import.meta.url), 'utf8')
    const rows = [...page.matchAll(/^\| `(\w+\.\w+)` \| (.*) \|$/gm)].map(([, name, cells = '']) => [
      name,
      ...cells.split(' | ').map((cell) => (cell === '–' ? 'none' : cell)),
    ])
    const table = Object.entries(PERMISSIONS).map(([name, row]) => [
      name,
      row.user,
      row.viewer,
      row.operator,
      row.admin,
    ])
    expect(rows).toEqual(table)
  })
})
