import type { Block } from './block.ts'
import type { Track } from './track.ts'

/**
 * One access unit: the one atom that flows through tapedeck.
 *
 * `data` is what the codec's sample is in ISO-BMFF: H.264/HEVC as length-prefixed NAL units (length size from the
 * configuration), AV1 low-overhead OBUs of one temporal unit without its delimiter, VP8/VP9 a frame or superframe,
 * AAC without ADTS, Opus/MP3/AC-3/FLAC one packet. It must not be changed by anybody.
 *
 * `data` is valid while the frame is held. Whoever gets a frame handed in a call may use it during that call; who keeps
 * it longer says `retain()` first and `release()` afterwards. Without a block the memory is the garbage collector's.
 */
export class Frame {
  readonly track: Track
  /** Decoding time, ticks of `track.timescale`. Never 32-bit wrapped. */
  readonly dts: number
  /** Presentation time, ticks of `track.timescale`. */
  readonly pts: number
  /** Decoding may start here. Audio frames are always key. */
  readonly key: boolean
  readonly data: Uint8Array
  readonly block: Block | undefined
  /** Of the alpha channel, which lies right behind `data` in the same memory; 0 where there is none. */
  readonly alphaBytes: number

  constructor(track: Track, dts: number, pts: number, key: boolean, data: Uint8Array, block?: Block, alphaBytes = 0) {
    this.track = track
    this.dts = dts
    this.pts = pts
    this.key = key
    this.data = data
    this.block = block
    this.alphaBytes = alphaBytes
  }

  /** Of all its media. */
  get sizeBytes(): number {
    return this.data.length + this.alphaBytes
  }

  /** The alpha channel: a picture of its own in the codec of the track (BlockAddID 1, WebM guidelines). Empty where there is none. */
  get alpha(): Uint8Array {
    const { buffer, byteOffset, length } = this.data
    return new Uint8Array(buffer, byteOffset + length, this.alphaBytes)
  }

  retain(): void {
    this.block?.retain()
  }

  release(): void {
    this.block?.release()
  }

  /** The same media at another time; shares the block, and so the caller's hold. */
  at(dts: number, pts: number): Frame {
    return new Frame(this.track, dts, pts, this.key, this.data, this.block, this.alphaBytes)
  }
}
