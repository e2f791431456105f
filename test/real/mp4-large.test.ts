import { execFile } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync, statSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Mp4Muxer } from '../../src/container/mp4/muxer.ts'
import { openMp4 } from '../../src/container/mp4/reader.ts'
import { repairMp4 } from '../../src/container/mp4/repair.ts'
import type { Sample } from '../../src/container/reader.ts'
import { blocks } from '../../src/media/block.ts'
import { Frame } from '../../src/media/frame.ts'
import type { AudioTrack, VideoTrack } from '../../src/media/track.ts'
import { DiskStorage } from '../../src/storage/disk.ts'
import { audio as aac, video as h264 } from '../container/mp4/synthetic.ts'
import { SparseSink } from '../peers/sparse-sink.ts'

const exec = promisify(execFile)
const video: VideoTrack = h264
const audio: AudioTrack = { ...aac, timescale: 1000 }
const storage = new DiskStorage({ fsync: 'never' })
let directory = ''
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'tapedeck-mp4-large-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

async function samplesOf(path: string): Promise<Sample[]> {
  const file = await storage.open(path)
  const samples: Sample[] = []
  for await (const sample of (await openMp4(file)).samples()) samples.push(sample)
  await file.close()
  return samples
}

/** What ffprobe finds in the last seconds: time, place and size of each packet. */
async function lastPackets(path: string, fromSeconds: number): Promise<string[]> {
  const entries = 'packet=pts_time,pos,size'
  const args = ['-v', 'quiet', '-read_intervals', `${fromSeconds}%`, '-select_streams', 'v', '-show_entries', entries]
  const { stdout } = await exec('ffprobe', [...args, '-of', 'csv=p=0', path])
  return stdout.trim().split('\n')
}

test('more than 4 GiB: finished, and repaired', async () => {
  const finished = join(directory, 'large.mp4')
  const repaired = join(directory, 'repaired.mp4')
  const sink = new SparseSink(finished)
  const muxer = new Mp4Muxer(sink)
  muxer.start([video])
  const data = Buffer.alloc(4_000_000)
  const count = 1200
  for (let i = 0; i < count; i++) {
    data.writeUInt32BE(i)
    muxer.write(new Frame(video, i * 500, i * 500, true, Buffer.from(data.subarray(0, 4_000_000 - i))))
  }
  muxer.flush()
  const growingBytes = sink.position
  await muxer.finish()
  sink.close()
  expect(growingBytes).toBeGreaterThan(4.5e9)
  // a copy with its holes kept, its index gone
  await exec('cp', ['--sparse=always', finished, repaired])
  truncateSync(repaired, growingBytes - 1)
  const file = await storage.open(repaired)
  expect(await repairMp4(file)).toMatchObject({ changed: true, frames: count - 1, lostBytes: expect.any(Number) })
  await file.close()
  for (const [path, frames] of [
    [finished, count],
    [repaired, count - 1],
  ] as const) {
    const samples = await samplesOf(path)
    expect(samples).toHaveLength(frames)
    const last = samples[frames - 1]
    expect(last).toMatchObject({ dts: (frames - 1) * 500, size: 4_000_000 - (frames - 1) })
    expect(last.offset).toBeGreaterThan(2 ** 32)
    const open = await storage.open(path)
    expect(Buffer.from(await open.read(last.offset, 4)).readUInt32BE()).toBe(frames - 1)
    await open.close()
    const probed = await lastPackets(path, (frames - 2) / 2)
    expect(probed.at(-1)).toBe(`${((frames - 1) / 2).toFixed(6)},${last.size},${last.offset}`)
  }
})

test('twelve hours: memory stays flat, finished within three seconds, repaired, seekable', {
  timeout: 180_000,
}, async () => {
  const path = join(directory, 'long.mp4')
  const out = await storage.create(path)
  const muxer = new Mp4Muxer(out)
  muxer.start([video, audio])
  const offsets = [66, 133, 66, 0, 33]
  const pictures = 12 * 3600 * 30
  let sounds = 0
  let afterFirstMinute = 0
  let highest = 0
  const write = (track: VideoTrack | AudioTrack, dts: number, pts: number, key: boolean, size: number) => {
    const block = blocks.acquire()
    muxer.write(new Frame(track, dts, pts, key, block.bytes.subarray(0, size), block))
    block.release()
    out.commit()
  }
  for (let i = 0; i < pictures; i++) {
    const dts = Math.round((i * 1000) / 30)
    write(video, dts, dts + offsets[i % 5], i % 60 === 0, 10 + ((i * 7919) % 500))
    for (; (sounds * 1024) / 44.1 <= dts; sounds++) {
      const at = Math.round((sounds * 1024) / 44.1)
      write(audio, at, at, true, 5 + (sounds % 7))
    }
    if (i % 3000 === 0) await out.drain()
    if (i === 36_000) afterFirstMinute = process.memoryUsage.rss()
    if (i > 36_000 && i % 36_000 === 0) highest = Math.max(highest, process.memoryUsage.rss())
  }
  muxer.flush()
  await out.drain()
  const torn = join(directory, 'torn.mp4')
  const startedAtMs = performance.now()
  await muxer.finish()
  await out.close()
  const tookMs = performance.now() - startedAtMs
  highest = Math.max(highest, process.memoryUsage.rss())
  expect(tookMs).toBeLessThan(3000)
  expect((highest - afterFirstMinute) / 1e6).toBeLessThan(30)
  expect(await lastPackets(path, 43_199)).toHaveLength(60)

  copyFileSync(path, torn)
  truncateSync(torn, statSync(path).size - 45_000_000)
  const file = await storage.open(torn)
  const report = await repairMp4(file)
  await file.close()
  expect(report.frames).toBeGreaterThan((pictures + sounds) * 0.9)
  expect(await samplesOf(torn)).toHaveLength(report.frames)
})
