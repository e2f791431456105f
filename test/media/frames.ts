import { type Block, blocks } from '../../src/media/block.ts'
import { Frame } from '../../src/media/frame.ts'
import type { AudioTrack, VideoTrack } from '../../src/media/track.ts'

/** A video track without a real configuration, for tests that never decode. */
export const videoTrack = (id = 1): VideoTrack => ({
  id,
  epoch: 0,
  timescale: 1000,
  config: new Uint8Array(),
  kind: 'video',
  codec: 'h264',
  width: 640,
  height: 360,
})

/** An audio track likewise. */
export const audioTrack = (id = 2): AudioTrack => ({
  id,
  epoch: 0,
  timescale: 1000,
  config: new Uint8Array(),
  kind: 'audio',
  codec: 'aac',
  sampleRateHz: 48000,
  channels: 2,
})

/** A frame in a block of its own, so that a hold too many or too few shows in `block.holders`. */
export function heldFrame(
  track: VideoTrack | AudioTrack,
  dts: number,
  key: boolean,
  size = 100,
): Frame & { block: Block } {
  const block = blocks.acquire(size)
  const frame = new Frame(track, dts, dts, key, block.bytes.subarray(0, size), block)
  return Object.assign(frame, { block })
}
