import type { Frame } from '../media/frame.ts'
import { FrameQueue } from '../media/frame-queue.ts'
import type { Track } from '../media/track.ts'
import { sourceUs } from './track-clock.ts'

/** How long video that flows without a keyframe is waited for before sound starts alone, ms. */
const KEYFRAME_WAIT_MS = 20_000
/** The same where the source says that such video comes, but keeps it to itself: sound is not left out for it, ms. */
const AWAITED_VIDEO_MS = 3000
/** Frames that may be gathered; more than any second and a half of media has. */
const MAX_FRAMES = 16_384

/** How long the beginning of a recording may be gathered. */
export interface GatheringLimits {
  /** For a second track, by the wall clock or by the media's, whichever is first. */
  readonly trackWaitMs: number
  readonly maxBytes: number
  /** Whether the source has video of which there was no keyframe yet. */
  readonly awaitsVideo?: () => boolean
}

/**
 * The very beginning of a recording: frames wait until it is known which tracks there are, and where the common zero lies.
 *
 * Nothing is left out but video before its first keyframe and, only where there was such video, sound from before that
 * keyframe: sound that merely leads the first keyframe by a moment belongs to the stream.
 */
export class Gathering {
  readonly #limits: GatheringLimits
  readonly #queue: FrameQueue
  readonly #announced = new Map<number, Track>()
  readonly #firstUs = new Map<number, number>()
  #firstAtMs: number | undefined
  #lastUs = 0
  /** The least of arrival less source time: of the frame that was held up least on its way, ms. */
  leastMs = Number.POSITIVE_INFINITY
  /** Where the first keyframe lies when frames before it could not be kept. */
  #keyframeUs: number | undefined
  #headless = false
  skippedFrames = 0

  constructor(limits: GatheringLimits) {
    this.#limits = limits
    this.#queue = new FrameQueue({ maxBytes: limits.maxBytes, maxFrames: MAX_FRAMES })
  }

  get bytes(): number {
    return this.#queue.bytes
  }
  get length(): number {
    return this.#queue.length
  }

  announce(track: Track): void {
    this.#announced.set(track.id, track)
  }

  /** Takes a hold of its own on `frame`. */
  push(frame: Frame, nowMs: number): void {
    const { track } = frame
    this.#announced.set(track.id, track)
    this.#firstAtMs ??= nowMs
    if (track.kind === 'video' && !frame.key && !this.#firstUs.has(track.id)) {
      this.#headless = true
      this.skippedFrames++
      return
    }
    const us = sourceUs(frame)
    if (!this.#firstUs.has(track.id)) {
      this.#firstUs.set(track.id, us)
      if (track.kind === 'video' && this.#headless) this.#keyframeUs ??= us
    }
    this.#lastUs = us
    this.leastMs = Math.min(this.leastMs, nowMs - us / 1000)
    this.#queue.push(frame)
  }

  /** No more should be gathered, whatever is still to come. */
  get isFull(): boolean {
    return this.#queue.bytes >= this.#limits.maxBytes / 2 || this.#queue.length >= MAX_FRAMES / 2
  }

  /** Whether the recording may begin now. */
  isReady(nowMs: number): boolean {
    if (this.#queue.length === 0 || this.#firstAtMs === undefined) return false
    const kinds = new Set<string>()
    let complete = true
    for (const track of this.#announced.values()) {
      if (this.#firstUs.has(track.id)) kinds.add(track.kind)
      else complete = false
    }
    if (complete && kinds.size === 2) return true
    if (this.isFull) return true
    const waitMs = kinds.has('video') ? this.#limits.trackWaitMs : this.#videoWaitMs
    if (nowMs - this.#firstAtMs >= waitMs) return true
    const firstUs = this.#firstUs.values().next().value ?? 0
    return Math.abs(this.#lastUs - firstUs) / 1000 >= waitMs
  }

  get #videoWaitMs(): number {
    const { trackWaitMs, awaitsVideo } = this.#limits
    if (this.#headless) return KEYFRAME_WAIT_MS
    return awaitsVideo?.() === true ? Math.max(trackWaitMs, AWAITED_VIDEO_MS) : trackWaitMs
  }

  /** The common zero, µs of the source's clock. */
  get zeroUs(): number {
    if (this.#keyframeUs !== undefined) return this.#keyframeUs
    let zero = Number.POSITIVE_INFINITY
    for (const us of this.#firstUs.values()) zero = Math.min(zero, us)
    return Number.isFinite(zero) ? zero : 0
  }

  /** Tracks that have sent something that is kept, in the order of files: picture first, whoever was announced first. */
  get tracks(): Track[] {
    const tracks = [...this.#announced.values()].filter(({ id }) => this.#firstUs.has(id))
    return tracks.sort((a, b) => Number(a.kind === 'audio') - Number(b.kind === 'audio') || a.id - b.id)
  }

  /** The oldest frame; its hold passes to the caller. */
  shift(): Frame | undefined {
    return this.#queue.shift()
  }

  clear(): void {
    this.#queue.clear()
  }
}
