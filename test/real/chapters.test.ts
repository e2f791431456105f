import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createMuxer, openContainer, repairContainer } from '../../src/container/formats.ts'
import type { Format } from '../../src/container/reader.ts'
import { Frame } from '../../src/media/frame.ts'
import type { Chapter } from '../../src/media/ports.ts'
import { DiskStorage } from '../../src/storage/disk.ts'
import { ChromiumPlayer } from '../peers/chromium.ts'
import { decodingFaults } from '../peers/decoding.ts'
import { madeMedia } from '../peers/ffmpeg.ts'
import { PacedPublisher } from '../peers/paced-publisher.ts'
import { scratch, TapedeckProcess } from '../peers/tapedeck.ts'
import { until } from '../peers/until.ts'

const run = promisify(execFile)
const place = scratch('chapters')
const sources = new Map<string, readonly Frame[]>()
const PICTURE = '-f lavfi -i testsrc2=size=320x180:rate=30 -f lavfi -i sine=frequency=440 -t 4'
const H264 = `${PICTURE} -c:v libx264 -g 30 -pix_fmt yuv420p -c:a aac -f flv`
const TITLES = ['Opening', 'Fragen & "Antworten" – ☃', 'x'.repeat(255)]
const chapters: readonly Chapter[] = TITLES.map((title, i) => ({ startMs: [0, 1234, 2500][i] ?? 0, title }))

async function framesOf(path: string): Promise<Frame[]> {
  const frames: Frame[] = []
  const file = await new DiskStorage().open(path)
  for await (const { track, dts, pts, key, offset, size } of (await openContainer(file)).samples()) {
    frames.push(new Frame(track, dts, pts, key, await file.read(offset, size)))
  }
  await file.close()
  return frames
}

beforeAll(async () => {
  const flv = await madeMedia('chapters.flv', H264)
  const webm = await madeMedia('chapters.webm', `${PICTURE} -c:v libvpx -g 30 -c:a libopus -f webm`)
  sources.set('h264', await framesOf(flv))
  sources.set('vp8', await framesOf(webm))
})
afterAll(async () => {
  await TapedeckProcess.endAll()
  place.drop()
})

async function written(format: Format, given: readonly Chapter[], name: string): Promise<string> {
  const frames = sources.get(format === 'webm' ? 'vp8' : 'h264') ?? []
  const path = join(place.path, `${name}.${format}`)
  const file = await new DiskStorage().create(path)
  const muxer = createMuxer(format, file, { title: 'With chapters' })
  muxer.start([...new Set(frames.map(({ track }) => track))])
  for (const frame of frames) muxer.write(frame)
  await muxer.finish(given)
  await file.close()
  return path
}

/** What the API says of a recording, or of a marker. */
type Answer = {
  readonly recording_id: string
  readonly status: string
  readonly local_path: string
  readonly files: readonly { readonly offset_ms: number }[]
  readonly at_ms: number
}

type Probed = { readonly start_time: string; readonly tags: { readonly title: string } }

async function probed(path: string): Promise<Probed[]> {
  const { stdout } = await run('ffprobe', ['-v', 'error', '-show_chapters', '-of', 'json', path])
  const found: { chapters: Probed[] } = JSON.parse(stdout)
  return found.chapters
}

describe('chapters', () => {
  it('are in nobody’s way: Chromium plays and seeks', async () => {
    const player = await ChromiumPlayer.launch()
    try {
      for (const format of ['mp4', 'webm'] as const) {
        const playback = await player.play(await written(format, chapters, 'played'), 2)
        expect({ format, ...playback }).toMatchObject({ format, error: undefined, width: 320, height: 180 })
        expect(playback.framesAfterSeek, format).toBeGreaterThan(5)
        expect(playback.durationSeconds, format).toBeCloseTo(4, 0)
      }
    } finally {
      await player.close()
    }
  })

  it.each(['mp4', 'mkv', 'webm'] as const)('of %s are what ffprobe reads, and the file plays', async (format) => {
    const path = await written(format, chapters, 'three')
    const found = await probed(path)
    expect(found.map(({ tags }) => tags.title)).toEqual(TITLES)
    expect(found.map(({ start_time }) => Number(start_time))).toEqual([0, 1.234, 2.5])
    expect(await decodingFaults(path)).toBe('')
    const file = await new DiskStorage().open(path)
    const reader = await openContainer(file)
    expect([reader.finalised, reader.title]).toEqual([true, 'With chapters'])
    expect((await repairContainer(file)).changed).toBe(false)
    await file.close()
    expect((await framesOf(path)).length).toBe(sources.get(format === 'webm' ? 'vp8' : 'h264')?.length)
  })

  it('of mp4 are as many as it holds, titles cut between characters', async () => {
    const many = Array.from({ length: 300 }, (_, i) => ({ startMs: i * 10, title: '☃'.repeat(100) }))
    const found = await probed(await written('mp4', many, 'many'))
    expect(found).toHaveLength(255)
    expect(new Set(found.map(({ tags }) => tags.title))).toEqual(new Set(['☃'.repeat(85)]))
  })

  it('are the markers of a recording, where they were set', async () => {
    const server = await TapedeckProcess.start(join(place.path, 'server'), '--no-thumbnails', '--no-record-all')
    const publisher = await PacedPublisher.start(
      server.rtmpPort,
      'stage',
      'alice',
      await madeMedia('chapters.flv', H264),
    )
    const call = async (method: string, path: string, body?: object): Promise<Answer> => {
      const json =
        body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
      return (await fetch(`${server.http}/api${path}`, { method, ...json })).json()
    }
    const { recording_id: id } = await call('POST', '/rooms/stage/recording/start')
    await until('media', () => publisher.lastVideoMs > 1500 || undefined)
    const { at_ms: atMs } = await call('POST', `/recordings/${id}/markers`, { label: 'Here' })
    await until('more media', () => publisher.lastVideoMs > 3000 || undefined)
    await call('POST', `/rooms/stage/recording/${id}/stop`)
    publisher.stop()
    const done = await until('the end', async () => {
      const recording = await call('GET', `/recordings/${id}`)
      return recording.status === 'completed' ? recording : undefined
    })
    const [file] = done.files
    const [chapter] = await probed(done.local_path)
    expect(chapter?.tags.title).toBe('Here')
    expect(Number(chapter?.start_time) * 1000).toBeCloseTo(atMs - (file?.offset_ms ?? 0), -1)
    expect(Number(chapter?.start_time)).toBeGreaterThan(0.2)
    await server.end()
  })

  it('are left out where FLV has none', async () => {
    expect(await probed(await written('flv', chapters, 'none'))).toEqual([])
  })
})
