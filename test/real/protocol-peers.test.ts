import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { RtmpClient } from '../../src/rtmp/client.ts'
import { RtmpListener } from '../../src/rtmp/listener.ts'
import { LogLines, Relay, RelayedStream, until } from '../rtmp/relay.ts'

const run = promisify(execFile)
let directory: string
let source: string
let relay: Relay
let log: LogLines
let listener: RtmpListener
let port: number

/** Bodies of audio and video tags of an FLV file, hashed, in order per type. */
function tagsOf(flv: Buffer): { audio: string[]; video: string[] } {
  const tags: { audio: string[]; video: string[] } = { audio: [], video: [] }
  for (let at = 13; at + 11 <= flv.length; ) {
    const type = flv[at] & 0x1f
    const end = at + 11 + flv.readUIntBE(at + 1, 3)
    const body = flv.subarray(at + 11, end)
    if (type === 8) tags.audio.push(hash(body))
    if (type === 9) tags.video.push(hash(body))
    at = end + 4
  }
  return tags
}

function hash(bytes: Uint8Array): string {
  return createHash('sha1').update(bytes).digest('hex')
}

function received(stream: RelayedStream): { audio: string[]; video: string[] } {
  const of = (type: number) => stream.media_.filter((m) => m.type === type).map((m) => hash(m.payload))
  return { audio: of(8), video: of(9) }
}

/** Whether all of `part`'s tags are in `whole` in that order, one behind the other. */
function follows(part: string[], whole: string[]): boolean {
  const at = whole.indexOf(part[0])
  return at >= 0 && part.every((tag, i) => whole[at + i] === tag)
}

async function ended(stream: RelayedStream): Promise<void> {
  await until(stream, 'end', () => stream.ended !== undefined)
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tapedeck-peers-'))
  source = join(directory, 'source.flv')
  await run('ffmpeg', [
    ...['-v', 'error', '-f', 'lavfi', '-i', 'testsrc2=320x240:rate=25', '-f', 'lavfi', '-i', 'sine=440'],
    ...['-t', '4', '-c:v', 'libx264', '-g', '25', '-bf', '2', '-pix_fmt', 'yuv420p', '-c:a', 'aac', '-y', source],
  ])
})
afterAll(() => rm(directory, { recursive: true }))
beforeEach(async () => {
  relay = new Relay()
  log = new LogLines()
  listener = new RtmpListener({ host: '127.0.0.1', port: 0 }, relay, log)
  port = (await listener.listen()).port
})
afterEach(async () => {
  await listener.close(2000)
  expect(log.of('error')).toEqual([])
})

function publishArgs(name: string, realTime: boolean): string[] {
  const pace = realTime ? ['-re'] : []
  return ['-v', 'error', ...pace, '-i', source, '-c', 'copy', '-f', 'flv', `rtmp://127.0.0.1:${port}/live/${name}`]
}

describe('ffmpeg', () => {
  it('publishes flat out, and every packet arrives', async () => {
    await run('ffmpeg', publishArgs('test?token=x', false))
    const stream = await relay.stream('live/test')
    await ended(stream)
    const sent = tagsOf(await readFile(source))
    const got = received(stream)
    expect(got.video.length).toBeGreaterThan(100)
    // ffmpeg writes the end of sequence as it likes; all else is the file
    expect(follows(sent.video.slice(0, 100), got.video)).toBe(true)
    expect(got.audio).toEqual(sent.audio)
    expect(stream.ended).toBe('finished')
    expect(stream.data_[0][0]).toBe('onMetaData')
    expect(stream.request.query.get('token')).toBe('x')
  })

  it('publishes in real time over digest handshake to a player that records, with rtmpdump beside it', async () => {
    const publisher = run('ffmpeg', publishArgs('test', true))
    const stream = await relay.stream('live/test')
    const played = join(directory, 'played.flv')
    const dumped = join(directory, 'dumped.flv')
    const url = `rtmp://127.0.0.1:${port}/live/test`
    const players = [
      run('ffmpeg', ['-v', 'error', '-i', url, '-c', 'copy', '-y', '-t', '3', played]),
      run('rtmpdump', ['-q', '-v', '-r', url, '-B', '2', '-o', dumped]),
    ]
    await Promise.all([...players, publisher])
    await ended(stream)
    const got = received(stream)
    for (const file of [played, dumped]) {
      const tags = tagsOf(await readFile(file))
      expect(tags.video.length).toBeGreaterThan(20)
      expect(follows(tags.video.slice(1, 20), got.video)).toBe(true)
      expect(follows(tags.audio.slice(1, 20), got.audio)).toBe(true)
    }
  })

  it('is killed, and the stream ends as lost', async () => {
    const child = spawn('ffmpeg', publishArgs('test', true), { stdio: 'ignore' })
    const stream = await relay.stream('live/test')
    await until(stream, 'media', () => stream.media_.length > 10)
    child.kill('SIGKILL')
    await ended(stream)
    expect(stream.ended).toBe('lost')
  })

  it('exits with an error when its name is taken', async () => {
    const first = await RtmpClient.connect(`rtmp://127.0.0.1:${port}/live/test`)
    await first.publish()
    await expect(run('ffmpeg', publishArgs('test', false))).rejects.toThrow(/is taken/)
    await first.close()
  })

  it('plays a name that nobody publishes, and hears so', async () => {
    const url = `rtmp://127.0.0.1:${port}/live/none`
    await expect(run('ffmpeg', ['-v', 'error', '-i', url, '-f', 'null', '-'])).rejects.toThrow(/nobody publishes/)
  })

  it('listens as a server, and our client publishes to it', async () => {
    const target = join(directory, 'published.flv')
    const any = 20_000 + (process.pid % 5000)
    const url = `rtmp://127.0.0.1:${any}/live/x`
    const server = spawn('ffmpeg', ['-v', 'error', '-listen', '1', '-i', url, '-c', 'copy', '-y', target])
    const exited = once(server, 'exit')
    const client = await retry(() => RtmpClient.connect(url))
    await client.publish()
    const flv = await readFile(source)
    for (let at = 13; at + 11 <= flv.length; ) {
      const end = at + 11 + flv.readUIntBE(at + 1, 3)
      const type = flv[at] & 0x1f
      if (type === 8 || type === 9) client.send(type, flv.readUIntBE(at + 4, 3), flv.subarray(at + 11, end))
      at = end + 4
      await client.drained()
    }
    await client.close()
    await exited
    const tags = tagsOf(await readFile(target))
    expect(tags.audio.length).toBeGreaterThan(100)
    expect(tags.video.length).toBeGreaterThan(90)
  })
})

describe('nginx-rtmp', () => {
  it('is played by our client, and published to', async () => {
    const any = 25_000 + (process.pid % 5000)
    const config = join(directory, 'nginx.conf')
    await writeFile(
      config,
      `daemon off; master_process off; error_log ${directory}/nginx.log; pid ${directory}/nginx.pid;
       load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;
       events {} rtmp { server { listen 127.0.0.1:${any}; application live { live on; } } }`,
    )
    const nginx = spawn('nginx', ['-c', config, '-p', directory], { stdio: 'ignore' })
    const exited = once(nginx, 'exit')
    const url = `rtmp://127.0.0.1:${any}/live/x`
    const publisher = await retry(() => RtmpClient.connect(url))
    await publisher.publish()
    const player = await RtmpClient.connect(url)
    const got = new RelayedStream({
      peer: { id: 0, address: '', secure: false, agent: '', disconnect: () => undefined },
      app: 'live',
      name: 'x',
      query: new URLSearchParams(),
    })
    await player.play(got)
    const flv = await readFile(source)
    for (let at = 13; at + 11 <= flv.length; ) {
      const end = at + 11 + flv.readUIntBE(at + 1, 3)
      const type = flv[at] & 0x1f
      if (type === 8 || type === 9) publisher.send(type, flv.readUIntBE(at + 4, 3), flv.subarray(at + 11, end))
      at = end + 4
      await publisher.drained()
    }
    const sent = tagsOf(flv)
    await until(got, 'media', () => received(got).audio.length >= sent.audio.length - 1)
    expect(follows(received(got).audio.slice(2), sent.audio)).toBe(true)
    expect(follows(received(got).video.slice(2), sent.video)).toBe(true)
    await publisher.close()
    await player.close()
    nginx.kill()
    await exited
  })
})

/** Until a server of another program has come up. */
async function retry<T>(attempt: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await attempt()
    } catch (error) {
      if (tries > 200) throw error
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
  }
}
