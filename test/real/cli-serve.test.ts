import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { CliProcess, cli } from '../peers/cli.ts'
import { decodingFaults } from '../peers/decoding.ts'
import { madeMedia, packetsOf, publish } from '../peers/ffmpeg.ts'
import { freePort, scratch, TapedeckProcess } from '../peers/tapedeck.ts'

const port = await freePort()
const place = scratch('cli-serve')
afterAll(() => place.drop())

const media = () =>
  madeMedia(
    'cli-4s.flv',
    '-f lavfi -i testsrc2=size=320x180:rate=30 -f lavfi -i sine=frequency=440:sample_rate=44100 -t 4 -c:v libx264 -preset veryfast -b:v 800k -bf 2 -g 30 -pix_fmt yuv420p -c:a aac -ac 2 -f flv',
  )

async function serve(directory: string, ...flags: string[]) {
  const process = new CliProcess(['serve', '--rtmp', '127.0.0.1:0', '--http', '127.0.0.1:0', ...flags], {
    cwd: directory,
  })
  const [, rtmp] = await process.says(/publish {3}(rtmp:\/\/127\.0\.0\.1:\d+)\//)
  const [, http] = await process.says(/metrics {3}(http:\/\/127\.0\.0\.1:\d+)\/metrics/)
  return { process, rtmp, http }
}

/** Names of the files that a server said it recorded. */
async function recordedBy(process: CliProcess): Promise<string> {
  const [, path] = await process.says(/"path":"([^"]+\.(?:mp4|flv|mkv))"/)
  return path
}

describe('serve', () => {
  it('with defaults records what is published, and Ctrl-C finishes the file', async () => {
    const directory = scratch('cli-defaults')
    const { process, rtmp } = await serve(directory.path)
    expect(process.stdout).toContain(`files     ${join(directory.path, 'recordings')}  (auto)`)
    const path = await media()
    const publisher = publish(path, `${rtmp}/live/test`, { speed: 1 })
    const file = await recordedBy(process)
    await publisher.ended
    process.signal('SIGINT')
    const { code, stdout } = await process.ended
    expect(code).toBe(0)
    expect(stdout).toMatch(/finishing 1 recording |stopping/)
    expect(file).toMatch(/\/recordings\/live_test_\d{8}_\d{6}\.\d{3}\.mp4$/)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(await decodingFaults(file)).toBe('')
    const hashes = async (name: string) => (await packetsOf(name)).map(({ type, hash }) => `${type} ${hash}`).sort()
    expect(await hashes(file)).toEqual(await hashes(path))
    expect(statSync(join(directory.path, 'tapedeck-data')).mode & 0o777).toBe(0o700)
    directory.drop()
  })

  it('finishes a recording whose publisher is still there when SIGTERM comes', async () => {
    const directory = scratch('cli-term')
    const { process, rtmp } = await serve(directory.path, '--record-format', 'mkv', '--record-report')
    const publisher = publish(await media(), `${rtmp}/live/test`, { speed: 1, loop: true })
    const file = await recordedBy(process)
    await expect.poll(() => statSync(file).size, { timeout: 20_000 }).toBeGreaterThan(100_000)
    process.signal('SIGTERM')
    expect((await process.ended).code).toBe(0)
    await publisher.ended
    const inspected = await cli(directory.path, ['inspect', '--json', file])
    expect(inspected.code).toBe(0)
    expect(JSON.parse(inspected.stdout)).toMatchObject({ format: 'mkv', finalised: true, faultCount: 0 })
    expect(JSON.parse(readFileSync(`${file}.json`, 'utf8'))).toMatchObject({ room: 'live', state: 'completed' })
    const events = readFileSync(join(directory.path, 'tapedeck-data', 'audit.log'), 'utf8')
      .trim()
      .split('\n')
    expect(events.map((line) => JSON.parse(line).event)).toEqual(['created', 'finalised'])
    directory.drop()
  })

  it('a second Ctrl-C leaves at once, and the next start repairs the file without being asked', async () => {
    const directory = scratch('cli-second')
    const { process, rtmp } = await serve(directory.path, '--stop-timeout', '1h')
    const publisher = publish(await media(), `${rtmp}/live/test`, { speed: 1, loop: true })
    const file = await recordedBy(process)
    await expect.poll(() => statSync(file).size, { timeout: 20_000 }).toBeGreaterThan(100_000)
    process.signal('SIGINT')
    process.signal('SIGTERM')
    expect((await process.ended).code).toBe(130)
    publisher.end('SIGKILL')
    await publisher.ended
    const again = await serve(directory.path)
    await again.process.says(/file that a crash left is repaired/)
    again.process.signal('SIGINT')
    expect((await again.process.ended).code).toBe(0)
    const inspected = await cli(directory.path, ['inspect', '--json', file])
    expect(JSON.parse(inspected.stdout)).toMatchObject({ finalised: true, faultCount: 0 })
    directory.drop()
  })

  it('--no-record-all relays only', async () => {
    const directory = scratch('cli-relay')
    const server = await TapedeckProcess.start(directory.path, '--no-record-all')
    expect(readFileSync(`/proc/${server.pid}/cmdline`, 'utf8')).toContain('--max-semi-space-size=2\0')
    const publisher = publish(await media(), `${server.rtmp}/live/test`, { speed: 1 })
    await expect.poll(() => server.metric('tapedeck_streams'), { timeout: 20_000 }).toBe(1)
    await publisher.ended
    expect(await server.end()).toBe(0)
    expect(server.files()).toEqual([])
    directory.drop()
  })

  it('takes settings from the environment and a file, flags first', async () => {
    const path = join(place.path, 'settings.json')
    writeFileSync(path, JSON.stringify({ 'record-dir': './from-file', 'record-format': 'flv', http: 'off' }))
    const args = ['serve', '--rtmp', '127.0.0.1:0', '--record-format', 'mkv', '--config', path]
    const process = new CliProcess(args, { cwd: place.path, env: { TAPEDECK_RECORD_DIR: './from-env' } })
    await process.says(/Ctrl-C finishes/)
    process.signal('SIGINT')
    const { code, stdout } = await process.ended
    expect(code).toBe(0)
    expect(stdout).toContain(`files     ${join(place.path, 'from-env')}  (mkv)`)
    expect(stdout).not.toContain('metrics')
  })

  it('says what to do when the port is taken, and leaves nothing running', async () => {
    const taken = createServer()
    await new Promise<void>((done) => taken.listen(port, '127.0.0.1', done))
    for (const option of ['--rtmp', '--http']) {
      const other = option === '--rtmp' ? '--http' : '--rtmp'
      const args = ['serve', option, `127.0.0.1:${port}`, other, '127.0.0.1:0']
      const { code, stdout, stderr } = await cli(place.path, args)
      expect(code).toBe(1)
      expect(stderr).toContain(`cannot listen on 127.0.0.1:${port} (${option}): something listens there already`)
      expect(stderr).toContain('TD_LISTEN')
      expect(stdout).toBe('')
    }
    await new Promise((done) => taken.close(done))
  })
})

describe('tokens', () => {
  it('--require-token: publishing, playing and metrics need one that fits', async () => {
    const directory = scratch('cli-token')
    const { process, rtmp, http } = await serve(directory.path, '--require-token')
    const token = async (...flags: string[]) =>
      (await cli(directory.path, ['token', '--ttl', '5m', ...flags])).stdout.trim()
    const path = await media()
    const refused = [
      `${rtmp}/standup/alice`,
      `${rtmp}/standup/alice?token=x`,
      `${rtmp}/standup/alice?token=${await token('--room', 'other')}`,
      `${rtmp}/standup/alice?token=${await token('--room', 'standup', '--play')}`,
      `${rtmp}/standup/alice?token=${await token('--room', 'standup', '--name', 'bob')}`,
    ]
    for (const url of refused) expect((await publish(path, url).ended).status, url).not.toBe(0)
    const allowed = await token('--room', 'standup', '--publish')
    const good = publish(path, `${rtmp}/standup/alice?token=${allowed}`, { speed: 1, loop: true })
    const file = await recordedBy(process)
    const play = ['record', '-d', '1s', '-o', 'copy.mp4']
    expect(await cli(directory.path, [...play, `${rtmp}/standup/alice`])).toMatchObject({ code: 1 })
    const mine = await token('--room', 'standup', '--play')
    expect(await cli(directory.path, [...play, `${rtmp}/standup/alice?token=${mine}`])).toMatchObject({ code: 0 })

    const metrics = (authorization?: string) =>
      fetch(`${http}/metrics`, authorization === undefined ? {} : { headers: { authorization } })
    const without = await metrics()
    expect(without.status).toBe(401)
    expect(await without.json()).toMatchObject({ error: { code: 'TD_BAD_TOKEN', fault: 'peer' } })
    expect((await metrics(`Bearer ${mine}`)).status).toBe(403)
    expect((await metrics(`Bearer ${await token('--metrics')}`)).status).toBe(200)
    expect((await fetch(`${http}/healthz`)).status).toBe(200)
    good.end()
    await good.ended
    process.signal('SIGINT')
    expect((await process.ended).code).toBe(0)
    expect(await decodingFaults(file)).toBe('')
    directory.drop()
  })
})
