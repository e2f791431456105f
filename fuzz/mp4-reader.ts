import { Mp4Muxer } from '../src/container/mp4/muxer.ts'
import { openMp4 } from '../src/container/mp4/reader.ts'
import { repairMp4 } from '../src/container/mp4/repair.ts'
import { Frame } from '../src/media/frame.ts'
import type { Track } from '../src/media/track.ts'
import { MemoryStorage } from '../src/storage/memory.ts'
import { MemoryFile } from '../test/container/matroska/memory-file.ts'
import type { FuzzTarget } from './target.ts'

const AVCC = Buffer.from(
  '0164001effe1001a6764001eacd940a02ff970110000030001000003003c0f162d9601000668ebe3cb22c0fdf8f800',
  'hex',
)
const OPUS_HEAD = Buffer.from('4f707573486561640102380180bb0000000000', 'hex')

const video: Track = {
  ...{ id: 1, epoch: 0, timescale: 1000, kind: 'video', codec: 'h264', config: AVCC, width: 640, height: 360 },
}
const audio: Track = {
  ...{ id: 2, epoch: 0, timescale: 48_000, kind: 'audio', codec: 'opus', config: OPUS_HEAD },
  ...{ sampleRateHz: 48_000, channels: 2, label: 'microphone', language: 'deu' },
}

/** Some frames of video with reordering, and sound; in fragments, and finished. */
async function recordings(): Promise<Uint8Array[]> {
  const storage = new MemoryStorage()
  const out = await storage.create('seed')
  const muxer = new Mp4Muxer(out, { title: 'seed', creationTimeMs: 1_700_000_000_000 })
  muxer.start([video, audio])
  for (let i = 0; i < 12; i++) {
    const at = i * 100
    muxer.write(new Frame(video, at, at + [200, 500, 200, 0][i % 4], i % 6 === 0, Uint8Array.of(0, 0, 0, 2, 0x65, i)))
    muxer.write(new Frame(audio, at * 48 + 300, at * 48 + 300, true, Uint8Array.of(0xfc, i)))
  }
  muxer.flush()
  out.flush()
  const growing = storage.bytesOf('seed')
  await muxer.finish()
  await out.close()
  return [withoutReserve(growing), storage.bytesOf('seed')]
}

/** The reserve behind the header is most of so small a file, and says nothing. */
function withoutReserve(bytes: Uint8Array): Uint8Array {
  const buffer = Buffer.from(bytes)
  const start = buffer.lastIndexOf('free') - 4
  return Buffer.concat([buffer.subarray(0, start), buffer.subarray(start + buffer.readUInt32BE(start))])
}

const seeds = await recordings()

/** Whole MP4 files: read through, repaired, and read again. */
export const target: FuzzTarget = {
  name: 'mp4-reader',
  seeds: () => seeds,
  async run(input) {
    const file = new MemoryFile(input)
    const report = await repairMp4(file)
    const again = await repairMp4(file)
    if (again.changed || again.frames !== report.frames) {
      throw new RangeError(`a repair found ${report.frames} frames, the next one ${again.frames}`)
    }
    const reader = await openMp4(file)
    for await (const { offset, size } of reader.samples()) {
      if (offset < 0 || offset + size > file.sizeBytes) throw new RangeError('a sample beyond the end of the file')
    }
    const asLeft = await openMp4(new MemoryFile(input))
    for await (const { offset, size } of asLeft.samples()) {
      if (offset < 0 || offset + size > input.length) throw new RangeError('a sample beyond the end of the file')
    }
  },
}
