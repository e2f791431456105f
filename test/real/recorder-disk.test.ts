import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openContainer } from '../../src/container/formats.ts'
import type { Format } from '../../src/container/reader.ts'
import { Hub } from '../../src/live/hub.ts'
import type { LiveStream } from '../../src/live/stream.ts'
import { Frame } from '../../src/media/frame.ts'
import type { Logger } from '../../src/media/ports.ts'
import { AuditLog } from '../../src/recorder/audit.ts'
import { type RecorderConfigInput, recorderConfigSchema } from '../../src/recorder/config.ts'
import { Recorder } from '../../src/recorder/recorder.ts'
import type { Recording } from '../../src/recorder/recording.ts'
import { SqliteJournal } from '../../src/state/sqlite-journal.ts'
import { DiskStorage } from '../../src/storage/disk.ts'
import { Disk, describeOnDisks } from '../peers/disks.ts'

const run = promisify(execFile)
const FORMATS: readonly Exclude<Format, 'ogg'>[] = ['mp4', 'flv', 'mkv']
/** Length of the clip that is played over and over, ms. */
const CLIP_MS = 2000

/** Real 720p media, as frames of one clip that starts at 0. */
const clip: Frame[] = []
let directory = ''
let cleanUps: (() => Promise<unknown> | unknown)[] = []

beforeAll(async () => {
  const home = mkdtempSync(join(tmpdir(), 'tapedeck-clip-'))
  const path = join(home, 'clip.flv')
  const input = '-f lavfi -i testsrc2=size=1280x720:rate=25 -f lavfi -i sine=frequency=440:sample_rate=48000'
  const video =
    '-c:v libx264 -preset ultrafast -b:v 4M -minrate 4M -maxrate 4M -bufsize 1M -g 25 -bf 0 -x264-params nal-hrd=cbr'
  await run('ffmpeg', `-nostdin -v error ${input} -t 2 ${video} -c:a aac -b:a 128k ${path}`.split(' '))
  const file = await new DiskStorage().open(path)
  const reader = await openContainer(file)
  for await (const { track, dts, pts, key, offset, size } of reader.samples()) {
    if (dts < CLIP_MS) clip.push(new Frame(track, dts, pts, key, await file.read(offset, size)))
  }
  await file.close()
  rmSync(home, { recursive: true })
})

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tapedeck-disk-'))
  cleanUps = [() => rmSync(directory, { recursive: true, force: true })]
})

afterEach(async () => {
  for (const cleanUp of cleanUps.reverse()) await cleanUp()
})

const mounted = async (disk: Promise<Disk>): Promise<string> => {
  const { path } = await disk
  cleanUps.push(async () => (await disk).drop())
  return path
}
const tmpfs = (sizeMb: number) => mounted(Disk.tmpfs(directory, sizeMb))
const ext4 = (sizeMb: number) => mounted(Disk.ext4(directory, sizeMb))

/** A recorder with a stream that is fed with the clip over and over. */
class Scene {
  readonly lines: { level: string; message: string; code: unknown }[] = []
  readonly hub: Hub
  readonly recorder: Recorder
  readonly stream: LiveStream
  readonly recording: Recording
  readonly player = { frames: 0, ended: false }
  readonly audit: AuditLog
  fed = 0

  constructor(dir: string, config: RecorderConfigInput) {
    const log = (level: string) => (fields: object, message: string) => {
      this.lines.push({ level, message, code: 'code' in fields ? fields.code : undefined })
    }
    const logger: Logger = { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') }
    this.hub = new Hub({ takeover: false, maxStreams: 10 }, logger)
    this.audit = new AuditLog(join(directory, 'state', 'audit.log'), logger)
    this.recorder = new Recorder({
      hub: this.hub,
      storage: new DiskStorage({ fsync: 'interval', fsyncIntervalMs: 500 }),
      journal: new SqliteJournal(join(directory, 'state', 'tapedeck.db')),
      logger,
      audit: this.audit,
      config: recorderConfigSchema.parse({
        dir,
        filename: '{room}_{participant}',
        minFreeMb: 0,
        recordAll: false,
        ...config,
      }),
    })
    this.stream = this.hub.publish({ room: 'live', participant: 'test' }, { source: 'embedded' })
    for (const track of new Set(clip.map((frame) => frame.track))) this.stream.track(track)
    const { player } = this
    this.stream.subscribe(
      {
        kind: 'player',
        track: () => undefined,
        frame: () => player.frames++,
        flush: () => undefined,
        end: () => {
          player.ended = true
        },
      },
      { fromKeyframe: false },
    )
    this.recording = this.recorder.record(this.stream)
    cleanUps.push(async () => {
      await this.recorder.stop({ deadlineMs: 2000 })
      await this.audit.close()
    })
  }

  static async begin(dir: string, config: RecorderConfigInput = {}): Promise<Scene> {
    const scene = new Scene(dir, config)
    await scene.recorder.start()
    return scene
  }

  /** Plays the clip until `done`, `speed` times as fast as it is. */
  async feed(speed: number, done: () => boolean, limitMs = 60_000): Promise<void> {
    const startedAt = performance.now()
    const first = this.fed
    while (!done()) {
      const elapsedMs = performance.now() - startedAt
      if (elapsedMs > limitMs) throw new Error(`not done after ${limitMs} ms: ${JSON.stringify(this.lines)}`)
      for (; (this.fed - first) * (CLIP_MS / clip.length) < elapsedMs * speed; this.fed++) {
        const frame = clip[this.fed % clip.length]
        const shiftMs = Math.floor(this.fed / clip.length) * CLIP_MS
        this.stream.write(frame.at(frame.dts + shiftMs, frame.pts + shiftMs))
      }
      this.stream.flush()
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  said(message: RegExp): boolean {
    return this.lines.some((line) => message.test(line.message))
  }

  async end(): Promise<void> {
    this.stream.end('finished')
    await this.recording.finished
  }
}

/** ffmpeg decodes it without a word. Returns the number of video frames. */
async function decode(path: string): Promise<number> {
  const { stdout, stderr } = await run('ffmpeg', [
    '-nostdin',
    '-v',
    'warning',
    '-i',
    path,
    '-f',
    'null',
    '-progress',
    '-',
    '-',
  ])
  expect(stderr).toBe('')
  return Number([...stdout.matchAll(/^frame=(\d+)$/gm)].at(-1)?.[1])
}

/** Plays, however it ends: ffmpeg may say that the end is torn, but shows what came before. */
async function shownFrames(path: string): Promise<number> {
  const { stdout } = await run('ffprobe', [
    '-v',
    'quiet',
    '-select_streams',
    'v',
    '-show_entries',
    'packet=pts',
    '-of',
    'csv=p=0',
    path,
  ])
  return stdout.trim().split('\n').length
}

const mb = (path: string) => statSync(path).size / 1e6

describeOnDisks.each(FORMATS)('a small disk, in %s', (format) => {
  it('that runs full costs no stream and no other recording, and recording resumes when space returns', async () => {
    const disk = await tmpfs(16)
    const ballast = join(disk, 'ballast')
    writeFileSync(ballast, Buffer.alloc(10_000_000))
    const dir = join(disk, 'recordings')
    const scene = await Scene.begin(dir, { format })
    const other = scene.recorder.record(scene.stream, { path: join(directory, `other.${format}`) })
    await scene.feed(8, () => scene.said(/is interrupted/))
    expect(scene.lines.filter(({ level }) => level === 'error')).toHaveLength(1)
    expect(scene.recording.interruption?.code).toBe('TD_DISK_FULL')
    const first = join(dir, `live_test.${format}`)
    await scene.feed(4, () => ['torn', 'repaired'].includes(scene.recording.parts[0]?.state ?? ''))
    expect(await shownFrames(first)).toBeGreaterThan(100)

    rmSync(ballast)
    await scene.feed(4, () => scene.recording.parts.length > 1)
    const resumedAt = scene.fed
    await scene.feed(4, () => scene.fed > resumedAt + clip.length)
    await scene.end()
    await other.finished
    expect(scene.player).toEqual({ frames: scene.fed, ended: true })
    expect(scene.lines.filter(({ level }) => level === 'error')).toHaveLength(1)
    expect(scene.recording.report().parts.map(({ reason }) => reason)).toEqual(['start', 'resume'])
    expect(await decode(join(dir, `live_test_part2.${format}`))).toBeGreaterThan(40)
    expect(other.stats().packets).toBe(scene.fed)
    expect(other.report().outages.count).toBe(0)
    await decode(join(directory, `other.${format}`))
  })
})

describeOnDisks.each(['flv', 'mkv'] as const)('a disk with little room, in %s', (format) => {
  it('is left with the room that has to stay free, and the file is finished', async () => {
    const disk = await tmpfs(20)
    const scene = await Scene.begin(join(disk, 'recordings'), { format, minFreeMb: 8 })
    await scene.feed(4, () => scene.said(/is interrupted/))
    await scene.feed(4, () => scene.recording.parts[0]?.state === 'finalised')
    const path = join(disk, 'recordings', `live_test.${format}`)
    expect(mb(path)).toBeGreaterThan(8)
    expect(mb(path)).toBeLessThan(16)
    expect(await decode(path)).toBeGreaterThan(100)
    expect(scene.recording.interruption?.code).toBe('TD_DISK_LOW')
    rmSync(path)
    await scene.feed(4, () => scene.recording.parts.length > 1)
    await scene.end()
    await decode(join(disk, 'recordings', `live_test_part2.${format}`))
  })
})

describeOnDisks('a disk', () => {
  it('that may not be written to is tried again until it may', async () => {
    const disk = await ext4(50)
    const dir = join(disk, 'recordings')
    mkdirSync(dir)
    await run('chattr', ['+i', dir])
    const scene = await Scene.begin(dir)
    await scene.feed(2, () => scene.said(/is interrupted/))
    expect(scene.lines.find(({ level }) => level === 'error')?.code).toBe('TD_STORAGE')
    const fed = scene.fed
    await scene.feed(2, () => scene.fed > fed + 4 * clip.length)
    await run('chattr', ['-i', dir])
    await scene.feed(2, () => scene.recording.stats().packets > clip.length)
    await scene.end()
    expect(scene.lines.filter(({ level }) => level === 'error')).toHaveLength(1)
    await decode(join(dir, 'live_test.mp4'))
  })
})

describe('a recording', () => {
  it('keeps files and audit to their owner', async () => {
    const dir = join(directory, 'recordings')
    const scene = await Scene.begin(dir, { report: true })
    await scene.feed(1, () => scene.recording.stats().packets > clip.length)
    await scene.end()
    await scene.audit.close()
    const paths = [...readdirSync(dir).map((name) => join(dir, name)), join(directory, 'state', 'audit.log')]
    expect(paths).toHaveLength(3)
    for (const path of paths) expect((statSync(path).mode & 0o777).toString(8), path).toBe('600')
    expect(existsSync(join(dir, 'live_test.mp4.json'))).toBe(true)
  })
})
