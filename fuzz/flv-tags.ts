import { describeTrack, refineTrack } from '../src/codec/track.ts'
import { AudioTag, writeAudioHeader } from '../src/container/flv/audio-tag.ts'
import { configOf, configPayload, MAX_BODY_HEADER_BYTES } from '../src/container/flv/sequence-header.ts'
import { VideoTag, writeVideoHeader } from '../src/container/flv/video-tag.ts'
import { TapedeckError } from '../src/media/errors.ts'
import type { AudioTrack, Track } from '../src/media/track.ts'
import { VECTORS } from '../test/codec/vectors.ts'
import type { FuzzTarget } from './target.ts'

const AAC: AudioTrack = {
  id: 1,
  epoch: 0,
  timescale: 1000,
  kind: 'audio',
  codec: 'aac',
  sampleRateHz: 48000,
  channels: 2,
  config: Uint8Array.of(0x11, 0x90),
}

function body(write: (into: Uint8Array) => number): Uint8Array {
  const into = new Uint8Array(24)
  return into.subarray(0, write(into) + 4)
}

function tagBody(track: Track, kind: 'config' | 'frame', payload: Uint8Array = new Uint8Array(0)): Uint8Array {
  const head = new Uint8Array(MAX_BODY_HEADER_BYTES)
  const size =
    track.kind === 'video'
      ? writeVideoHeader(head, 0, track.codec, kind, 0, true, 0)
      : writeAudioHeader(head, 0, track, kind, 0)
  return Buffer.concat([head.subarray(0, size), payload])
}

const fourCc = (text: string) => [...Buffer.from(text)]

/** The bodies of video and audio tags: every input is taken as both. */
export const target: FuzzTarget = {
  name: 'flv-tags',
  seeds: () => [
    ...VECTORS.flatMap(({ codec, config, packets }) => {
      const track = refineTrack(describeTrack({ id: 1, epoch: 0, timescale: 1000, codec, config }), packets[0].data)
      return [tagBody(track, 'config', configPayload(track)), tagBody(track, 'frame', packets[0].data.subarray(0, 200))]
    }),
    body((into) => writeVideoHeader(into, 0, 'h264', 'frame', 0, true, -40)),
    body((into) => writeVideoHeader(into, 0, 'hevc', 'frame', 2, false, 80)),
    body((into) => writeVideoHeader(into, 0, 'vp9', 'config', 0, true, 0)),
    body((into) => writeAudioHeader(into, 0, AAC, 'frame', 0)),
    body((into) => writeAudioHeader(into, 0, AAC, 'config', 3)),
    Uint8Array.from([0x97, 2, 0, 1, 2, 0x05, 0x11, ...fourCc('Opus'), 0, 0, 0, 2, 7, 8, 1, 0, 0, 1, 9]),
    Uint8Array.from([0x96, 0x21, ...fourCc('avc1'), 0, 0, 0, 4, 0, 0, 1, 9, ...fourCc('av01'), 1, 0, 0, 1, 9]),
  ],
  run(input) {
    for (const tag of [new VideoTag(), new AudioTag()]) {
      try {
        const count = tag.parse(input)
        for (let i = 0; i < count; i++) {
          const packet = tag.packets[i]
          if (packet.start > packet.end || packet.end > input.length) throw new RangeError('packet outside of its body')
          configOf(packet.codec, input.subarray(packet.start, packet.end))
        }
      } catch (error) {
        if (!(error instanceof TapedeckError)) throw error
      }
    }
  },
}
