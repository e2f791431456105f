import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openFlv } from '../../src/container/flv/reader.ts'
import { repairFlv } from '../../src/container/flv/repair.ts'
import { Frame } from '../../src/media/frame.ts'
import type { EditableFile } from '../../src/media/ports.ts'
import { fileOf, mux, readFrames } from '../container/flv/memory-flv.ts'

const run = promisify(execFile)
const directory = mkdtempSync(join(tmpdir(), 'tapedeck-flv-'))
const pathOf = (name: string) => join(directory, name)

afterAll(() => rmSync(directory, { recursive: true, force: true }))

interface ProbedPacket {
  readonly codec_type: string
  readonly pts: number
  readonly dts: number
  readonly flags: string
  readonly data_hash: string
}

async function probe(name: string): Promise<{ packets: ProbedPacket[]; durationSeconds: number; complaints: string }> {
  const args = ['-v', 'warning', '-show_packets', '-show_format', '-show_data_hash', 'md5', '-of', 'json', pathOf(name)]
  const { stdout, stderr } = await run('ffprobe', args, { maxBuffer: 64 * 1024 * 1024 })
  const { packets, format } = JSON.parse(stdout)
  return { packets, durationSeconds: Number(format.duration), complaints: stderr }
}

/** One line for each packet, by track: what must survive. */
function lines(packets: readonly ProbedPacket[]): Record<string, string[]> {
  const lists: Record<string, string[]> = { video: [], audio: [] }
  for (const { codec_type, dts, pts, flags, data_hash } of packets) {
    lists[codec_type].push(`${dts} ${pts} ${flags.startsWith('K')} ${data_hash}`)
  }
  return lists
}

function linesOf(frames: readonly Frame[]): Record<string, string[]> {
  const lists: Record<string, string[]> = { video: [], audio: [] }
  for (const { track, dts, pts, key, data } of frames) {
    lists[track.kind].push(`${dts} ${pts} ${key} MD5:${createHash('md5').update(data).digest('hex')}`)
  }
  return lists
}

async function decode(name: string): Promise<string> {
  const args = ['-nostdin', '-v', 'warning', '-xerror', '-i', pathOf(name), '-f', 'null', '-']
  return (await run('ffmpeg', args)).stderr
}

const SOURCES = {
  'h264 with B-frames and aac': '-c:v libx264 -bf 3 -g 30 -c:a aac',
  'h264 without B-frames and mp3': '-c:v libx264 -tune zerolatency -g 60 -c:a libmp3lame -ar 44100',
  'h264 alone': '-c:v libx264 -g 30 -an',
  'aac alone': '-vn -c:a aac',
  'pcm alone': '-vn -c:a pcm_s16le -ar 44100',
}

describe.each(Object.entries(SOURCES))('%s', (title, options) => {
  const source = `${title.replaceAll(' ', '-')}.flv`
  let frames: Frame[] = []
  let original: Awaited<ReturnType<typeof probe>>

  beforeAll(async () => {
    const inputs = '-f lavfi -i testsrc2=640x360:r=30 -f lavfi -i sine=440:r=48000 -t 5 -ac 2'
    await run('ffmpeg', ['-nostdin', '-v', 'error', ...`${inputs} ${options}`.split(' '), pathOf(source)])
    original = await probe(source)
    frames = (await readFrames(await fileOf(readFileSync(pathOf(source))))).frames
  })

  it('is read as ffprobe reads it', () => {
    expect(linesOf(frames)).toEqual(lines(original.packets))
  })

  it('is muxed so that ffprobe sees the same packets and ffmpeg decodes in silence', async () => {
    const tracks = [...new Set(frames.map((frame) => frame.track))]
    for (const unfinished of [false, true]) {
      const name = `${unfinished ? 'as-left' : 'finished'}-${source}`
      writeFileSync(pathOf(name), await mux(tracks, frames, { unfinished }))
      const muxed = await probe(name)
      expect(lines(muxed.packets)).toEqual(lines(original.packets))
      expect(muxed.complaints).toBe('')
      expect(await decode(name)).toBe('')
      // As left, ffmpeg goes by the last tag's dts: the reordering and one frame less.
      const toleranceSeconds = unfinished ? 0.15 : 0.05
      expect(Math.abs(muxed.durationSeconds - original.durationSeconds)).toBeLessThan(toleranceSeconds)
    }
  })
})

it('is sought by its index', async () => {
  const name = 'finished-h264-with-B-frames-and-aac.flv'
  const args = ['-v', 'warning', '-read_intervals', '3.5%+#1', '-select_streams', 'v', '-show_packets', '-of', 'json']
  const { stdout, stderr } = await run('ffprobe', [...args, pathOf(name)])
  expect(JSON.parse(stdout).packets[0]).toMatchObject({ dts: 3000, flags: 'K_' })
  expect(stderr).toBe('')
})

async function encodeVideo(name: string, size: string): Promise<Frame[]> {
  const options = `-f lavfi -i testsrc2=${size}:r=30 -t 1 -c:v libx264 -bf 0 -g 30 -an`
  await run('ffmpeg', ['-nostdin', '-v', 'error', ...options.split(' '), pathOf(name)])
  return (await readFrames(await fileOf(readFileSync(pathOf(name))))).frames
}

it('changes its picture size in mid-file, and ffmpeg follows', async () => {
  const before = await encodeVideo('before.flv', '320x240')
  const after = await encodeVideo('after.flv', '640x360')
  const track = { ...after[0].track, epoch: 1 }
  const moved = after.map(({ dts, pts, key, data }) => new Frame(track, dts + 1000, pts + 1000, key, data))
  writeFileSync(pathOf('sizes.flv'), await mux([before[0].track], [...before, ...moved]))
  const args = ['-v', 'warning', '-show_entries', 'frame=width', '-of', 'json', pathOf('sizes.flv')]
  const { stdout, stderr } = await run('ffprobe', args)
  const widths = JSON.parse(stdout).frames.map(({ width }: { width: number }) => width)
  expect(widths).toEqual([...Array<number>(30).fill(320), ...Array<number>(30).fill(640)])
  expect(stderr).toBe('')
})

/** The start of a file, mended in place without touching or copying the bytes behind it. */
class CutFile implements EditableFile {
  readonly #bytes: Uint8Array
  sizeBytes: number

  constructor(bytes: Uint8Array, sizeBytes: number) {
    this.#bytes = bytes
    this.sizeBytes = sizeBytes
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    return this.#bytes.subarray(offset, Math.min(offset + length, this.sizeBytes))
  }
  async write(offset: number, bytes: Uint8Array): Promise<void> {
    this.#bytes.set(bytes, offset)
    this.sizeBytes = Math.max(this.sizeBytes, offset + bytes.length)
  }
  async truncate(sizeBytes: number): Promise<void> {
    this.sizeBytes = sizeBytes
  }
  async sync(): Promise<void> {}
}

it('is mended when cut at any byte of its last 64 KiB', async () => {
  const { tracks, frames } = await readFrames(await fileOf(readFileSync(pathOf('h264-with-B-frames-and-aac.flv'))))
  const small = frames.filter((frame) => frame.dts < 1000)
  const whole = await mux(tracks, small, { unfinished: true })
  const scratch = new Uint8Array(whole.length + 64)
  let frameCount = 0
  for (let size = Math.max(13, whole.length - 65_536); size <= whole.length; size++) {
    scratch.set(whole)
    const report = await repairFlv(new CutFile(scratch, size))
    expect(report.frames).toBeGreaterThanOrEqual(frameCount)
    frameCount = report.frames
  }
  expect(frameCount).toBe(small.length)
  writeFileSync(pathOf('cut.flv'), whole.subarray(0, whole.length - 30_001))
  const file = await fileOf(readFileSync(pathOf('cut.flv')))
  await repairFlv(file)
  writeFileSync(pathOf('mended.flv'), await file.read(0, file.sizeBytes))
  expect(await decode('mended.flv')).toBe('')
  expect((await openFlv(file)).finalised).toBe(true)
})
