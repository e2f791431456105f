import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { CliProcess } from '../peers/cli.ts'
import { decodingFaults } from '../peers/decoding.ts'
import { madeMedia, publish } from '../peers/ffmpeg.ts'
import { scratch } from '../peers/tapedeck.ts'

const place = scratch('cli-rtmps')
afterAll(() => place.drop())

it('takes RTMPS beside RTMP with a given certificate, and records it', async () => {
  const files = { key: join(place.path, 'key.pem'), cert: join(place.path, 'cert.pem') }
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-days', '2']
  const make = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', files.key, '-out', files.cert, ...subject]
  execFileSync('openssl', make, { stdio: 'ignore' })
  const media = await madeMedia(
    'cli-4s.flv',
    '-f lavfi -i testsrc2=size=320x180:rate=30 -f lavfi -i sine=frequency=440:sample_rate=44100 -t 4 -c:v libx264 -preset veryfast -b:v 800k -bf 2 -g 30 -pix_fmt yuv420p -c:a aac -ac 2 -f flv',
  )
  const listen = ['--rtmp', '127.0.0.1:0', '--rtmps', '127.0.0.1:0', '--http', 'off']
  const server = new CliProcess(['serve', ...listen, '--tls-cert', files.cert, '--tls-key', files.key], {
    cwd: place.path,
  })
  const [, rtmps] = await server.says(/publish {3}(rtmps:\/\/127\.0\.0\.1:\d+)\//)
  expect((await publish(media, `${rtmps}/live/secure`).ended).status).toBe(0)
  const [, path] = await server.says(/"path":"([^"]+\.mp4)"/)
  server.signal('SIGINT')
  expect((await server.ended).code).toBe(0)
  expect(await decodingFaults(path)).toBe('')
  expect(server.stderr).toContain('"participant":"secure"')
})
