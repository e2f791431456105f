import { describe, expect, it } from 'vitest'
import {
  canHold,
  createMuxer,
  extensionOf,
  formatOfPath,
  openContainer,
  repairContainer,
  sniffFormat,
} from '../../src/container/formats.ts'
import type { Format } from '../../src/container/reader.ts'
import { Frame } from '../../src/media/frame.ts'
import type { AudioCodec, Track, VideoCodec } from '../../src/media/track.ts'
import { MemoryStorage } from '../../src/storage/memory.ts'
import { VECTORS } from '../codec/vectors.ts'

const FORMATS: readonly Format[] = ['mp4', 'flv', 'mkv', 'webm', 'ogg']
const VIDEO: readonly VideoCodec[] = ['h264', 'hevc', 'av1', 'vp9', 'vp8']
const AUDIO: readonly AudioCodec[] = ['aac', 'opus', 'mp3', 'ac3', 'eac3', 'flac', 'pcm-s16le', 'pcm-alaw', 'pcm-mulaw']

interface Media {
  readonly track: Track
  readonly packets: readonly { readonly key: boolean; readonly data: Uint8Array }[]
}

/** Real media of `codec`. */
function media(codec: VideoCodec | AudioCodec): Media {
  const vector = VECTORS.find((each) => each.codec === codec)
  const packets = vector?.packets ?? [1, 2, 3].map(() => ({ key: true, data: new Uint8Array(320).fill(0x55) }))
  const shared = { id: 1, epoch: 0, timescale: 1000, config: new Uint8Array(vector?.config ?? []) }
  const number = (name: string, otherwise: number) => Number(vector?.probe[name] ?? otherwise)
  for (const video of VIDEO) {
    if (video !== codec) continue
    const size = { width: number('width', 320), height: number('height', 240) }
    return { track: { ...shared, kind: 'video', codec: video, ...size }, packets }
  }
  const audio = AUDIO.find((each) => each === codec) ?? 'aac'
  const sampleRateHz = number('sample_rate', codec === 'pcm-s16le' ? 48_000 : 8000)
  return { track: { ...shared, kind: 'audio', codec: audio, sampleRateHz, channels: number('channels', 1) }, packets }
}

async function muxed(format: Format, codec: VideoCodec | AudioCodec, finish = true): Promise<MemoryStorage> {
  const storage = new MemoryStorage()
  const file = await storage.create('/file')
  const { track, packets } = media(codec)
  const muxer = createMuxer(format, file, { title: 'a title', creationTimeMs: 0 })
  muxer.start([track])
  packets.forEach(({ key, data }, i) => {
    const ms = i * (codec === 'opus' ? 20 : 40) // Ogg would fill what is missing
    muxer.write(new Frame(track, ms, ms, key || track.kind === 'audio', data))
  })
  if (finish) await muxer.finish()
  else muxer.flush()
  await file.close()
  return storage
}

describe.each(FORMATS)('%s', (format) => {
  const codec = format === 'ogg' ? 'opus' : format === 'webm' ? 'vp9' : 'h264'

  it.each([...VIDEO, ...AUDIO].filter((codec) => canHold(format, codec)))('holds %s', async (codec) => {
    const storage = await muxed(format, codec)
    const reader = await openContainer(await storage.open('/file'))
    expect(reader.format).toBe(format)
    const sizes: number[] = []
    for await (const { size } of reader.samples()) sizes.push(size)
    expect(sizes).toEqual(media(codec).packets.map(({ data }) => data.length))
    expect(reader.tracks.map((track) => track.codec)).toEqual([codec])
    expect(reader.title).toBe('a title')
  })

  it('is told by its content', async () => {
    const storage = await muxed(format, codec)
    expect(await sniffFormat(await storage.open('/file'))).toBe(format)
  })

  it('is repaired where it is unfinished, and left alone where it is whole', async () => {
    const storage = await muxed(format, codec, false)
    const frames = media(codec).packets.length
    expect(await repairContainer(await storage.open('/file'))).toMatchObject({ changed: true, frames, lostBytes: 0 })
    const whole = storage.bytesOf('/file')
    expect(await repairContainer(await storage.open('/file'))).toMatchObject({ changed: false, frames })
    expect(storage.bytesOf('/file')).toEqual(whole)
  })

  it('is what its names say', () => {
    expect(formatOfPath(`/a/b.c${extensionOf(format)}`)).toBe(format)
    expect(formatOfPath(`/A${extensionOf(format).toUpperCase()}`)).toBe(format)
  })
})

describe.each(['mp4', 'flv', 'mkv', 'webm'] as const)(
  'a camera, and later a screen and a microphone, in %s',
  (format) => {
    it('are in one file, by their names', async () => {
      const storage = new MemoryStorage()
      const file = await storage.create('/file')
      const muxer = createMuxer(format, file)
      const of = (codec: VideoCodec | AudioCodec, id: number, label: string) => {
        const { track, packets } = media(codec)
        return { track: { ...track, id, label }, packets }
      }
      const camera = of('vp9', 1, 'camera')
      const late = [of('vp9', 2, 'screen'), of(format === 'flv' ? 'aac' : 'opus', 3, 'microphone')]
      muxer.start([camera.track])
      const write = ({ track, packets }: ReturnType<typeof of>, fromMs: number) => {
        packets.forEach(({ key, data }, i) => {
          muxer.write(new Frame(track, fromMs + i * 20, fromMs + i * 20, key || track.kind === 'audio', data))
        })
      }
      write(camera, 0)
      for (const source of late) {
        expect(muxer.accepts(source.track)).toBe(true)
        muxer.add(source.track)
        write(source, 180_000)
      }
      await muxer.finish()
      await file.close()
      const reader = await openContainer(await storage.open('/file'))
      expect(reader.faults).toEqual([])
      const labels = ['camera', 'screen', 'microphone']
      // FLV has names in onMetaData alone, for whoever looks there
      if (format !== 'flv') expect(reader.tracks.map(({ label }) => label)).toEqual(labels)
      for (const label of labels) expect(Buffer.from(storage.bytesOf('/file')).includes(label)).toBe(true)
      const first = new Map<number, number>()
      for await (const { track, pts } of reader.samples()) {
        if (!first.has(track.id)) first.set(track.id, (pts * 1000) / track.timescale)
      }
      expect([...first.values()].map((ms) => Math.round(ms / 1000))).toEqual([0, 180, 180])
    })
  },
)

describe('something else', () => {
  it.each([
    ['nothing', new Uint8Array()],
    ['text', new TextEncoder().encode('hello, world, this is no media')],
    ['zeros', new Uint8Array(4096)],
  ])('%s is refused', async (_, bytes) => {
    const storage = new MemoryStorage()
    storage.put('/file', bytes)
    await expect(openContainer(await storage.open('/file'))).rejects.toMatchObject({ code: 'TD_MALFORMED' })
    await expect(repairContainer(await storage.open('/file'))).rejects.toMatchObject({ code: 'TD_MALFORMED' })
    expect(formatOfPath('/a/b.txt')).toBeUndefined()
  })
})
