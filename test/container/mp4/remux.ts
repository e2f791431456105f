import { Mp4Muxer, type Mp4Options } from '../../../src/container/mp4/muxer.ts'
import { openMp4 } from '../../../src/container/mp4/reader.ts'
import type { Sample } from '../../../src/container/reader.ts'
import { Frame } from '../../../src/media/frame.ts'
import type { ByteSource } from '../../../src/media/ports.ts'
import type { Track } from '../../../src/media/track.ts'
import type { OutputFile } from '../../../src/storage/ports.ts'

/** All that a file holds, in the order in which a live source would send it. */
export interface Media {
  readonly tracks: readonly Track[]
  readonly frames: readonly Frame[]
}

/** Reads a whole file. */
export async function mediaOf(source: ByteSource): Promise<Media> {
  const reader = await openMp4(source)
  const samples: Sample[] = []
  for await (const sample of reader.samples()) samples.push(sample)
  samples.sort((a, b) => a.dts / a.track.timescale - b.dts / b.track.timescale)
  const frames: Frame[] = []
  for (const { track, dts, pts, key, offset, size } of samples) {
    frames.push(new Frame(track, dts, pts, key, await source.read(offset, size)))
  }
  return { tracks: reader.tracks, frames }
}

/** Records `media` as the recorder would, up to the last frame; what follows is the caller's. */
export function record(media: Media, out: OutputFile, options?: Mp4Options): Mp4Muxer {
  const muxer = new Mp4Muxer(out, options)
  muxer.start(media.tracks)
  for (const frame of media.frames) {
    muxer.write(frame)
    out.commit()
  }
  muxer.flush()
  out.commit()
  out.flush()
  return muxer
}

/** The same media with the times of another clock, as a live source gives them: milliseconds, for RTMP. */
export function inTimescale(media: Media, timescale: number, shiftTicks = 0): Media {
  const tracks = new Map(media.tracks.map((track) => [track.id, { ...track, timescale }]))
  const ticks = (value: number, from: number) => Math.round((value * timescale) / from) + shiftTicks
  const frames = media.frames.flatMap(({ track, dts, pts, key, data }) => {
    const other = tracks.get(track.id)
    return other === undefined
      ? []
      : [new Frame(other, ticks(dts, track.timescale), ticks(pts, track.timescale), key, data)]
  })
  return { tracks: [...tracks.values()], frames }
}
