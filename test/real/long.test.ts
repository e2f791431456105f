import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runLongRecorder } from '../../bench/long.ts'
import { type LoopedFrame, loopedMedia } from '../../bench/looped-media.ts'
import { createMuxer, openContainer } from '../../src/container/formats.ts'
import type { Sample } from '../../src/container/reader.ts'
import { Frame } from '../../src/media/frame.ts'
import { DiskStorage } from '../../src/storage/disk.ts'
import { ffmpeg, madeMedia, probe } from '../peers/ffmpeg.ts'
import { inspected } from '../peers/inspected.ts'
import { SparseSink } from '../peers/sparse-sink.ts'
import { scratch } from '../peers/tapedeck.ts'

const exec = promisify(execFile)
const HOURS = 12
const DAY_MS = 24 * 3_600_000
/** Minutes of media in which code is compiled and buffers find their size; at this speed they take a third of a second. */
const WARM_UP_MINUTES = 60
/**
 * MB. 13 of it are the index of an MP4 this long, the rest buffers that only fill when the disk is slow for a moment. The
 * benchmark `long` measures it with frames of a usual size.
 */
const MAX_GROWTH_MB = 30
const formats = ['mp4', 'flv', 'mkv'] as const

const place = scratch('long')
let media: string
beforeAll(async () => {
  media = await madeMedia(
    'long-10s.flv',
    '-f lavfi -i testsrc2=size=160x90:rate=30 -f lavfi -i sine=frequency=440:sample_rate=44100 -t 10 -c:v libx264 -preset veryfast -b:v 30k -bf 2 -g 60 -flags +cgop -pix_fmt yuv420p -c:a aac -b:a 24k -ac 1 -f flv',
  )
})
afterAll(() => place.drop())

/** Presentation times and positions of the video packets from there on, as ffprobe finds them by seeking. */
async function packetsFrom(path: string, seconds: number): Promise<{ seconds: number; position: number }[]> {
  const entries = 'packet=pts_time,pos'
  const args = ['-v', 'error', '-read_intervals', `${seconds}%`, '-select_streams', 'v', '-show_entries', entries]
  const { stdout } = await exec('ffprobe', [...args, '-of', 'csv=p=0', path])
  return stdout
    .trim()
    .split('\n')
    .map((line) => line.split(',').map(Number))
    .map(([at, position]) => ({ seconds: at, position }))
}

describe.each(formats)('twelve hours as %s, as fast as they go', (format) => {
  it('keep memory flat, are finished at once, hold every frame, and can be sought in', async () => {
    const directory = join(place.path, `hours-${format}`)
    const report = await runLongRecorder(['--media', media, '--format', format, '--hours', String(HOURS)], directory)
    const { fed, recorded, rssMb, finishRssMb, paths } = report
    expect(report).toMatchObject({ state: 'completed', errors: [] })
    expect(recorded).toEqual({ ...fed, dropped: 0 })
    expect(fed.video).toBeGreaterThan(HOURS * 3600 * 29)
    const settled = rssMb[WARM_UP_MINUTES]
    expect(Math.max(...rssMb.slice(WARM_UP_MINUTES), finishRssMb) - settled).toBeLessThan(MAX_GROWTH_MB)
    expect(report.finishWrittenBytes).toBeLessThan(report.sizeBytes / 4) // an index, and no media once more
    expect(paths).toHaveLength(1)
    const { tracks } = await inspected(paths[0])
    expect(Object.fromEntries(tracks.map(({ kind, samples }) => [kind, samples]))).toEqual(fed)
    expect(Number((await probe(paths[0])).format.duration)).toBeCloseTo(HOURS * 3600, 0)
    const lastPart = ['-ss', String(HOURS * 3600 - 5), '-i', paths[0], '-f', 'null', '-']
    expect(await ffmpeg(...lastPart)).toBe('')
    const last = await packetsFrom(paths[0], HOURS * 3600 - 3)
    expect(last.length).toBeLessThan(200) // it did not begin at the beginning
    expect(Math.max(...last.map(({ seconds }) => seconds))).toBeCloseTo(HOURS * 3600, 0)
  })
})

describe('fifty days, more milliseconds than 32 bits hold, of a source whose clock passes 2^32 as well', () => {
  const days = ['--hours', String(50 * 24), '--slowness', '1200', '--start', String(2 ** 32 - DAY_MS)]

  it.each(['mp4', 'mkv'] as const)('are one file of %s that can be sought in', async (format) => {
    const report = await runLongRecorder(['--media', media, '--format', format, ...days], join(place.path, format))
    expect(report).toMatchObject({ state: 'completed', errors: [], recorded: { ...report.fed, dropped: 0 } })
    const [path, ...others] = report.paths
    expect(others).toEqual([])
    const end = 50 * DAY_MS
    expect(end).toBeGreaterThan(2 ** 32)
    const { tracks, statedDurationMs } = await inspected(path)
    expect(tracks.map(({ samples }) => samples).sort()).toEqual(Object.values(report.fed).sort())
    expect(Math.abs((statedDurationMs ?? 0) - end)).toBeLessThan(300_000)
    const last = await packetsFrom(path, end / 1000 - 1000)
    expect(Math.min(...last.map(({ seconds }) => seconds))).toBeGreaterThan(end / 1000 - 10_000)
    expect(Math.max(...last.map(({ seconds }) => seconds))).toBeGreaterThan(end / 1000 - 300)
  })

  it('are three files of FLV, whose clock is too small, and no frame is missing between them', async () => {
    const report = await runLongRecorder(['--media', media, '--format', 'flv', ...days], join(place.path, 'flv'))
    expect(report).toMatchObject({ state: 'completed', errors: [], recorded: { ...report.fed, dropped: 0 } })
    expect(report.paths).toHaveLength(3)
    const counts = { video: 0, audio: 0 }
    for (const path of report.paths) {
      const { tracks, statedDurationMs } = await inspected(path)
      for (const { kind, samples } of tracks) counts[kind] += samples
      expect(statedDurationMs).toBeLessThan(2 ** 31)
      const { duration } = (await probe(path)).format
      expect(Math.abs(Number(duration) * 1000 - (statedDurationMs ?? 0))).toBeLessThan(2)
    }
    expect(counts).toEqual(report.fed)
  })
})

describe('a file of more than 4 GiB', () => {
  it.each(formats)('as %s is opened by ffprobe and sought in by ffmpeg', async (format) => {
    const path = join(place.path, `large.${format}`)
    const sink = new SparseSink(path)
    const muxer = createMuxer(format, sink)
    const { track, data } = await firstPicture()
    muxer.start([track])
    const filled = Buffer.concat([data, fillerUnit(4_000_000 - data.length)])
    const count = 1200
    for (let i = 0; i < count; i++) muxer.write(new Frame(track, i * 500, i * 500, true, filled))
    await muxer.finish()
    sink.close()
    expect(sink.position).toBeGreaterThan(4.7e9)
    const file = await new DiskStorage().open(path)
    const samples: Sample[] = []
    for await (const sample of (await openContainer(file)).samples()) samples.push(sample)
    expect(samples).toHaveLength(count)
    const [sample] = samples.slice(-1)
    expect(sample.offset).toBeGreaterThan(2 ** 32)
    expect(Buffer.compare(await file.read(sample.offset, data.length), data)).toBe(0)
    await file.close()
    const { format: facts } = await probe(path)
    expect(Number(facts.size)).toBe(sink.position)
    expect(Number(facts.duration)).toBeCloseTo(count / 2, 0)
    const packets = await packetsFrom(path, count / 2 - 3)
    expect(packets.length).toBeLessThan(12)
    expect(packets.at(-1)?.seconds).toBeCloseTo((count - 1) / 2, 2)
    expect(packets.at(-1)?.position).toBeGreaterThan(2 ** 32)
    const decoding = await ffmpeg('-ss', String(count / 2 - 2), '-i', path, '-f', 'null', '-')
    expect(decoding.replace(/.*not enough frames to estimate rate.*\n/, '')).toBe('')
  })
})

async function firstPicture(): Promise<LoopedFrame> {
  for await (const frame of loopedMedia(media)) if (frame.track.kind === 'video') return frame
  throw new Error('no picture')
}

/** Filler data of that size with its length before it, ISO 14496-10 §7.3.2.7: decoders pass over it. */
function fillerUnit(sizeBytes: number): Buffer {
  const bytes = Buffer.alloc(sizeBytes)
  bytes.writeUInt32BE(sizeBytes - 4)
  bytes[4] = 0x0c
  return bytes
}
