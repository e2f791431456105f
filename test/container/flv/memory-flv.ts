import { FlvMuxer, type FlvMuxerOptions } from '../../../src/container/flv/muxer.ts'
import { openFlv } from '../../../src/container/flv/reader.ts'
import type { Sample } from '../../../src/container/reader.ts'
import { Frame } from '../../../src/media/frame.ts'
import type { ByteSource } from '../../../src/media/ports.ts'
import type { Track } from '../../../src/media/track.ts'
import { MemoryStorage } from '../../../src/storage/memory.ts'
import type { OpenFile } from '../../../src/storage/ports.ts'

/** All samples of a file with their data, as frames. */
export async function readFrames(source: ByteSource): Promise<{ tracks: readonly Track[]; frames: Frame[] }> {
  const reader = await openFlv(source)
  const frames: Frame[] = []
  for await (const sample of reader.samples()) {
    const data = await source.read(sample.offset, sample.size)
    frames.push(new Frame(sample.track, sample.dts, sample.pts, sample.key, data))
  }
  return { tracks: reader.tracks, frames }
}

/** All samples of a file. */
export async function readSamples(source: ByteSource): Promise<Sample[]> {
  const samples: Sample[] = []
  for await (const sample of (await openFlv(source)).samples()) samples.push(sample)
  return samples
}

/** Bytes as a file open for reading and mending. */
export async function fileOf(bytes: Uint8Array): Promise<OpenFile> {
  const storage = new MemoryStorage()
  storage.put('f.flv', bytes)
  return storage.open('f.flv')
}

/** What the muxer makes of tracks and frames; tracks of frames that were not announced are added as they come. */
export async function mux(
  tracks: readonly Track[],
  frames: Iterable<Frame>,
  options: FlvMuxerOptions & { unfinished?: boolean } = {},
): Promise<Uint8Array> {
  const storage = new MemoryStorage()
  const out = await storage.create('m.flv')
  const muxer = new FlvMuxer(out, options)
  muxer.start(tracks)
  const current = new Map(tracks.map((track) => [track.id, track.epoch]))
  for (const frame of frames) {
    if (current.get(frame.track.id) !== frame.track.epoch) {
      if (!muxer.accepts(frame.track)) throw new Error(`track ${frame.track.id} not accepted`)
      muxer.add(frame.track)
      current.set(frame.track.id, frame.track.epoch)
    }
    muxer.write(frame)
    out.commit()
  }
  if (options.unfinished !== true) await muxer.finish()
  await out.close()
  return storage.bytesOf('m.flv')
}
