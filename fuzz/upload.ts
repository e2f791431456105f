import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { GrowingBytes, GrowingWindow } from '../src/ingest/upload/growing-bytes.ts'
import { uploadSamples } from '../src/ingest/upload/upload-demuxer.ts'
import { UploadTrack } from '../src/ingest/upload/upload-track.ts'
import { Arena } from '../src/media/arena.ts'
import { TapedeckError } from '../src/media/errors.ts'
import type { FuzzTarget } from './target.ts'

const recorded = (name: string) =>
  readFileSync(join(import.meta.dirname, '../test/ingest/chromium', name)).subarray(0, 8000)

/** What a browser uploads, read as it comes and made into frames. */
export const target: FuzzTarget = {
  name: 'upload',
  seeds: () => ['vp8.webm', 'h264.mkv', 'h264.mp4', 'sound.webm'].map(recorded),
  async run(input) {
    const bytes = new GrowingBytes(input.length, input)
    bytes.finish()
    const window = new GrowingWindow(bytes)
    const arena = new Arena()
    const tracks = new Map<string, UploadTrack>()
    try {
      for await (const sample of uploadSamples(bytes, { unitOffset: 0, onHeader: () => undefined })) {
        if (!(await window.load(sample.offset, sample.size))) continue
        const key = `${sample.track.kind}${sample.track.id}`
        const options = { id: tracks.size + 1, label: 'camera', shiftMs: 5 }
        const track = tracks.get(key) ?? new UploadTrack(sample.track, options, arena)
        tracks.set(key, track)
        track.take(sample, window.view(sample.offset, sample.size), {
          track: () => undefined,
          write({ dts, data }) {
            if (!Number.isFinite(dts) || data.length === 0) throw new RangeError('a frame without time or content')
          },
        })
      }
    } catch (error) {
      if (!(error instanceof TapedeckError)) throw error
    } finally {
      arena.close()
    }
  },
}
