import { rescale, toMs } from '../media/clock.ts'
import type { Frame } from '../media/frame.ts'
import type { Track } from '../media/track.ts'
import type { Part } from './part.ts'
import type { Tally } from './tally.ts'
import { US_PER_S } from './track-clock.ts'

/** Media that is missing in a track: the source sent none, or it was dropped. */
export interface Gap {
  readonly trackId: number
  /** Where in the recording it begins. */
  readonly atMs: number
  readonly durationMs: number
}

/** One track on its way into the parts: which part takes it now, and what has gone by. */
export class Lane {
  /** The configuration written last. */
  track: Track
  part: Part | undefined
  /** Beginning of `part`, in ticks of the recording. */
  #shift = 0
  #lastInPart = -1
  #lastKey: number | undefined
  readonly #gapTicks: number
  readonly #gaps: Tally<Gap>
  /** dts of the last frame, ticks of the recording; -1 before the first. */
  last = -1
  frames = 0
  bytes = 0
  keyframes = 0
  /** Between the last two keyframes of a video track. */
  keyframeIntervalMs: number | undefined
  nudgedFrames = 0

  constructor(track: Track, gapMs: number, gaps: Tally<Gap>) {
    this.track = track
    this.#gapTicks = rescale(gapMs, 1000, track.timescale)
    this.#gaps = gaps
  }

  /** µs of the recording; undefined before the first frame. */
  get lastUs(): number | undefined {
    return this.last < 0 ? undefined : rescale(this.last, this.track.timescale, US_PER_S)
  }

  /** From `frame` on, this track goes into `part`. */
  move(part: Part, frame: Frame): void {
    this.part = part
    part.zeroUs ??= rescale(frame.dts, frame.track.timescale, US_PER_S)
    this.#shift = rescale(part.zeroUs, US_PER_S, frame.track.timescale)
    this.#lastInPart = -1
  }

  /** Writes `frame`, whose times are the recording's, into the part of this lane. */
  write(frame: Frame): void {
    const { part } = this
    if (part === undefined) return
    this.#count(frame)
    let dts = frame.dts - this.#shift
    let pts = frame.pts - this.#shift
    if (dts <= this.#lastInPart) {
      this.nudgedFrames++
      dts = this.#lastInPart + 1
      pts = Math.max(pts, dts)
    }
    this.#lastInPart = dts
    part.write(dts === frame.dts && pts === frame.pts ? frame : frame.at(dts, pts))
  }

  #count(frame: Frame): void {
    const step = frame.dts - this.last
    if (step > this.#gapTicks && this.last >= 0) {
      const { timescale } = frame.track
      this.#gaps.add({ trackId: frame.track.id, atMs: toMs(this.last, timescale), durationMs: toMs(step, timescale) })
    }
    this.last = frame.dts
    this.frames++
    this.bytes += frame.sizeBytes
    if (!frame.key || frame.track.kind === 'audio') return
    this.keyframes++
    if (this.#lastKey !== undefined) this.keyframeIntervalMs = toMs(frame.dts - this.#lastKey, frame.track.timescale)
    this.#lastKey = frame.dts
  }
}
