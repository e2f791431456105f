import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { PRESETS } from '../../src/service/quality.ts'
import { Disk, describeOnDisks } from '../peers/disks.ts'
import { madeMedia } from '../peers/ffmpeg.ts'
import { JobRig, renditionJob } from '../peers/job-rig.ts'
import { until } from '../peers/until.ts'

/** Takes ffmpeg some seconds to make smaller. */
let long = ''
const SOURCE = 'source.mp4'

beforeAll(async () => {
  const noise = '-f lavfi -i testsrc2=s=1280x720:r=30:d=12,noise=alls=10:allf=t'
  const sound = '-f lavfi -i sine=d=12'
  long = await madeMedia('jobs-long12.mp4', `${noise} ${sound} -c:v libx264 -preset ultrafast -b:v 8M -c:a aac`)
})

const rigs: JobRig[] = []
const places: string[] = []
afterAll(() => {
  for (const rig of rigs) rig.remove()
  for (const path of places) rmSync(path, { recursive: true, force: true })
})

function directory(name: string): string {
  const path = mkdtempSync(join(tmpdir(), `tapedeck-${name}-`))
  places.push(path)
  return path
}

function rigWith(options: { ffmpegPath?: string } = {}): JobRig {
  const rig = new JobRig(options)
  rigs.push(rig)
  copyFileSync(long, rig.path(SOURCE))
  return rig
}

/** Command lines of all running processes that name `text`. */
function running(text: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')]
      } catch {
        return []
      }
    })
    .filter((line) => line.includes(text) && line.includes('ffmpeg'))
}

it('a job that is cancelled ends its ffmpeg and leaves nothing', async () => {
  const rig = rigWith()
  const reason = new Error('cancelled')
  const job = renditionJob(SOURCE, 'small.mp4', PRESETS.low)
  const run = rig.handler(
    job,
    rig.context((percent) => percent > 5 && rig.abort(reason)),
  )
  await expect(run).rejects.toBe(reason)
  expect(running(rig.directory)).toEqual([])
  expect(rig.names()).toEqual([SOURCE])
})

it('kill -9 of the process takes its ffmpeg along within two seconds; the job can be done again', async () => {
  const rig = rigWith()
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL('../peers/job-process.ts', import.meta.url)), rig.directory, SOURCE, 'small.mp4', '900000'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  await once(child.stdout, 'data')
  expect(running(rig.directory).length).toBeGreaterThan(1)
  const killedMs = performance.now()
  child.kill('SIGKILL')
  await once(child, 'exit')
  await until('no ffmpeg', () => (running(rig.directory).length === 0 ? true : undefined))
  expect(performance.now() - killedMs).toBeLessThan(10_000)
  expect(rig.names().length).toBeGreaterThan(1) // what it was at

  const { files } = await rig.rendition(SOURCE, 'small.mp4', { ...PRESETS.low, video_bitrate: 900_000 })
  expect(files[0]).toMatchObject({ kind: 'rendition', path: 'small.mp4', state: 'finalised', duration_ms: 12_000 })
  expect(rig.names()).toEqual(['small.mp4', SOURCE])
})

it('without ffmpeg it says how to get it, and works once it is there', async () => {
  const place = directory('bin')
  const rig = rigWith({ ffmpegPath: join(place, 'ffmpeg') })
  await expect(rig.remux(SOURCE, 'a.mkv')).rejects.toMatchObject({
    ...{ code: 'TD_FFMPEG_MISSING', fault: 'host' },
    message: expect.stringMatching(/apt install ffmpeg/),
  })
  for (const name of ['ffmpeg', 'ffprobe']) writeScript(join(place, name), `exec ${name} "$@"`)
  await expect(rig.remux(SOURCE, 'a.mkv')).resolves.toMatchObject({ files: [{ path: 'a.mkv' }] })
})

it('an ffmpeg that fails is quoted, and what it left is removed', async () => {
  const place = directory('bin')
  const fails = 'case "$*" in *matroska*part*) echo nothing works today >&2; exit 69;; esac'
  writeScript(join(place, 'ffmpeg'), `${fails}; exec ffmpeg "$@"`)
  writeScript(join(place, 'ffprobe'), 'exec ffprobe "$@"')
  const rig = rigWith({ ffmpegPath: join(place, 'ffmpeg') })
  await expect(rig.remux(SOURCE, 'a.mkv')).rejects.toMatchObject({
    ...{ code: 'TD_FFMPEG_FAILED', fault: 'host' },
    message: 'ffmpeg ended with code 69: nothing works today',
  })
  expect(rig.names()).toEqual([SOURCE])
})

it('an ffmpeg that leaves out the end does not pass verification', async () => {
  const place = directory('bin')
  // options before -y end up in front of the output
  const shortens =
    'case "$*" in *matroska*part*) for word; do shift; [ "$word" = -y ] && set -- "$@" -t 11; set -- "$@" "$word"; done;; esac'
  writeScript(join(place, 'ffmpeg'), `${shortens}; exec ffmpeg "$@"`)
  writeScript(join(place, 'ffprobe'), 'exec ffprobe "$@"')
  const rig = rigWith({ ffmpegPath: join(place, 'ffmpeg') })
  await expect(rig.remux(SOURCE, 'a.mkv')).rejects.toMatchObject({
    ...{ code: 'TD_VERIFICATION', fault: 'host' },
    message: expect.stringMatching(/stream 0: it is 1\.0\d\d s shorter than its source/),
  })
  expect(rig.names()).toEqual([SOURCE])
})

it('a source that is no media, has none that ffmpeg knows, or is not there, is named', async () => {
  const rig = rigWith()
  writeFileSync(rig.path('junk.mp4'), Buffer.alloc(5000, 'junk'))
  await expect(rig.remux('junk.mp4', 'a.mkv')).rejects.toMatchObject({ code: 'TD_MALFORMED' })
  await expect(rig.thumbnails('junk.mp4', 'a')).rejects.toMatchObject({ code: 'TD_MALFORMED' })
  await expect(rig.remux('gone.mp4', 'a.mkv')).rejects.toMatchObject({ code: 'TD_FILE_MISSING' })
  for (const path of ['../a.mp4', '/etc/passwd', 'x/../../a.mp4', '..', 'a\0.mp4']) {
    await expect(rig.remux(path, 'a.mkv')).rejects.toMatchObject({ code: 'TD_PATH', fault: 'caller' })
  }
  await expect(rig.remux(SOURCE, '../a.mkv')).rejects.toMatchObject({ code: 'TD_PATH' })
  await expect(rig.remux(SOURCE, SOURCE)).rejects.toMatchObject({ code: 'TD_PATH' })
  expect(rig.names()).toEqual(['junk.mp4', SOURCE])
})

describeOnDisks('a disk', () => {
  it('that becomes full during a job is what the job says, and nothing is left on it', async () => {
    const place = directory('full')
    const disk = await Disk.tmpfs(place, 16)
    try {
      const rig = new JobRig({ directory: disk.path })
      copyFileSync(long, rig.path(SOURCE))
      await expect(rig.remux(SOURCE, 'copy.mp4')).rejects.toMatchObject({ code: 'TD_DISK_FULL', fault: 'host' })
      await expect(rig.rendition(SOURCE, 'b.mp4', { source_percent: 90 })).rejects.toMatchObject({
        code: 'TD_DISK_FULL',
      })
      expect(rig.names()).toEqual([SOURCE])
      writeFileSync(rig.path('rest'), Buffer.alloc(100))
      mkdirSync(rig.path('thumbs'))
      fill(rig.path('rest'))
      await expect(rig.thumbnails(SOURCE, 'thumbs')).rejects.toMatchObject({ code: 'TD_DISK_FULL' })
      expect(rig.names('thumbs')).toEqual([])
    } finally {
      await disk.drop()
    }
  })
})

function fill(path: string): void {
  try {
    for (;;) writeFileSync(path, Buffer.alloc(4096), { flag: 'a' })
  } catch {
    // full
  }
}

function writeScript(path: string, text: string): void {
  writeFileSync(path, `#!/bin/sh\n${text}\n`)
  chmodSync(path, 0o755)
}
