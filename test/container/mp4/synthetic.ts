import { Mp4Muxer, type Mp4Options } from '../../../src/container/mp4/muxer.ts'
import { openMp4 } from '../../../src/container/mp4/reader.ts'
import type { Fault } from '../../../src/container/reader.ts'
import { Frame } from '../../../src/media/frame.ts'
import type { EditableFile } from '../../../src/media/ports.ts'
import type { AudioTrack, Track, VideoTrack } from '../../../src/media/track.ts'
import { MemoryStorage } from '../../../src/storage/memory.ts'
import type { OutputFile } from '../../../src/storage/ports.ts'

/** An avcC of 640x360, as libx264 makes it. */
const AVCC = Buffer.from(
  '0164001effe1001a6764001eacd940a02ff970110000030001000003003c0f162d9601000668ebe3cb22c0fdf8f800',
  'hex',
)

export const video: VideoTrack = {
  id: 1,
  epoch: 0,
  timescale: 1000,
  kind: 'video',
  codec: 'h264',
  config: AVCC,
  width: 640,
  height: 360,
}

export const audio: AudioTrack = {
  id: 2,
  epoch: 0,
  timescale: 48_000,
  kind: 'audio',
  codec: 'aac',
  config: Uint8Array.of(0x11, 0x90),
  sampleRateHz: 48_000,
  channels: 2,
}

/** A frame whose bytes tell which one it is. */
export function frame(track: Track, dts: number, options: { pts?: number; key?: boolean; size?: number } = {}): Frame {
  const data = new Uint8Array(options.size ?? 40).fill((dts * 7 + track.id) & 0xff)
  return new Frame(track, dts, options.pts ?? dts, options.key ?? true, data)
}

/** Video at 25/s with reordering and sound, `seconds` of it, in the order of a live source. */
export function talk(seconds: number, size = 40): Frame[] {
  const frames: Frame[] = []
  for (let i = 0; i < seconds * 25; i++) {
    frames.push(
      frame(video, i * 40, { pts: i * 40 + [80, 200, 80, 0][i % 4], key: i % 50 === 0, size: size + (i % 9) }),
    )
  }
  for (let i = 0; i * 1024 < seconds * 48_000; i++) frames.push(frame(audio, i * 1024, { size: 20 + (i % 3) }))
  return frames.sort((a, b) => a.dts / a.track.timescale - b.dts / b.track.timescale)
}

/** A recording into memory. */
export async function recording(tracks: readonly Track[], options: Mp4Options = {}) {
  const storage = new MemoryStorage()
  const out = await storage.create('file')
  const muxer = new Mp4Muxer(out, options)
  muxer.start(tracks)
  return { muxer, out, bytes: () => bytesOf(storage, out) }
}

function bytesOf(storage: MemoryStorage, out: OutputFile): Uint8Array {
  out.flush()
  return storage.bytesOf('file')
}

/** A file in memory, mended in place, that notes what was done to it. */
export class MemoryFile implements EditableFile {
  #bytes: Uint8Array
  readonly acts: string[] = []
  sizeBytes: number

  constructor(bytes: Uint8Array) {
    this.#bytes = Uint8Array.from(bytes)
    this.sizeBytes = bytes.length
  }

  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.sizeBytes)
  }
  async read(offset: number, length: number): Promise<Uint8Array> {
    return this.bytes.slice(offset, offset + length)
  }
  async write(offset: number, bytes: Uint8Array): Promise<void> {
    const end = offset + bytes.length
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(end + 16_384)
      grown.set(this.bytes)
      this.#bytes = grown
    }
    this.#bytes.set(bytes, offset)
    this.sizeBytes = Math.max(this.sizeBytes, end)
    this.acts.push(`write ${bytes.length}`)
  }
  async truncate(sizeBytes: number): Promise<void> {
    this.sizeBytes = sizeBytes
    this.acts.push('truncate')
  }
  async sync(): Promise<void> {
    this.acts.push('sync')
  }
}

/** One sample as it was read, with its bytes. */
export interface ReadSample {
  readonly track: number
  readonly epoch: number
  readonly dts: number
  readonly pts: number
  readonly key: boolean
  readonly data: string
}

/** Everything that a reader finds in `bytes`, samples by track. */
export async function readAll(bytes: Uint8Array): Promise<{ samples: ReadSample[]; faults: readonly Fault[] }> {
  const reader = await openMp4(new MemoryFile(bytes))
  const samples: ReadSample[] = []
  for await (const { track, dts, pts, key, offset, size } of reader.samples()) {
    const data = Buffer.from(bytes.subarray(offset, offset + size)).toString('hex')
    samples.push({ track: track.id, epoch: track.epoch, dts, pts, key, data })
  }
  return { samples: samples.sort((a, b) => a.track - b.track), faults: reader.faults }
}

/** What `readAll` finds when every one of `frames` is there. */
export function asRead(frames: readonly Frame[]): ReadSample[] {
  return frames
    .map(({ track, dts, pts, key, data }) => {
      return { track: track.id, epoch: track.epoch, dts, pts, key, data: Buffer.from(data).toString('hex') }
    })
    .sort((a, b) => a.track - b.track)
}
