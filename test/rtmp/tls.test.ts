import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { RtmpClient } from '../../src/rtmp/client.ts'
import { RtmpListener } from '../../src/rtmp/listener.ts'
import { pattern } from './collector.ts'
import { LogLines, Relay, until } from './relay.ts'

let tls: { key: Buffer; cert: Buffer }
let listener: RtmpListener
let relay: Relay
let url: string
let port: number

beforeAll(async () => {
  const directory = mkdtempSync(join(tmpdir(), 'tapedeck-tls-'))
  const [key, cert] = ['key.pem', 'cert.pem'].map((name) => join(directory, name))
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
  const files = ['-keyout', key, '-out', cert]
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
  execFileSync('openssl', ['req', '-x509', ...curve, '-nodes', '-days', '2', ...subject, ...files], { stdio: 'ignore' })
  tls = { key: readFileSync(key), cert: readFileSync(cert) }
  rmSync(directory, { recursive: true })
  relay = new Relay()
  listener = new RtmpListener({ host: '127.0.0.1', port: 0, tls }, relay, new LogLines())
  port = (await listener.listen()).port
  url = `rtmps://127.0.0.1:${port}/live/test`
})
afterAll(() => listener.close(1000))

it('publishes over TLS, paced and fast', async () => {
  const client = await RtmpClient.connect(url, { tls: { ca: tls.cert } })
  await client.publish()
  const stream = await relay.stream('live/test')
  expect(stream.request.peer.secure).toBe(true)
  for (let i = 0; i < 300; i++) if (!client.send(9, i, pattern(50_000, i))) await client.drained()
  await until(stream, 'media', () => stream.media_.length === 300)
  expect(stream.media_.every((m, i) => m.payload.equals(pattern(50_000, i)))).toBe(true)
  await client.close()
  await until(stream, 'end', () => stream.ended !== undefined)
  expect(stream.ended).toBe('finished')
})

it('says what is wrong with a certificate, a plain server, a closed port, a server that is silent', async () => {
  await expect(RtmpClient.connect(url)).rejects.toThrow(/TLS failed: the certificate is signed by itself/)
  const plain = connect(port, '127.0.0.1')
  plain.on('error', () => undefined)
  await once(plain, 'connect')
  plain.write('\x03not TLS')
  await once(plain.resume(), 'close')
  await expect(RtmpClient.connect('rtmp://127.0.0.1:1/live/x')).rejects.toThrow(/connection refused/)
  await expect(RtmpClient.connect(`rtmp://127.0.0.1:${port}/live/x`, { timeoutMs: 200 })).rejects.toMatchObject({
    code: expect.stringMatching(/^TD_(RTMP_TIMEOUT|RTMP_CLOSED|MALFORMED)$/),
  })
})
