import { existsSync, mkdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { CliProcess } from '../peers/cli.ts'
import { decodingFaults } from '../peers/decoding.ts'
import { Disk, describeOnDisks } from '../peers/disks.ts'
import { madeMedia } from '../peers/ffmpeg.ts'
import { type KeptMedia, keptMedia } from '../peers/kept-media.ts'
import { LivePlayer } from '../peers/live-player.ts'
import { PacedPublisher, type SentTag } from '../peers/paced-publisher.ts'
import { scratch, TapedeckProcess } from '../peers/tapedeck.ts'

/** What may be lost of what came before the disk was full, on a busy machine, ms. */
const MAX_LOSS_MS = 2500
/** Missing frames closer together than this belong to one hole, ms. */
const HOLE_MS = 300
const place = scratch('disk')
const disks: Disk[] = []
let media = ''

beforeAll(async () => {
  const rate = '-b:v 6M -minrate 6M -maxrate 6M -bufsize 2M -x264-params nal-hrd=cbr'
  const video = `-c:v libx264 -preset ultrafast -g 25 -bf 0 -pix_fmt yuv420p ${rate}`
  // no two frames alike, so that each is found where it belongs
  const input = '-f lavfi -i testsrc2=size=640x360:rate=25 -f lavfi -i aevalsrc=sin(2*PI*(200+20*t)*t):s=44100 -t 60'
  media = await madeMedia('disk-60s.flv', `${input} ${video} -c:a aac -ac 2 -f flv`)
})

afterAll(async () => {
  await TapedeckProcess.endAll()
  for (const disk of disks) await disk.drop()
  place.drop()
})

/** A server that records to a disk of its own, with one stream on it that somebody watches. */
class Scene {
  readonly server: TapedeckProcess
  readonly disk: Disk
  readonly publisher: PacedPublisher
  readonly player: LivePlayer

  private constructor(server: TapedeckProcess, disk: Disk, publisher: PacedPublisher, player: LivePlayer) {
    this.server = server
    this.disk = disk
    this.publisher = publisher
    this.player = player
  }

  static async start(name: string, makeDisk: (directory: string) => Promise<Disk>, flags: string): Promise<Scene> {
    const directory = join(place.path, name)
    mkdirSync(directory)
    const disk = await makeDisk(directory)
    disks.push(disk)
    const where = ['--record-dir', join(disk.path, 'recordings'), '--log-format', 'json']
    const server = await TapedeckProcess.start(directory, ...where, ...flags.replaceAll('$DISK', disk.path).split(' '))
    const publisher = await PacedPublisher.start(server.rtmpPort, 'live', 'test', media)
    await server.says(/"recording"/)
    return new Scene(server, disk, publisher, await LivePlayer.start(server.rtmpPort, 'live', 'test'))
  }

  /** So much more is published, and comes to the player while the disk is what it is now. */
  async goOn(ms: number): Promise<void> {
    const until = (this.publisher.sent.at(-1)?.timestampMs ?? 0) + ms
    while ((this.publisher.sent.at(-1)?.timestampMs ?? 0) < until) {
      if (this.publisher.closed) throw new Error(`the publisher was cut off:\n${this.server.lines.join('\n')}`)
      await delay(20)
    }
    await this.player.came(this.publisher.sent)
  }

  async finish(): Promise<void> {
    await this.publisher.finish()
    await this.server.says(/"recording (completed|failed)"/)
    await this.player.came(this.publisher.sent)
    this.player.stop()
  }

  /** Parts of the recording, in their order. */
  get parts(): string[] {
    return this.server.files().map((file) => join(this.server.recordings, file))
  }

  kept(): Promise<KeptMedia<SentTag>> {
    return keptMedia(this.parts, this.publisher.sent)
  }

  /** Log lines that somebody should read. */
  get alarms(): string[] {
    return this.server.lines.filter((line) => /"level":[456]0/.test(line))
  }

  /** Everything came to the player, unchanged. */
  expectLive(): void {
    expect(this.player.demandWhole(this.publisher.sent)).toBeGreaterThan(50)
  }

  /** Times for which nothing is there. */
  async holes(): Promise<{ fromMs: number; toMs: number }[]> {
    const holes: { fromMs: number; toMs: number }[] = []
    for (const { timestampMs } of (await this.kept()).missing) {
      const last = holes.at(-1)
      if (last !== undefined && timestampMs - last.toMs < HOLE_MS) last.toMs = timestampMs
      else holes.push({ fromMs: timestampMs, toMs: timestampMs })
    }
    return holes
  }
}

describeOnDisks.concurrent('a disk', { timeout: 90_000 }, () => {
  it.each(['mp4', 'flv', 'mkv'])(
    'that runs full costs of %s what has no room, and nothing else; with room, recording goes on by itself',
    async (format) => {
      const scene = await Scene.start(
        `full-${format}`,
        (directory) => Disk.tmpfs(directory, 14),
        `--record-format ${format} --record-min-free-mb 0`,
      )
      const { server, publisher, disk } = scene
      const copy = join(place.path, `copy-${format}.${format}`)
      const args = ['record', `${server.rtmp}/live/test`, '-o', copy, '--record-min-free-mb', '0']
      const other = new CliProcess(args, { cwd: place.path })
      while (!existsSync(copy)) await delay(20)
      const copiedFromMs = publisher.lastVideoMs
      const ballast = join(disk.path, 'ballast')
      writeFileSync(ballast, Buffer.alloc(8_000_000))

      const interrupted: { time: string } = JSON.parse(await server.says(/is interrupted/))
      const left = await scene.kept()
      expect(scene.parts).toHaveLength(1)

      const fullAtMs = Date.parse(interrupted.time) - performance.timeOrigin
      expect(left.missing[0].atMs).toBeGreaterThan(fullAtMs - MAX_LOSS_MS)

      await scene.goOn(3000)
      rmSync(ballast)
      await server.says(/recording goes on in a new file/)
      await scene.goOn(2000)
      while (!audit(server).some(({ event }) => event === 'repaired')) await delay(50)
      await scene.finish()

      expect(scene.alarms, scene.alarms.join('\n')).toHaveLength(1)
      expect(scene.alarms[0]).toContain('TD_DISK_FULL')
      expect(server.lines.filter((line) => line.includes('goes on in a new file'))).toHaveLength(1)
      scene.expectLive()
      const { frames, unfinished } = await scene.kept()
      expect(frames).toBeGreaterThan(left.frames)
      expect(unfinished).toEqual([])
      expect(await scene.holes()).toHaveLength(1)
      for (const path of scene.parts) expect(await decodingFaults(path), path).toBe('')

      expect((await other.ended).code).toBe(0)
      const elsewhere = await keptMedia([copy], publisher.sent)
      expect(elsewhere.unfinished).toEqual([])
      expect(elsewhere.missing.filter(({ timestampMs }) => timestampMs > copiedFromMs)).toEqual([])
      await server.end()
    },
  )

  it('keeps the room that has to stay free: the file is finished before the last byte is gone', async () => {
    const scene = await Scene.start('low', (directory) => Disk.tmpfs(directory, 16), '--record-min-free-mb 8')
    const { server, disk } = scene
    await server.says(/is interrupted/)
    while (!audit(server).some(({ event }) => event === 'finalised')) await delay(20)
    const { bavail, bsize } = statfsSync(disk.path)
    expect(bavail * bsize).toBeGreaterThan(4_000_000)
    expect((await scene.kept()).unfinished).toEqual([])
    const [path] = scene.parts
    expect(await decodingFaults(path)).toBe('')
    await scene.goOn(1000)
    rmSync(path)
    await server.says(/recording goes on in a new file/)
    await scene.goOn(1500)
    await scene.finish()
    expect(scene.alarms, scene.alarms.join('\n')).toHaveLength(1)
    expect(scene.alarms[0]).toContain('TD_DISK_LOW')
    scene.expectLive()
    expect(scene.parts).toHaveLength(1)
    expect(await decodingFaults(scene.parts[0])).toBe('')
    await server.end()
  })

  it('that blocks for ten seconds costs nothing, also of what begins meanwhile', async () => {
    const flags = '--record-min-free-mb 0 --data-dir $DISK/data'
    const scene = await Scene.start('frozen', (directory) => Disk.ext4(directory, 200), flags)
    const { server, publisher, disk } = scene
    await scene.goOn(2000)
    const frozenAtMs = performance.now()
    await disk.freeze()
    await scene.goOn(1000)
    const late = await PacedPublisher.start(server.rtmpPort, 'live', 'late', media)
    await scene.goOn(9000)
    expect(await server.metric('tapedeck_streams')).toBe(2)
    while (performance.now() - frozenAtMs < 10_000) await delay(20)
    await disk.thaw()
    await scene.goOn(2000)
    await late.finish()
    await scene.finish()
    while (server.lines.filter((line) => line.includes('"recording completed"')).length < 2) await delay(20)

    // the state lies on that disk, too: that it waits is said, and nothing else
    expect(scene.alarms.filter((line) => !/StateAwayError|TD_STATE_AWAY/.test(line))).toEqual([])
    scene.expectLive()
    for (const [name, { sent }] of [['test', publisher] as const, ['late', late] as const]) {
      const parts = scene.parts.filter((path) => path.includes(`live_${name}_`))
      expect(parts, name).toHaveLength(1)
      expect(await keptMedia(parts, sent), name).toMatchObject({ missing: [], unfinished: [] })
      expect(await decodingFaults(parts[0]), name).toBe('')
    }
    await server.end()
  })

  it('from which the file, and then the whole directory, is taken away gets new ones', async () => {
    const scene = await Scene.start('taken', (directory) => Disk.tmpfs(directory, 200), '--record-min-free-mb 0')
    const { server } = scene
    await scene.goOn(1500)
    rmSync(scene.parts[0])
    await server.says(/"next part"/)
    await scene.goOn(1000)
    const [second] = scene.parts
    rmSync(server.recordings, { recursive: true })
    while (scene.parts.length === 0) await delay(20)
    await scene.goOn(2000)
    await scene.finish()
    expect(scene.parts).toHaveLength(1)
    expect(scene.parts[0]).not.toBe(second)
    expect(scene.alarms, scene.alarms.join('\n')).toHaveLength(2)
    for (const line of scene.alarms) expect(line).toContain('moved or deleted')
    scene.expectLive()
    // from its beginning on, the last file misses nothing
    expect(await scene.holes()).toHaveLength(1)
    expect(await decodingFaults(scene.parts[0])).toBe('')
    await server.end()
  })

  it('that the system makes read-only stops the recording alone, which goes on when it can be written again', async () => {
    const scene = await Scene.start('failed', (directory) => Disk.ext4(directory, 200), '--record-min-free-mb 0')
    const { server, disk } = scene
    await scene.goOn(2000)
    await disk.fail()
    await server.says(/is interrupted/)
    await scene.goOn(2000)
    while (!(await disk.unmount())) await delay(50)
    await disk.mount()
    await server.says(/recording goes on in a new file/)
    await scene.goOn(2000)
    await scene.finish()
    // the manifest lies on that disk, too: that it waits is said, and nothing else
    const alarms = scene.alarms.filter((line) => !line.includes('manifest cannot be written now'))
    expect(alarms, alarms.join('\n')).toHaveLength(1)
    expect(alarms[0]).toContain('TD_STORAGE')
    scene.expectLive()
    expect(await decodingFaults(scene.parts.at(-1) ?? '')).toBe('')
    await server.end()
  })
})

function audit(server: TapedeckProcess): { event: string; path: string }[] {
  const lines = readFileSync(join(server.data, 'audit.log'), 'utf8').split('\n')
  return lines.filter((line) => line.endsWith('}')).map((line) => JSON.parse(line))
}
