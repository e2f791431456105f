import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type RedisPeer, startRedis } from '../peers/redis.ts'
import { freePort, scratch } from '../peers/tapedeck.ts'

const directory = scratch('redis-tls')
const certificate = join(directory.path, 'cert.pem')
let redis: RedisPeer
let tlsPort: number
beforeAll(async () => {
  const key = join(directory.path, 'key.pem')
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
  const made = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', certificate]
  await promisify(execFile)('openssl', [...made, ...subject])
  tlsPort = await freePort()
  const files = ['--tls-cert-file', certificate, '--tls-key-file', key, '--tls-ca-cert-file', certificate]
  redis = await startRedis({
    password: 'sesame',
    flags: ['--tls-port', String(tlsPort), '--tls-auth-clients', 'no', ...files],
  })
})
afterAll(async () => {
  await redis.stop()
  directory.drop()
})

/** What a process of its own says that keeps an entry by `rediss://`. */
async function kept(env: NodeJS.ProcessEnv): Promise<string> {
  const url = (path: string) => JSON.stringify(new URL(path, import.meta.url).href)
  const script = `
    const { openStateStore } = await import(${url('../../src/state/open-store.ts')})
    const { entryOf, LogLines } = await import(${url('../state/entries.ts')})
    const store = await openStateStore({ dataDir: '/nowhere', redisUrl: 'rediss://:sesame@127.0.0.1:${tlsPort}',
      prefix: 'p:', stateTtlMs: 60000, indexTtlMs: 60000, logger: new LogLines() })
    console.log(await store.recordings.put(entryOf('a')).catch((error) => error.code + ' ' + error.message))
    await store.close()`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  })
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  await once(child, 'close')
  return said.trim()
}

it('rediss:// is spoken with whom a trusted authority vouches for, and nobody else', async () => {
  expect(await kept({ NODE_EXTRA_CA_CERTS: certificate })).toBe('true')
  expect(await kept({})).toMatch(/^TD_STATE_AWAY .*self-signed certificate/)
})
