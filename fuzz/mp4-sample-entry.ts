import { parseBoxes } from '../src/container/mp4/box-reader.ts'
import { makeSampleEntry } from '../src/container/mp4/sample-entry.ts'
import { readSampleEntry } from '../src/container/mp4/sample-entry-reader.ts'
import type { AudioTrack, VideoTrack } from '../src/media/track.ts'
import type { FuzzTarget } from './target.ts'

const video = { id: 1, epoch: 0, timescale: 1000, kind: 'video', width: 640, height: 360 } as const
const audio = { id: 1, epoch: 0, timescale: 1000, kind: 'audio', sampleRateHz: 48_000, channels: 2 } as const
const none = new Uint8Array(0)

const VIDEO: readonly VideoTrack[] = [
  {
    ...video,
    codec: 'h264',
    config: Buffer.from(
      '0164001effe1001a6764001eacd940a02ff970110000030001000003003c0f162d9601000668ebe3cb22c0fdf8f800',
      'hex',
    ),
  },
  { ...video, codec: 'vp9', config: Buffer.from('001f8202020200000000', 'hex').subarray(0, 8) },
  { ...video, codec: 'vp8', config: none },
]
const AUDIO: readonly AudioTrack[] = [
  { ...audio, codec: 'aac', config: Uint8Array.of(0x11, 0x90) },
  { ...audio, codec: 'mp3', config: none },
  { ...audio, codec: 'opus', config: Buffer.from('4f707573486561640102380180bb0000000000', 'hex') },
  { ...audio, codec: 'flac', config: Buffer.concat([Uint8Array.of(0x80, 0, 0, 34), Buffer.alloc(34, 0x10)]) },
  { ...audio, codec: 'pcm-s16le', config: none },
]

/** Sample entries: what describes a track in `stsd`. */
export const target: FuzzTarget = {
  name: 'mp4-sample-entry',
  seeds: () => [...VIDEO, ...AUDIO].map((track) => makeSampleEntry(track)),
  run(input) {
    for (const box of parseBoxes(input, 'stsd')) readSampleEntry(box, { id: 1, epoch: 0, timescale: 1000 })
  },
}
