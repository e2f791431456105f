import { copyFileSync, existsSync, readdirSync, readFileSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CliProcess, cli } from '../peers/cli.ts'
import { decodingFaults } from '../peers/decoding.ts'
import { madeMedia, packetsOf, publish } from '../peers/ffmpeg.ts'
import { scratch, TapedeckProcess } from '../peers/tapedeck.ts'

const place = scratch('cli-record')
let server: TapedeckProcess
let media: string

beforeAll(async () => {
  media = await madeMedia(
    'cli-4s.flv',
    '-f lavfi -i testsrc2=size=320x180:rate=30 -f lavfi -i sine=frequency=440:sample_rate=44100 -t 4 -c:v libx264 -preset veryfast -b:v 800k -bf 2 -g 30 -pix_fmt yuv420p -c:a aac -ac 2 -f flv',
  )
  server = await TapedeckProcess.start(join(place.path, 'server'))
})
afterAll(async () => {
  await server.end()
  place.drop()
})

/** Resolves when somebody publishes under `name`. */
async function isLive(name: string): Promise<void> {
  const live = async () => (await (await fetch(`${server.http}/metrics`)).text()).includes(`participant="${name}"`)
  await expect.poll(live, { timeout: 20_000 }).toBe(true)
}

/** A stream that is live under `name` while `work` runs. */
async function withStream(name: string, work: (url: string) => Promise<void>): Promise<void> {
  const url = `${server.rtmp}/live/${name}`
  const publisher = publish(media, url, { speed: 1, loop: true })
  try {
    await isLive(name)
    await work(url)
  } finally {
    publisher.end('SIGKILL')
    await publisher.ended
  }
}

describe('record', () => {
  it.each(['mp4', 'flv', 'mkv'])('keeps a remote stream as %s for as long as asked', async (format) => {
    await withStream(`for-${format}`, async (url) => {
      const name = `copy.${format}`
      const { code, stdout, stderr } = await cli(place.path, ['record', url, '-o', name, '--duration', '2s'])
      expect(stderr).toBe('')
      expect(code).toBe(0)
      expect(stdout).toMatch(new RegExp(`copy\\.${format}: 00:00:0[2-5]\\.\\d{3}, `))
      const path = join(place.path, name)
      expect(await decodingFaults(path)).toBe('')
      expect(statSync(path).mode & 0o777).toBe(0o600)
      const inspected = JSON.parse((await cli(place.path, ['inspect', '--json', name])).stdout)
      expect(inspected).toMatchObject({ format, finalised: true, faultCount: 0 })
      expect(inspected.durationMs).toBeGreaterThanOrEqual(1900)
      const source = new Set((await packetsOf(media)).map(({ hash }) => hash))
      for (const { hash } of await packetsOf(path)) expect(source).toContain(hash)
    })
  })

  it('Ctrl-C finishes the file, named after the stream when nothing is said', async () => {
    await withStream('interrupted', async (url) => {
      const directory = scratch('cli-record-name')
      const process = new CliProcess(['record', url], { cwd: directory.path })
      await expect.poll(() => readdirSync(directory.path), { timeout: 20_000 }).toHaveLength(1)
      const [file] = readdirSync(directory.path)
      await expect.poll(() => statSync(join(directory.path, file)).size, { timeout: 20_000 }).toBeGreaterThan(50_000)
      process.signal('SIGINT')
      expect((await process.ended).code).toBe(0)
      expect(file).toMatch(/^interrupted_\d{8}_\d{6}\.\d{3}\.mp4$/)
      expect((await cli(directory.path, ['inspect', file])).code).toBe(0)
      directory.drop()
    })
  })

  it('ends with the stream', async () => {
    const url = `${server.rtmp}/live/short`
    const publisher = publish(media, url, { speed: 1 })
    await isLive('short')
    const { code } = await cli(place.path, ['record', url, '-o', 'short.mp4'])
    expect(code).toBe(0)
    expect((await publisher.ended).status).toBe(0)
  })

  it('nobody publishes it: says so', async () => {
    const { code, stderr } = await cli(place.path, ['record', `${server.rtmp}/live/nobody`, '-o', 'nobody.mp4'])
    expect(code).toBe(1)
    expect(stderr).toContain('TD_STREAM_NOT_FOUND')
    expect(existsSync(join(place.path, 'nobody.mp4'))).toBe(false)
  })
})

describe.each(['mp4', 'flv', 'mkv'])('inspect and repair of %s', (format) => {
  it('a torn file: what is wrong, what was lost, whole afterwards', async () => {
    await withStream(`torn-${format}`, async (url) => {
      const whole = join(place.path, `whole.${format}`)
      const torn = join(place.path, `torn.${format}`)
      expect((await cli(place.path, ['record', url, '-o', whole, '-d', '2s'])).code).toBe(0)
      copyFileSync(whole, torn)
      truncateSync(torn, Math.floor(statSync(torn).size * 0.6) + 1)
      const before = readFileSync(torn)

      expect((await cli(place.path, ['inspect', torn])).code).toBe(3)
      const { code, stdout } = await cli(place.path, ['repair', '--keep-original', '--json', torn])
      expect(code).toBe(0)
      const report = JSON.parse(stdout)
      expect(report).toMatchObject({ path: torn, ok: true, changed: true })
      expect(report.frames).toBeGreaterThan(20)
      expect(readFileSync(`${torn}.original`).equals(before)).toBe(true)
      expect(await decodingFaults(torn)).toBe('')

      const again = await cli(place.path, ['repair', torn, whole])
      expect(again.code).toBe(0)
      expect(again.stdout).toMatch(/torn\.\w+: whole \(.*\n.*whole\.\w+: whole \(.*\n2 files whole\n/)
    })
  })
})

describe('repair', () => {
  it('leaves a file alone that a server is writing', async () => {
    await withStream('busy', async () => {
      await expect
        .poll(() => server.files().find((name) => name.startsWith('live_busy')), { timeout: 20_000 })
        .toBeDefined()
      const file = server.files().find((name) => name.startsWith('live_busy')) ?? ''
      const path = join(server.recordings, file)
      const args = ['repair', path, '--data-dir', join(place.path, 'server', 'data')]
      const { code, stdout } = await cli(place.path, args)
      expect(code).toBe(1)
      expect(stdout).toContain(`is being recorded by process ${server.pid}`)
    })
  })
})
