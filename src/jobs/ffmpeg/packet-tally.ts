/** Two distances between frames that differ by less are the same: FLV and Matroska count whole milliseconds. */
const SAME_SECONDS = 0.0021
/** Nothing is taken to last for less. */
const MIN_FRAME_SECONDS = 0.001

/** What the packets of one stream add up to. Times in seconds of the file's own clock. */
export interface PacketSum {
  readonly packets: number
  readonly bytes: number
  /** When the first frame is shown. */
  readonly startSeconds: number
  /** When the last frame is shown, and when it ends. */
  readonly lastSeconds: number
  readonly endSeconds: number
  /** Mean over the stream; of video, frames per second. */
  readonly packetsPerSecond: number
  /** All frames are the same time apart. */
  readonly isSteady: boolean
  /** Mean over the stream, bits per second. */
  readonly bitrate: number
}

/** Adds up the packets of one stream, as ffprobe lists them: in decoding order. What it does not know is NaN. */
export class PacketTally {
  #packets = 0
  #shown = 0
  #bytes = 0
  #start = Number.POSITIVE_INFINITY
  /** The last to be shown. */
  #last = Number.NEGATIVE_INFINITY
  #lastDuration = Number.NaN
  #previousDts = Number.NaN
  #minGap = Number.POSITIVE_INFINITY
  #maxGap = 0

  /** Times in seconds; `flags` with a D is decoded, but not shown. */
  add(pts: number, dts: number, duration: number, size: number, flags: string): void {
    this.#packets++
    this.#bytes += Math.max(size, 0)
    const at = Number.isNaN(pts) ? dts : pts
    const gap = dts - this.#previousDts
    if (!Number.isNaN(dts)) this.#previousDts = dts
    if (flags.includes('D') || Number.isNaN(at)) return
    this.#shown++
    if (at < this.#start) this.#start = at
    if (at >= this.#last) {
      this.#last = at
      this.#lastDuration = duration
    }
    if (!(gap > 0)) return
    if (gap < this.#minGap) this.#minGap = gap
    if (gap > this.#maxGap) this.#maxGap = gap
  }

  /** Undefined when nothing of the stream is shown. */
  sum(): PacketSum | undefined {
    if (!Number.isFinite(this.#start)) return undefined
    const mean = this.#shown > 1 ? (this.#last - this.#start) / (this.#shown - 1) : 0
    const stated = this.#lastDuration > 0 ? this.#lastDuration : mean
    const lasts = Math.max(stated, MIN_FRAME_SECONDS)
    const seconds = this.#last + lasts - this.#start
    return {
      packets: this.#packets,
      bytes: this.#bytes,
      startSeconds: this.#start,
      lastSeconds: this.#last,
      endSeconds: this.#last + lasts,
      packetsPerSecond: mean > 0 ? 1 / mean : 1 / lasts,
      isSteady: this.#maxGap - this.#minGap < SAME_SECONDS,
      bitrate: Math.round((this.#bytes * 8) / seconds),
    }
  }
}
