import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describeTrack } from '../../../src/codec/track.ts'
import { Frame } from '../../../src/media/frame.ts'
import type { AudioCodec, Track, VideoCodec } from '../../../src/media/track.ts'

const vectors = join(import.meta.dirname, '../../codec/vectors')

/** The configuration of a real stream, from the vectors of the codec tests. */
export function realConfig(name: string): Uint8Array {
  const { config }: { config: string } = JSON.parse(readFileSync(join(vectors, `${name}.json`), 'utf8'))
  return Buffer.from(config, 'hex')
}

/** A track with a real configuration. */
export function realTrack(id: number, codec: VideoCodec | AudioCodec, vector: string, timescale = 1000): Track {
  return describeTrack({ id, epoch: 0, timescale, codec, config: realConfig(vector) })
}

export const video = realTrack(1, 'h264', 'h264-480p')
export const audio = realTrack(2, 'aac', 'aac-stereo')

/** `count` video frames, 25 a second, each with one of its own content; every tenth is key; and audio every 20 ms. */
export function* interleaved(count: number, videoBytes = 40): Generator<Frame> {
  for (let i = 0; i < count; i++) {
    yield new Frame(video, i * 40, i * 40 + [80, 40, 120, 40][i % 4], i % 10 === 0, content(i, videoBytes))
    for (const ms of [0, 20]) yield new Frame(audio, i * 40 + ms, i * 40 + ms, true, content(i + ms, 12))
  }
}

function content(seed: number, bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, i) => (seed * 31 + i * 7) & 0xff)
}
