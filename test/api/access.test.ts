import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose'
import { afterAll, describe, expect, it } from 'vitest'
import { Access } from '../../src/api/access.ts'
import { readOrMakeSecret, readSecret, SecretError } from '../../src/api/secret.ts'
import { TokenKeeper } from '../../src/api/token.ts'
import { ConfigError, issuerKeys } from '../../src/config.ts'
import { isLoopback } from '../../src/rtmp/loopback.ts'

const secret = Buffer.from('0123456789abcdef0123456789abcdef')
const keeper = new TokenKeeper(secret)
const open = new Access({ requireToken: false, allowAnonymous: false }, keeper)
const strict = new Access({ requireToken: true, allowAnonymous: false }, keeper)
const anonymous = new Access({ requireToken: false, allowAnonymous: true }, keeper)
const HERE = '127.0.0.1:51000'
const ELSEWHERE = '203.0.113.7:51000'
const demo = { room: 'demo', participant: 'alice' }

function publish(access: Access, from: string, token?: string): Promise<void> {
  return access.authorize('publish', demo, token, { address: from, secure: false })
}
const nowS = () => Math.floor(Date.now() / 1000)
const sign = (claims: Record<string, unknown>, alg = 'HS256', key: Uint8Array = secret) =>
  new SignJWT(claims).setProtectedHeader({ alg }).sign(key)
const full = { rooms: ['demo'], grants: ['publish', 'play'], exp: nowS() + 600 }

describe('loopback', () => {
  it.each(['127.0.0.1', '127.0.0.1:80', '127.8.8.8:1', '::1', '[::1]:80', '::ffff:127.0.0.1', '[::ffff:127.0.0.1]:9'])(
    '%s is',
    (address) => expect(isLoopback(address)).toBe(true),
  )
  it.each(['10.0.0.1', '128.0.0.1:80', '::2', '[2001:db8::1]:80', '::ffff:10.0.0.1', 'localhost', '', '1.2.3'])(
    '%j is not',
    (address) => expect(isLoopback(address)).toBe(false),
  )
})

describe('without a token', () => {
  it('is open on this machine, closed elsewhere', async () => {
    await expect(publish(open, HERE)).resolves.toBeUndefined()
    await expect(publish(open, ELSEWHERE)).rejects.toMatchObject({ code: 'TD_UNAUTHORIZED' })
  })
  it('--require-token closes this machine, --allow-anonymous opens all', async () => {
    await expect(publish(strict, HERE)).rejects.toThrow('a token is needed')
    await expect(publish(anonymous, ELSEWHERE)).resolves.toBeUndefined()
  })
})

describe('with a token', () => {
  it.each<[string, () => Promise<string> | string]>([
    ['of this room', () => sign(full)],
    ['of all rooms', () => sign({ ...full, rooms: '*' })],
    ['of this name', () => sign({ ...full, participant: 'alice' })],
    ['expired within the clock skew', () => sign({ ...full, exp: nowS() - 5 })],
    ['with claims that we do not know', () => sign({ ...full, colour: 'blue' })],
    ['issued by the keeper', () => keeper.issue({ rooms: ['demo'], grants: ['publish'], user: 'a' }, 1000)],
  ])('%s: allowed', async (_, token) => {
    await expect(publish(open, ELSEWHERE, await token())).resolves.toBeUndefined()
  })

  it.each<[string, () => Promise<string> | string, string]>([
    ['of another room', () => sign({ ...full, rooms: ['other'] }), 'another room'],
    ['of no room', () => sign({ ...full, rooms: undefined }), 'another room'],
    ['of another name', () => sign({ ...full, participant: 'bob' }), '"bob"'],
    ['to play only', () => sign({ ...full, grants: ['play'] }), 'does not grant "publish"'],
    ['expired', () => sign({ ...full, exp: nowS() - 60 }), 'expired'],
    ['that never expires', () => sign({ ...full, exp: undefined }), '"exp"'],
    ['that holds for years', () => sign({ ...full, exp: nowS() + 400 * 86_400 }), '366 days'],
    ['expired beyond the clock skew', () => sign({ ...full, exp: nowS() - 32 }), 'expired'],
    ['not valid yet', () => sign({ ...full, nbf: nowS() + 600 }), '"nbf"'],
    ['of another secret', () => sign(full, 'HS256', Buffer.alloc(32, 7)), 'signature'],
    ['of another algorithm', () => sign(full, 'HS512', Buffer.concat([secret, secret])), 'only HS256'],
    ['of no algorithm', () => new UnsecuredJWT(full).encode(), 'only HS256'],
    ['with rooms of a wrong type', () => sign({ ...full, rooms: { demo: 1 } }), '"rooms"'],
    ['that is none', () => 'letmein', 'not a token'],
    ['that is empty', () => '', 'not a token'],
    ['that is huge', () => 'x'.repeat(100_000), 'longer than'],
  ])('%s: refused, on this machine too', async (_, make, reason) => {
    const token = await make()
    for (const from of [ELSEWHERE, HERE]) {
      await expect(publish(open, from, token)).rejects.toMatchObject({
        code: 'TD_UNAUTHORIZED',
        message: expect.stringContaining(reason),
      })
    }
  })

  it('HTTP takes it as a bearer', async () => {
    const token = await keeper.issue({ rooms: [], grants: ['metrics'] }, 60_000)
    await expect(open.authorizeRequest('metrics', '203.0.113.7', `Bearer ${token}`)).resolves.toBeUndefined()
    await expect(open.authorizeRequest('metrics', '127.0.0.1', undefined)).resolves.toBeUndefined()
    for (const header of [undefined, 'Basic abc', 'Bearer x']) {
      await expect(open.authorizeRequest('metrics', '203.0.113.7', header)).rejects.toMatchObject({
        code: 'TD_BAD_TOKEN',
      })
    }
    await expect(open.authorizeRequest('metrics', '203.0.113.7', `Bearer ${await sign(full)}`)).rejects.toMatchObject({
      code: 'TD_FORBIDDEN',
    })
  })
})

describe('secret', () => {
  it('is made once, readable by its owner alone', () => {
    const directory = mkdtempSync(join(tmpdir(), 'tapedeck-secret-'))
    try {
      const path = join(directory, 'state', 'secret')
      const first = readOrMakeSecret(path)
      expect(first.length).toBeGreaterThanOrEqual(32)
      expect(statSync(path).mode & 0o777).toBe(0o600)
      expect(readOrMakeSecret(path)).toEqual(first)
      expect(readFileSync(path, 'utf8')).toMatch(/^[0-9a-f]{64}\n$/)
      writeFileSync(path, 'short')
      expect(() => readOrMakeSecret(path)).toThrow(SecretError)
      expect(() => readSecret(join(directory, 'none'))).toThrow('ENOENT')
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})

describe("with an issuer's key set", async () => {
  const directory = mkdtempSync(join(tmpdir(), 'tapedeck-jwks-'))
  const issuer = await generateKeyPair('ES256')
  const stranger = await generateKeyPair('ES256')
  const publicKey = { ...(await exportJWK(issuer.publicKey)), kid: 'one', alg: 'ES256' }
  const path = join(directory, 'jwks.json')
  writeFileSync(path, JSON.stringify({ keys: [publicKey] }))
  const server = createServer((_, response) => response.end(JSON.stringify({ keys: [publicKey] })))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  afterAll(() => {
    server.close()
    rmSync(directory, { recursive: true })
  })
  const address = server.address()
  const url = typeof address === 'object' && address !== null ? `http://127.0.0.1:${address.port}/jwks` : ''
  const signed = (key: CryptoKey, kid = 'one') => new SignJWT(full).setProtectedHeader({ alg: 'ES256', kid }).sign(key)
  const rules = { requireToken: false, allowAnonymous: false }

  describe.each([
    ['of a file', path],
    ['of an address', url],
  ])('%s', (_, jwks) => {
    const access = new Access(rules, new TokenKeeper(secret, issuerKeys({ jwks })))

    it('takes its tokens, and still our own', async () => {
      await expect(publish(access, ELSEWHERE, await signed(issuer.privateKey))).resolves.toBeUndefined()
      await expect(publish(access, ELSEWHERE, await sign(full))).resolves.toBeUndefined()
    })

    it.each<[string, () => Promise<string> | string, string]>([
      ['of a stranger under its key id', () => signed(stranger.privateKey), 'signature'],
      ['of a key that it has not', () => signed(issuer.privateKey, 'two'), 'not among'],
      [
        'with the public key as a secret',
        () => sign(full, 'HS256', Buffer.from(JSON.stringify(publicKey))),
        'signature',
      ],
      ['of no algorithm', () => new UnsecuredJWT(full).encode(), 'public-key algorithm'],
    ])('refuses one %s', async (_, token, reason) => {
      await expect(publish(access, ELSEWHERE, await token())).rejects.toThrow(reason)
    })
  })

  it('is refused when it is no key set, not there, or not https', () => {
    writeFileSync(join(directory, 'garbage.json'), '{"keys": 1}')
    for (const jwks of [
      join(directory, 'garbage.json'),
      join(directory, 'none.json'),
      'http://keys.example.org/a',
      'ftp://a',
    ]) {
      expect(() => issuerKeys({ jwks })).toThrow(ConfigError)
    }
  })

  it('does without an algorithm of public keys where there is none', async () => {
    await expect(publish(open, ELSEWHERE, await signed(issuer.privateKey))).rejects.toThrow('only HS256')
  })
})
