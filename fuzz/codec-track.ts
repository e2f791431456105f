import { codecString } from '../src/codec/codec-string.ts'
import { isKeyframe } from '../src/codec/keyframe.ts'
import { frameDurationTicks } from '../src/codec/samples.ts'
import { describeTrack, refineTrack } from '../src/codec/track.ts'
import { tolerated } from '../test/codec/tolerated.ts'
import { VECTORS } from '../test/codec/vectors.ts'
import type { FuzzTarget } from './target.ts'

const CODECS = ['h264', 'hevc', 'av1', 'vp9', 'vp8', 'aac', 'opus', 'mp3', 'ac3', 'eac3', 'flac', 'pcm-s16le'] as const

/** The road that every ingest takes: codec (one byte), configuration (its length, one byte, before it), then a frame. */
export const target: FuzzTarget = {
  name: 'codec-track',
  seeds: () =>
    VECTORS.map(({ codec, config, packets }) => {
      const kept = config.subarray(0, 255)
      return Buffer.concat([Uint8Array.of(CODECS.indexOf(codec), kept.length), kept, packets[0].data])
    }),
  run(input) {
    const codec = CODECS[(input[0] ?? 0) % CODECS.length]
    const end = 2 + (input[1] ?? 0)
    const config = input.subarray(2, end)
    const data = input.subarray(end)
    const track = tolerated(() => describeTrack({ id: 1, epoch: 0, timescale: 1000, codec, config }))
    if (track === undefined) return
    const refined = refineTrack(track, data)
    for (const each of [track, refined]) {
      isKeyframe(each, data)
      codecString(each)
      const ticks = frameDurationTicks(each, data)
      if (ticks !== undefined && !(Number.isSafeInteger(ticks) && ticks >= 0)) throw new Error(`duration ${ticks}`)
    }
    if (refineTrack(refined, data) !== refined) throw new Error('a second look at the same frame changed the track')
  },
}
