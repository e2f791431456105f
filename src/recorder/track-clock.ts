import { rescale } from '../media/clock.ts'
import { Frame } from '../media/frame.ts'
import type { Track } from '../media/track.ts'

/** Microseconds: the unit in which the tracks of one recording, with timescales of their own, share a time. */
export const US_PER_S = 1_000_000
/** A step back of up to this is taken for disorder and squeezed, ms; a longer one for a clock that was set back. */
const DISORDER_MS = 100
/** Taken as the length of a frame until two of them have been seen, ms. */
const FIRST_NOMINAL_MS = 20

/** How a source clock is laid onto the time of the recording: source + `us` = recording. Shared by all tracks that follow it. */
export interface ClockOffset {
  readonly us: number
}

/** One track's place in the time of a recording. Ticks are the track's own. */
export class TrackClock {
  readonly kind: 'video' | 'audio'
  readonly timescale: number
  /** A step further than this needs an explanation. */
  readonly jumpTicks: number
  readonly disorderTicks: number
  /** The configuration that frames come in now. */
  track: Track
  /** What they are in the recording; the same object unless the publisher has returned. Its timescale may be another. */
  target: Track
  offset: ClockOffset
  /** `offset` in ticks. */
  shift: number
  /** False: nothing of this track is kept before its next keyframe. */
  open = false
  /** False: its first frame since the recording (re)started is still to come. */
  joined = false
  /** Any frame of this track is in the recording. */
  placed = false
  lastSource = 0
  last = 0
  /** The usual length of a frame: the latest step that was in order. */
  nominal: number

  constructor(track: Track, target: Track, offset: ClockOffset, jumpMs: number) {
    this.track = track
    this.target = target
    this.kind = track.kind
    this.timescale = track.timescale
    this.jumpTicks = rescale(jumpMs, 1000, track.timescale)
    this.disorderTicks = rescale(DISORDER_MS, 1000, track.timescale)
    this.nominal = Math.max(1, rescale(FIRST_NOMINAL_MS, 1000, track.timescale))
    this.offset = offset
    this.shift = rescale(offset.us, US_PER_S, track.timescale)
  }

  /** From now on this track follows `offset`. */
  follow(offset: ClockOffset): void {
    this.offset = offset
    this.shift = rescale(offset.us, US_PER_S, this.timescale)
  }

  /** `frame` as one of the recording's track, at times in ticks of the source. Shares its block. */
  translate(frame: Frame, dts: number, pts: number): Frame {
    const { timescale, target } = this
    const to = target.timescale
    const { key, data, block, alphaBytes } = frame
    const [inDts, inPts] = [rescale(dts, timescale, to), rescale(pts, timescale, to)]
    return new Frame(target, inDts, inPts, key, data, block, alphaBytes)
  }

  /** Where the last frame began, µs of the recording. */
  get lastUs(): number {
    return rescale(this.last, this.timescale, US_PER_S)
  }

  /** Where the next frame should begin, µs of the recording. */
  get nextUs(): number {
    return rescale(this.last + this.nominal, this.timescale, US_PER_S)
  }
}

/** The decoding time of `frame` by its source's clock, µs. */
export function sourceUs(frame: Frame): number {
  return rescale(frame.dts, frame.track.timescale, US_PER_S)
}
