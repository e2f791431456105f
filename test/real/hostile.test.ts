import { createHash, randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Attacker, chunkSize, command, header, message, number, object, text } from '../peers/attacker.ts'
import { complaints, madeMedia } from '../peers/ffmpeg.ts'
import { keptMedia } from '../peers/kept-media.ts'
import { flvTags, PacedPublisher } from '../peers/paced-publisher.ts'
import { RtmpWire } from '../peers/rtmp-wire.ts'
import { scratch, TapedeckProcess } from '../peers/tapedeck.ts'
import { until } from '../peers/until.ts'

const HANDSHAKE_MS = 2000
const IDLE_MS = 3000
/** A busy machine may be this late with a deadline. */
const LATE_MS = 8000
/** What all attacks together may leave resident, bytes: garbage that waits for collection, code, caches. */
const MAX_GROWTH_BYTES = 150e6
const NOTHING = Buffer.of(5) // AMF0 null

const place = scratch('hostile')
let server: TapedeckProcess
let good: PacedPublisher
let media: string
let rssBefore = 0
let port = 0

beforeAll(async () => {
  media = await madeMedia(
    'hostile-2s.flv',
    '-f lavfi -i testsrc2=size=320x180:rate=30 -f lavfi -i sine=frequency=440:sample_rate=44100 -t 2 -c:v libx264 -preset veryfast -b:v 800k -bf 2 -g 30 -pix_fmt yuv420p -c:a aac -ac 2 -f flv',
  )
  server = await TapedeckProcess.start(
    join(place.path, 'a', 'b'),
    ...['--handshake-timeout', `${HANDSHAKE_MS}ms`, '--idle-timeout', `${IDLE_MS}ms`],
  )
  port = server.rtmpPort
  good = await PacedPublisher.start(port, 'live', 'good', media)
  await until('the first file', () => server.files().at(0))
  rssBefore = residentBytes()
})

afterAll(async () => {
  good?.stop()
  await server?.end('SIGKILL')
  place.drop()
})

function residentBytes(): number {
  const status = readFileSync(`/proc/${server.pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024
}

interface LogLine {
  readonly level: number
  readonly msg: string
  readonly code?: string
  readonly reason?: string
  readonly count?: number
}

function log(): LogLine[] {
  const lines = server.output.split('\n').filter((line) => line.startsWith('{'))
  return lines.map((line): LogLine => JSON.parse(line))
}

/** Each is closed by the server, and not after the deadline; then it is still there for everybody else. */
async function allClosed(attackers: readonly Attacker[], withinMs = LATE_MS): Promise<void> {
  for (const tookMs of await Promise.all(attackers.map(({ closed }) => closed))) expect(tookMs).toBeLessThan(withinMs)
  expect(server.isRunning).toBe(true)
  expect(good.closed).toBe(false)
}

/** Somebody else can publish. */
async function isOpen(): Promise<void> {
  const wire = await RtmpWire.open(port)
  await wire.app('relay')
  await wire.command(0, ['_checkbw', 9, null])
  wire.destroy()
}

const many = <T>(count: number, make: (i: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, i) => make(i)))

describe('while a publisher goes on', () => {
  it('slow ones have a deadline: silent, dripping the handshake, dripping connect, never asking for anything', async () => {
    const silent = await many(20, () => Attacker.open(port))
    const dripping = await many(20, () => Attacker.open(port))
    for (const each of dripping) each.drip(Buffer.concat([Buffer.of(3), Buffer.alloc(1536)]), 50)
    const naming = await many(20, () => Attacker.shaken(port))
    for (const each of naming) each.drip(command(0, text('connect'), number(1), object([['app', text('live')]])), 200)
    await allClosed([...silent, ...dripping, ...naming], HANDSHAKE_MS + LATE_MS)
    const idle = await many(20, () => Attacker.connected(port))
    for (const each of idle) each.drip(message(2, 4, 0, Buffer.from([0, 3, 0, 0, 0, 1, 0, 0, 0, 9])), 100)
    await allClosed(idle, IDLE_MS + LATE_MS)
  })

  it('messages larger than any may be end the connection, whether they are of use or not', async () => {
    const attackers = await many(8, () => Attacker.connected(port))
    const [command64k, video, sound, data, control, unknown, publishing, pending] = attackers
    command64k.send(header(3, 20, 65_537, 0), Buffer.alloc(128))
    video.send(header(6, 9, 0xffffff, 1), Buffer.alloc(128))
    sound.send(header(6, 8, 0xffffff, 0), Buffer.alloc(128))
    data.send(header(6, 18, 0xffffff, 1), Buffer.alloc(128))
    control.send(header(2, 5, 0x20000, 0), Buffer.alloc(128))
    unknown.send(header(3, 99, 0xfffff, 0), Buffer.alloc(128))
    publishing.send(command(1, text('publish'), number(0), NOTHING, text('oversize'), text('live')))
    publishing.send(header(6, 9, 0xffffff, 1), Buffer.alloc(128))
    // each within its bound, together more than a connection may have under way
    pending.send(command(1, text('publish'), number(0), NOTHING, text('pending'), text('live')))
    for (let id = 10; id < 60; id++) pending.send(header(id, 9, 15_000_000, 1), Buffer.alloc(128))
    await allClosed(attackers)
  })

  it('chunk sizes: zero ends the connection, one byte and two gigabytes are taken at their word', async () => {
    const zero = await Attacker.connected(port)
    zero.send(chunkSize(0))
    const negative = await Attacker.connected(port)
    negative.send(chunkSize(0x80000000))
    await allClosed([zero, negative])
    for (const [name, size] of [['one-byte', 1] as const, ['huge', 0x7fffffff] as const]) {
      const wire = await RtmpWire.open(port)
      wire.setChunkSize(size)
      await wire.app('chunks')
      await wire.publish(name)
      for (const { type, timestampMs, body } of flvTags(media).slice(0, 40)) wire.send(6, type, 1, timestampMs, body)
      await wire.end()
    }
    await server.says(/"msg":"publishing ended".*one-byte|one-byte.*"msg":"publishing ended"/)
    await server.says(/"msg":"publishing ended".*huge|huge.*"msg":"publishing ended"/)
  })

  it('thousands of chunk streams end the connection', async () => {
    const attackers = await many(5, () => Attacker.connected(port))
    for (const each of attackers) {
      const headers = Array.from({ length: 5000 }, (_, i) => [header(64 + i, 20, 60_000, 0), Buffer.alloc(128)])
      each.send(...headers.flat())
    }
    await allClosed(attackers)
  })

  it('floods: of questions whose answers nobody reads, of commands, of metadata, of tiny messages', async () => {
    const ping = message(2, 4, 0, Buffer.from([0, 6, 0, 0, 0, 1]))
    const deaf = await Attacker.connected(port)
    deaf.socket.pause()
    const pings = Buffer.concat(Array.from({ length: 5000 }, () => ping))
    // a paused socket does not see its end: what it cannot write any more is the sign
    while (!deaf.socket.destroyed && deaf.socket.writableLength < 8e6 && deaf.socket.bytesWritten < 200e6) {
      deaf.send(pings)
      await new Promise((resolve) => setImmediate(resolve))
    }
    deaf.socket.resume()
    const noisy = await many(4, () => Attacker.connected(port))
    const [calls, strangers, metadata, tiny] = noisy
    const repeat = (count: number, bytes: Buffer) => Buffer.concat(Array.from({ length: count }, () => bytes))
    calls.send(repeat(20_000, command(0, text('createStream'), number(7), NOTHING)))
    strangers.send(repeat(20_000, command(0, text('x'.repeat(100)), number(7), NOTHING)))
    metadata.send(repeat(5000, message(4, 18, 1, Buffer.concat([text('onMetaData'), object([['a', number(1)]])]))))
    tiny.send(repeat(100_000, message(4, 8, 1, Buffer.of(0xaf))))
    await allClosed([deaf, ...noisy], IDLE_MS + 4 * LATE_MS)
    await isOpen()
  })

  it('a publisher of nothing but garbage is told so and put out', async () => {
    const attackers = await many(5, () => Attacker.connected(port))
    for (const [i, each] of attackers.entries()) {
      each.send(command(1, text('publish'), number(0), NOTHING, text(`garbage${i}`), text('live')))
      for (let n = 0; n < 200; n++) each.send(message(6, 9, 1, Buffer.concat([Buffer.of(0x17, 0), randomBytes(60)])))
    }
    await allClosed(attackers)
  })

  it('random bytes at every stage, and other protocols', async () => {
    const stages = [Attacker.open, Attacker.shaken, Attacker.connected]
    const attackers = await many(60, (i) => stages[i % 3](port))
    for (const [i, each] of attackers.entries()) {
      const seed = createHash('sha512').update(String(i)).digest()
      each.send(...Array.from({ length: 400 }, (_, n) => createHash('sha512').update(seed).update(String(n)).digest()))
    }
    const http = await Attacker.open(port)
    http.send(Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'))
    const tls = await Attacker.open(port)
    tls.send(Buffer.from('16030100c8010000c40303', 'hex'))
    await allClosed([http, tls, ...attackers], IDLE_MS + LATE_MS)
  })

  it('a thousand connections in a moment, of which most go at once', async () => {
    for (let batch = 0; batch < 10; batch++) {
      const attackers = await many(100, () => Attacker.open(port))
      for (const [i, each] of attackers.entries()) {
        if (i % 3 === 0) each.send(Buffer.concat([Buffer.of(3), Buffer.alloc(700)]))
        if (i % 3 === 1) each.send(Buffer.of(3))
        each.destroy()
      }
    }
    await isOpen()
    await expect.poll(() => server.metric('tapedeck_connections'), { timeout: 20_000 }).toBe(1)
  })

  it('AMF that would burst a naive reader', async () => {
    const deep = (open: Buffer) => Buffer.concat(Array.from({ length: Math.floor(60_000 / open.length) }, () => open))
    const bombs = [
      deep(Buffer.from('0300016103', 'hex').subarray(0, 4)), // objects in objects
      deep(Buffer.from('0a00000001', 'hex')), // arrays in arrays
      deep(Buffer.from('0800000001000161', 'hex')),
      deep(Buffer.from('110a0b010361', 'hex')), // AMF3 behind its marker
      Buffer.from('0affffffff05', 'hex'), // four thousand million members
      Buffer.from('0cffffffff61', 'hex'), // a string of four gigabytes
      Buffer.from('08ffffffff000161', 'hex'),
      Buffer.from('1109ffffffff0105', 'hex'),
      Buffer.concat([Buffer.from('030001610700000000', 'hex'), deep(Buffer.from('070000', 'hex'))]), // references
      Buffer.concat([Buffer.from('0a00ffffff', 'hex'), Buffer.alloc(60_000, 5)]),
    ]
    const attackers = await many(bombs.length * 2, (i) => (i % 2 ? Attacker.shaken(port) : Attacker.connected(port)))
    for (const [i, each] of attackers.entries()) {
      const bomb = bombs[i >> 1]
      each.send(
        command(0, text('connect'), number(1), bomb),
        message(4, 18, 1, Buffer.concat([text('onMetaData'), bomb])),
      )
    }
    await allClosed(attackers, IDLE_MS + LATE_MS)
  })
})

describe('names', () => {
  /** What was published, and what its file is called instead. */
  const taken: readonly (readonly [string, string, string])[] = [
    ['live', '../../etc/x', 'live____.._etc_x'],
    ['../..', 'room', '______room'],
    ['live', 'con', 'live__con'],
    ['aux', 'nul.mp4', '_aux__nul.mp4'],
    ['live', '\u202egpj.exe', 'live__gpj.exe'],
    ['live', '\u2066a\u2069\u200b', 'live__a__'],
    ['live', '\u2024\u2024\u2215etc\u2215passwd', 'live____etc_passwd'],
    ['live', '．．／ｅｖｉｌ', 'live____ｅｖｉｌ'],
    ['live', 'аdmin', 'live_аdmin'], // Cyrillic а: another letter, and stays one
    ['live', '.hidden', 'live__hidden'],
    ['live', 'trailing. ', 'live_trailing__'],
    ['live', '-rf *; $(touch x) `x` |', 'live__rf _; $(touch x) `x` _'],
    ['live', '%2e%2e%2fx', 'live_%2e%2e%2fx'],
    ['live', 'C:\\Windows\\x', 'live_C__Windows_x'],
    ['live', 'ä'.repeat(127), `live_${'ä'.repeat(50)}`],
  ]
  const refused = ['', 'nul\0byte', 'new\nline', 'x'.repeat(4096), 'bell\u0007', '\u2028', '\u007f', 'ä'.repeat(128)]

  it('become tame file names in the recording directory, and nothing else', async () => {
    const before = new Set(server.files())
    for (const [room, name] of taken) {
      const wire = await RtmpWire.open(port)
      await wire.app(room)
      await wire.publish(name)
      for (const { type, timestampMs, body } of flvTags(media).slice(0, 40)) wire.send(6, type, 1, timestampMs, body)
      await wire.end()
    }
    await expect.poll(() => server.metric('tapedeck_recordings_active'), { timeout: 30_000 }).toBe(1)
    const files = server.files().filter((name) => !before.has(name))
    expect(files).toHaveLength(taken.length)
    const stems = files.map((file) => file.replace(/_\d{8}_\d{6}\.\d{3}\.mp4$/, ''))
    expect(stems.sort()).toEqual(taken.map(([, , stem]) => stem).sort())
  })

  it('that no stream may have are refused with the reason', async () => {
    for (const name of refused) {
      const wire = await RtmpWire.open(port)
      await wire.app('live')
      wire.command(1, ['publish', 3, null, name, 'live'])
      await wire.status('NetStream.Publish.BadName')
      wire.destroy()
    }
    await expect.poll(() => log().some(({ code }) => code === 'TD_BAD_NAME'), { timeout: 20_000 }).toBe(true)
  })
})

describe('afterwards', () => {
  it('the publisher has lost nothing, and nothing lies where it should not', async () => {
    const [recording] = server.files().filter((name) => name.startsWith('live_good_'))
    const path = join(server.recordings, recording)
    expect(good.closed).toBe(false)
    await good.finish()
    await expect.poll(() => server.metric('tapedeck_recordings_active'), { timeout: 20_000 }).toBe(0)
    expect(await keptMedia([path], good.sent)).toMatchObject({ missing: [], frames: good.sent.length, unfinished: [] })
    expect(await complaints(path)).toBe('')
    const files = readdirSync(place.path, { recursive: true, encoding: 'utf8' })
      .map((name) => join(place.path, name))
      .filter((name) => statSync(name).isFile())
    const own = /^(state|catalogue)\.db(-wal|-shm|-revival)?$|^(audit.log|secret|node)$/
    for (const file of files) {
      const isRecording =
        relative(server.recordings, file) === basename(file) && /\.(mp4|mkv|recording\.json)$/.test(file)
      const isState = relative(server.data, file) === basename(file) && own.test(basename(file))
      expect(isRecording || isState, file).toBe(true)
    }
  })

  it('memory is what it was, about', async () => {
    expect(server.isRunning).toBe(true)
    expect(residentBytes() - rssBefore).toBeLessThan(MAX_GROWTH_BYTES)
  })

  it('the log names each kind of refusal with a code, in few lines, and no fault of ours', async () => {
    expect(await server.end()).toBe(0)
    const lines = log()
    const refusals = lines.filter(({ msg }) => /refused|dropped|could not be read|handshakes failed/.test(msg))
    for (const line of refusals.filter(({ msg }) => !/could not be read/.test(msg))) expect(line.code).toMatch(/^TD_/)
    const codes = new Set(refusals.map(({ code }) => code))
    expect([...codes]).toEqual(expect.arrayContaining(['TD_RTMP_TIMEOUT', 'TD_LIMIT', 'TD_MALFORMED', 'TD_BAD_NAME']))
    const told = refusals.reduce((sum, { count }) => sum + (count ?? 1), 0)
    expect(told).toBeGreaterThan(180)
    expect(refusals.length).toBeLessThan(100)
    expect(lines.filter(({ level }) => level >= 50)).toEqual([])
  })
})

describe('the limit on connections', () => {
  it('turns away who is too many, keeps who is in, and lets others in when there is room', async () => {
    const small = await TapedeckProcess.start(
      join(place.path, 'small'),
      ...['--max-connections', '30', '--handshake-timeout', '2s'],
    )
    const publisher = await PacedPublisher.start(small.rtmpPort, 'live', 'good', media)
    const halfOpen = await many(29, () => Attacker.open(small.rtmpPort))
    await expect.poll(() => small.metric('tapedeck_connections'), { timeout: 20_000 }).toBe(30)
    const over = await many(100, () => Attacker.open(small.rtmpPort))
    for (const tookMs of await Promise.all(over.map(({ closed }) => closed))) expect(tookMs).toBeLessThan(LATE_MS)
    await Promise.all(halfOpen.map(({ closed }) => closed))
    const second = await PacedPublisher.start(small.rtmpPort, 'live', 'second', media)
    await expect.poll(() => small.metric('tapedeck_streams'), { timeout: 20_000 }).toBe(2)
    await publisher.finish()
    await second.finish()
    await expect.poll(() => small.metric('tapedeck_recordings_active'), { timeout: 20_000 }).toBe(0)
    const [recording] = small.files().filter((name) => name.startsWith('live_good_'))
    const kept = await keptMedia([join(small.recordings, recording)], publisher.sent)
    expect(kept).toMatchObject({ missing: [], unfinished: [] })
    expect(await small.end()).toBe(0)
    const lines = small.output.split('\n').filter((line) => line.includes('RTMP connections refused'))
    expect(lines.length).toBeLessThan(10)
    const counted = lines.map((line): LogLine => JSON.parse(line))
    expect(counted.reduce((sum, { count }) => sum + (count ?? 0), 0)).toBeGreaterThanOrEqual(100)
    expect(counted.every(({ code, reason }) => code === 'TD_LIMIT' && reason === 'too many connections')).toBe(true)
  })
})
