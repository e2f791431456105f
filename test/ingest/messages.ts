import { type Block, blocks } from '../../src/media/block.ts'
import type { Frame } from '../../src/media/frame.ts'
import type { Track } from '../../src/media/track.ts'

/** avcC of libx264, High, 320x180 at 25 frames per second. */
export const AVCC = Buffer.from(
  '0164000cffe1001a6764000cacd941419f9f011000000300100000030320f142996001000668ebe3cb22c0fdf8f800',
  'hex',
)
/** AudioSpecificConfig: AAC-LC, 48 kHz, stereo. */
export const ASC = Uint8Array.of(0x11, 0x90)
/** One NAL unit of an IDR picture, and one of another, length-prefixed. */
export const IDR = Uint8Array.of(0, 0, 0, 3, 0x65, 0x88, 0x84)
export const INTER = Uint8Array.of(0, 0, 0, 3, 0x41, 0x9a, 0x24)

/** A legacy AVC body (FLV v10.1 §E.4.3). */
export function avc(data: Uint8Array, options: { key?: boolean; type?: number; compositionMs?: number } = {}): Buffer {
  const head = Buffer.from([(options.key ? 0x10 : 0x20) | 7, options.type ?? 1, 0, 0, 0])
  head.writeIntBE(options.compositionMs ?? 0, 2, 3)
  return Buffer.concat([head, data])
}

/** A legacy AAC body (FLV v10.1 §E.4.2). */
export const aac = (data: Uint8Array, type = 1): Buffer => Buffer.concat([Buffer.from([0xaf, type]), data])

/** A payload in a pooled block, as the protocol hands it over. */
export function lent(body: Uint8Array): { payload: Uint8Array; block: Block } {
  const block = blocks.acquire(body.length)
  block.bytes.set(body)
  return { payload: block.bytes.subarray(0, body.length), block }
}

/** What came out, frames with a copy of their data. */
export class Collected {
  readonly tracks: Track[] = []
  readonly frames: { id: number; epoch: number; dts: number; pts: number; key: boolean; data: Buffer }[] = []

  track(track: Track): void {
    this.tracks.push(track)
  }

  write({ track, dts, pts, key, data }: Frame): void {
    this.frames.push({ id: track.id, epoch: track.epoch, dts, pts, key, data: Buffer.from(data) })
  }
}
