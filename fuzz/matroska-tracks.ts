import { EbmlWriter, elementsOf } from '../src/container/matroska/ebml.ts'
import { readTrackEntry } from '../src/container/matroska/track-reader.ts'
import { writeTrackEntry } from '../src/container/matroska/track-writer.ts'
import { TapedeckError } from '../src/media/errors.ts'
import type { Track } from '../src/media/track.ts'
import { realTrack } from '../test/container/matroska/tracks.ts'
import type { FuzzTarget } from './target.ts'

function entry(track: Track): Uint8Array {
  const out = new EbmlWriter()
  writeTrackEntry(out, track.id, { ...track, label: 'a', language: 'deu' }, 'matroska')
  return out.done()
}

const alaw: Track = {
  id: 9,
  epoch: 0,
  timescale: 1000,
  kind: 'audio',
  codec: 'pcm-alaw',
  sampleRateHz: 8000,
  channels: 1,
  config: new Uint8Array(0),
}

/** A TrackEntry with a configuration of each codec; what is read is written again. */
export const target: FuzzTarget = {
  name: 'matroska-tracks',
  seeds: () => [
    entry(realTrack(1, 'h264', 'h264-480p')),
    entry(realTrack(2, 'hevc', 'hevc-480p')),
    entry(realTrack(3, 'av1', 'av1-aom')),
    entry(realTrack(4, 'vp9', 'vp9-422-10')),
    entry(realTrack(5, 'aac', 'aac-51')),
    entry(realTrack(6, 'opus', 'opus-51')),
    entry(realTrack(7, 'flac', 'flac')),
    entry(alaw),
  ],
  run(input) {
    try {
      for (const element of elementsOf(input, 0, 'input')) {
        const { track } = readTrackEntry(element, 1, 1000)
        if (track !== undefined) entry(track)
      }
    } catch (error) {
      if (!(error instanceof TapedeckError)) throw error
    }
  },
}
