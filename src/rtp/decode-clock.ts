import { parseAvcC } from '../codec/h264/avcc.ts'
import { h264ReorderDepth } from '../codec/h264/reorder.ts'
import { parseH264Sps } from '../codec/h264/sps.ts'
import { hevcFacts, parseHvcC } from '../codec/hevc/hvcc.ts'
import type { VideoCodec } from '../media/track.ts'

const MAX_DEPTH = 16 // frames, H.264 §A.3.1 h, HEVC §A.4.2
const ASSUMED_RATE = 30 // frames per second, where the configuration says nothing
/** A key unit that lies so far behind all that was decoded begins anew: nothing waits to be shown over a hole. */
const HOLE_MS = 500

/**
 * Decoding times for units that have presentation times only: RTP tells when a picture is shown (RFC 6184 §5.1).
 *
 * With a reorder depth of n, at most n units precede another in decoding order and follow it when shown. So of all units up to
 * this one, the n newest by presentation may still be overtaken and the next below them may not: its presentation time is the
 * decoding time of this unit. That is strictly rising, never after any unit's own presentation, and n frames early. For n = 0,
 * which is every stream of a browser, both times are the same.
 *
 * n is what the parameter set states, or the most it allows (`h264ReorderDepth`); where a stream breaks its word, n grows. The
 * unit at which that shows, and any that is not later than the one before where nothing is reordered, is put one tick behind.
 */
export class DecodeClock {
  readonly #codec: VideoCodec
  readonly #rate: number
  #depth = 0
  #frameTicks: number
  /** Presentation times of the `depth` newest, rising. */
  readonly #waiting: number[] = []
  #lastDts = Number.NEGATIVE_INFINITY
  dts = 0
  pts = 0
  /** Units that could not have their own presentation time. */
  moved = 0

  /** `timescale`: ticks per second of presentation times. */
  constructor(codec: VideoCodec, timescale: number) {
    this.#codec = codec
    this.#rate = timescale
    this.#frameTicks = Math.max(1, Math.round(timescale / ASSUMED_RATE))
  }

  /** Frames between a unit's decoding and its presentation where nothing is reordered. */
  get depth(): number {
    return this.#depth
  }

  /** A new decoder configuration holds from the next unit on. @throws MalformedError */
  configure(config: Uint8Array): void {
    const { depth, frameRate } = reordering(this.#codec, config)
    if (frameRate !== undefined) this.#frameTicks = Math.max(1, Math.round(this.#rate / Math.max(frameRate, 1)))
    this.#depth = Math.min(depth, MAX_DEPTH)
    if (this.#depth === 0) this.#waiting.length = 0
    else if (this.#waiting.length > this.#depth) this.#waiting.splice(0, this.#waiting.length - this.#depth)
  }

  /** Sets `dts` and `pts` of the next unit in decoding order, which is shown at `pts`. */
  place(pts: number, key: boolean): void {
    this.dts = this.#depth === 0 ? pts : this.#reordered(pts, key)
    this.pts = pts
    if (this.dts <= this.#lastDts) this.dts = this.#lastDts + 1
    if (this.dts > pts) {
      this.pts = this.dts
      this.moved++
    }
    this.#lastDts = this.dts
  }

  #reordered(pts: number, key: boolean): number {
    const waiting = this.#waiting
    if (pts <= this.#lastDts && this.#depth < MAX_DEPTH) this.#depth++
    const newest = waiting.at(-1)
    if (key && newest !== undefined && pts - newest > (HOLE_MS / 1000) * this.#rate) waiting.length = 0
    let at = waiting.length
    while (at > 0 && waiting[at - 1] > pts) at--
    waiting.splice(at, 0, pts)
    const missing = this.#depth + 1 - waiting.length
    return missing > 0 ? this.#early(waiting[0], missing) : (waiting.shift() ?? pts)
  }

  /** While fewer than `depth` units were decoded: as if `missing` more had stood before the first, a frame's time apart. */
  #early(first: number, missing: number): number {
    const ideal = first - missing * this.#frameTicks
    if (ideal > this.#lastDts) return ideal
    return this.#lastDts + Math.max(1, Math.floor((first - this.#lastDts) / (missing + 1)))
  }
}

function reordering(codec: VideoCodec, config: Uint8Array): { depth: number; frameRate: number | undefined } {
  if (codec === 'h264') {
    const [sps] = parseAvcC(config).sps
    if (sps === undefined) return { depth: 0, frameRate: undefined }
    const facts = parseH264Sps(sps)
    return { depth: h264ReorderDepth(facts), frameRate: facts.vui?.frameRate }
  }
  if (codec === 'hevc') {
    const { sps, frameRate } = hevcFacts(parseHvcC(config))
    return { depth: sps.maxReorderFrames, frameRate }
  }
  return { depth: 0, frameRate: undefined }
}
