import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describeTrack, refineTrack } from '../../../src/codec/track.ts'
import type { AudioCodec, Track, VideoCodec } from '../../../src/media/track.ts'

interface StoredVector {
  readonly codec: VideoCodec | AudioCodec
  readonly config: string
  readonly packets: readonly { readonly key: boolean; readonly data: string }[]
}

/** A track made by a real encoder, with its first packets. */
export interface TrackVector {
  readonly track: Track
  readonly packets: readonly { readonly key: boolean; readonly data: Buffer }[]
}

const directory = join(import.meta.dirname, '../../codec/vectors')

/** The vector `name` as track `id`. */
export function vector(name: string, id: number, timescale = 1000): TrackVector {
  const stored: StoredVector = JSON.parse(readFileSync(join(directory, `${name}.json`), 'utf8'))
  const packets = stored.packets.map(({ key, data }) => ({ key, data: Buffer.from(data, 'hex') }))
  const origin = { id, epoch: 0, timescale, codec: stored.codec, config: Buffer.from(stored.config, 'hex') }
  return { track: refineTrack(describeTrack(origin), packets[0].data), packets }
}
