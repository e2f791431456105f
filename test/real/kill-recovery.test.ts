import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, rmSync, statfsSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createMuxer, openContainer } from '../../src/container/formats.ts'
import type { Format } from '../../src/container/reader.ts'
import { Frame } from '../../src/media/frame.ts'
import { SqliteJournal } from '../../src/state/sqlite-journal.ts'
import { DiskStorage } from '../../src/storage/disk.ts'
import { decodingFaults } from '../peers/decoding.ts'
import { Disk, describeOnDisks } from '../peers/disks.ts'
import { madeMedia } from '../peers/ffmpeg.ts'
import { keptMedia } from '../peers/kept-media.ts'
import { type FlvTag, flvTags, PacedPublisher } from '../peers/paced-publisher.ts'
import { scratch, TapedeckProcess } from '../peers/tapedeck.ts'

const FORMATS: readonly Format[] = ['mp4', 'flv', 'mkv']
/** Of each format, so that repairing them takes longer than the start of a server. */
const TORN_FILES = 40
const place = scratch('kill-recovery')
const disks: Disk[] = []
const frames: Frame[] = []
let source = ''
let sent: readonly FlvTag[] = []
let deadPid = 0

beforeAll(async () => {
  source = await madeMedia(
    'kill-10s.flv',
    '-f lavfi -i testsrc2=size=640x360:rate=30 -f lavfi -i sine=frequency=440:sample_rate=44100 -t 10 -c:v libx264 -preset veryfast -b:v 1500k -bf 2 -g 30 -pix_fmt yuv420p -c:a aac -ac 2 -f flv',
  )
  sent = flvTags(source).filter(({ type, body }) => type !== 18 && body[1] === 1)
  const file = await new DiskStorage().open(source)
  for await (const { track, dts, pts, key, offset, size } of (await openContainer(file)).samples()) {
    frames.push(new Frame(track, dts, pts, key, await file.read(offset, size)))
  }
  await file.close()
  const child = spawn(process.execPath, ['-e', ''], { stdio: 'ignore' })
  await once(child, 'exit')
  deadPid = child.pid ?? 0
})

afterAll(async () => {
  await TapedeckProcess.endAll()
  for (const disk of disks) await disk.drop()
  place.drop()
})

/** A file as a crash leaves it, `cutBytes` before the end of what was written. Returns how many frames it holds still. */
async function tornFile(path: string, format: Format, cutBytes: number): Promise<number> {
  const file = await new DiskStorage().create(path)
  const muxer = createMuxer(format, file)
  muxer.start([...new Set(frames.map(({ track }) => track))])
  for (const frame of frames) muxer.write(frame)
  muxer.flush()
  await file.close()
  truncateSync(path, statSync(path).size - cutBytes)
  return (await keptMedia([path], sent)).frames
}

/** Enters files in a journal as another process would have. */
function enter(data: string, paths: readonly string[]): void {
  const journal = new SqliteJournal(join(data, 'state.db'))
  for (const path of paths) {
    const format = path.slice(-3)
    const facts = { room: 'live', participant: 'test', startedAtMs: Date.now(), pid: deadPid }
    journal.opened({ id: path, path, format, ...facts })
  }
  journal.close()
}

function pending(data: string): number {
  const journal = new SqliteJournal(join(data, 'state.db'))
  const { length } = journal.list()
  journal.close()
  return length
}

function audit(server: TapedeckProcess, event: string): string[] {
  const lines = readFileSync(join(server.data, 'audit.log'), 'utf8').split('\n')
  const notes: { event: string; path: string }[] = lines
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line))
  return notes.filter((note) => note.event === event).map(({ path }) => path)
}

describe('recovery', () => {
  it('that is killed goes on with the next start, as often as that happens', async () => {
    const directory = join(place.path, 'again')
    const server = await TapedeckProcess.start(directory, '--log-format', 'json')
    await server.end()
    const left = new Map<string, number>()
    for (const format of FORMATS) {
      for (let i = 0; i < TORN_FILES; i++) {
        const path = join(server.recordings, `torn-${i}.${format}`)
        left.set(path, await tornFile(path, format, (i * 7919) % 50_000))
      }
    }
    const gone = join(server.recordings, 'gone.mp4')
    enter(server.data, [...left.keys(), gone])
    let kills = 0
    for (let before = left.size + 1; kills < 12 && before > 0; kills++) {
      const starting = server.start().catch(() => undefined)
      await server.says(/repairing them/)
      await delay(((kills * 37) % 11) * 6)
      await server.end('SIGKILL')
      await starting
      const after = pending(server.data)
      expect(after).toBeLessThanOrEqual(before)
      before = after
    }
    expect(kills).toBeGreaterThan(2)
    await server.start()
    if (pending(server.data) > 0) await server.says(/"recovery is done"/)
    expect(pending(server.data)).toBe(0)
    for (const [path, count] of left) {
      expect(await keptMedia([path], sent), path).toMatchObject({ frames: count, unfinished: [] })
    }
    for (const format of FORMATS) expect(await decodingFaults(join(server.recordings, `torn-3.${format}`))).toBe('')
    expect(server.output).toContain('file that a crash left is gone')
    await server.end()
  })

  it('is done once by two servers on one state, and touches nothing that the other records', async () => {
    const directory = join(place.path, 'two')
    const flags = ['--log-format', 'json', '--record-filename', '{participant}']
    const a = await TapedeckProcess.start(directory, ...flags)
    const b = await TapedeckProcess.start(directory, ...flags)
    const toA = await PacedPublisher.start(a.rtmpPort, 'live', 'a', source)
    const toB = await PacedPublisher.start(b.rtmpPort, 'live', 'b', source)
    const fileOf = (name: string) => join(a.recordings, `${name}.mp4`)
    while (toA.lastVideoMs < 1500 || toB.lastVideoMs < 1500) await delay(20)
    await a.end('SIGKILL')
    toA.stop()
    await a.start()
    await a.says(/"recovery is done"/)
    expect(b.lines.join('\n')).not.toContain('repair')
    expect(await keptMedia([fileOf('a')], toA.sent)).toMatchObject({ unfinished: [] })
    expect((await keptMedia([fileOf('b')], toB.sent)).unfinished).toEqual([fileOf('b')])

    const cutMs = toB.lastVideoMs
    while (toB.lastVideoMs < cutMs + 1500) await delay(20)
    await toB.finish()
    await b.says(/"recording completed"/)
    expect(await keptMedia([fileOf('b')], toB.sent)).toMatchObject({ missing: [], unfinished: [] })

    await Promise.all([a.end('SIGKILL'), b.end('SIGKILL')])
    const torn = Array.from({ length: 20 }, (_, i) => join(a.recordings, `torn-${i}.mp4`))
    for (const path of torn) await tornFile(path, 'mp4', 1000)
    enter(a.data, torn)
    await Promise.all([a.start(), b.start()])
    while (pending(a.data) > 0) await delay(50)
    const repaired = () => audit(a, 'repaired').filter((path) => torn.includes(path))
    while (repaired().length < torn.length) await delay(20)
    expect(repaired().sort()).toEqual([...torn].sort())
    for (const path of torn) expect((await keptMedia([path], sent)).unfinished).toEqual([])
    await Promise.all([a.end(), b.end()])
  })
})

describeOnDisks('recovery on a full disk', () => {
  it('leaves files as playable as they are, and completes them when there is room', async () => {
    const directory = join(place.path, 'full')
    mkdirSync(directory)
    const disk = await Disk.tmpfs(directory, 16)
    disks.push(disk)
    const where = join(disk.path, 'recordings')
    const server = await TapedeckProcess.start(
      directory,
      ...['--record-dir', where, '--record-min-free-mb', '0', '--log-format', 'json'],
    )
    await server.end()
    const left = new Map<string, number>()
    for (const format of FORMATS) {
      const path = join(where, `torn.${format}`)
      left.set(path, await tornFile(path, format, 0)) // a torn end would be room for the index
    }
    enter(server.data, [...left.keys()])
    const ballast = join(disk.path, 'ballast')
    const { bavail, bsize } = statfsSync(disk.path)
    writeFileSync(ballast, Buffer.alloc(bavail * bsize))
    for (let starts = 0; starts < 2; starts++) {
      await server.start()
      await server.says(/"recovery is done"/)
      const complaints = server.lines.filter((line) => line.includes('could not be repaired yet'))
      // of the others, FLV has had the place of its index from the beginning, and Matroska's may fit into the last page
      expect(complaints.filter((line) => line.includes('torn.mp4'))).toHaveLength(1)
      expect(complaints.filter((line) => line.includes('torn.flv'))).toEqual([])
      expect(pending(server.data)).toBe(complaints.length)

      for (const [path, count] of left) expect((await keptMedia([path], sent)).frames, path).toBe(count)
      if (starts === 0) await server.end('SIGKILL')
    }
    rmSync(ballast)
    expect(existsSync(ballast)).toBe(false)
    while (pending(server.data) > 0) await delay(100)
    for (const [path, count] of left) {
      expect(await keptMedia([path], sent), path).toMatchObject({ frames: count, unfinished: [] })
      expect(await decodingFaults(path), path).toBe('')
    }
    await server.end()
  })
})
