import { describeTrack, refineTrack } from '../src/codec/track.ts'
import { parseBoxes } from '../src/container/mp4/box-reader.ts'
import { makeSampleEntry } from '../src/container/mp4/sample-entry.ts'
import { readSampleEntry } from '../src/container/mp4/sample-entry-reader.ts'
import { VECTORS } from '../test/codec/vectors.ts'
import type { FuzzTarget } from './target.ts'

const origin = { id: 1, epoch: 0, timescale: 1000 } as const
const pcm = { ...origin, kind: 'audio', sampleRateHz: 8000, channels: 1, config: new Uint8Array(0) } as const

/** Sample entries: what describes a track in `stsd`. */
export const target: FuzzTarget = {
  name: 'mp4-sample-entry',
  seeds: () => [
    ...VECTORS.map(({ codec, config, packets }) =>
      makeSampleEntry(refineTrack(describeTrack({ ...origin, codec, config }), packets[0].data)),
    ),
    ...(['pcm-s16le', 'pcm-alaw', 'pcm-mulaw'] as const).map((codec) => makeSampleEntry({ ...pcm, codec })),
  ],
  run(input) {
    for (const box of parseBoxes(input, 'stsd')) {
      const track = readSampleEntry(box, origin)
      if (track !== undefined) makeSampleEntry(track)
    }
  },
}
