import { maxFileMs } from '../container/formats.ts'
import { rescale } from '../media/clock.ts'
import type { Frame } from '../media/frame.ts'
import type { Lane } from './lane.ts'
import { LaneSet } from './lane-set.ts'
import type { Part } from './part.ts'
import type { PartSequenceOptions, PartSequenceOwner } from './part-sequence-options.ts'
import { PartWorks } from './part-works.ts'
import { PlaceWatch } from './place-watch.ts'
import { type PartReason, Segmenter } from './segmenter.ts'
import type { RecordingServices } from './services.ts'
import { US_PER_S } from './track-clock.ts'

/** At this backlog of a file nothing more is written into it, bytes: the high-water mark of storages. */
const HIGH_WATER_BYTES = 8 * 1024 * 1024
/** How long a part may wait for tracks that have not gone over to the next one, ms. */
const CLOSING_WAIT_MS = 5000

interface Closing {
  readonly part: Part
  readonly boundaryUs: number
  readonly sinceMs: number
}

/**
 * The parts of one recording, one behind the other, and which frame goes into which.
 *
 * A new part begins at a keyframe of one track. Every other track stays with the old part until it has a place to change,
 * too: video its own next keyframe, audio its first frame that is not before the new part's beginning. So no frame is lost
 * and none lies before the zero of its file.
 */
export class PartSequence {
  readonly #services: RecordingServices
  readonly #options: PartSequenceOptions
  readonly #owner: PartSequenceOwner
  readonly #segmenter: Segmenter
  readonly #watch = new PlaceWatch(HIGH_WATER_BYTES / 2, (part) => this.#lost(part))
  readonly #works: PartWorks
  #part: Part | undefined
  #closing: Closing | undefined
  #opening = false
  #nextReason: PartReason = 'start'
  #released = 0
  readonly lanes: LaneSet
  readonly parts: Part[] = []
  /** Frames that no part could take: video that had lost its keyframe. */
  leftOutFrames = 0

  constructor(services: RecordingServices, options: PartSequenceOptions, owner: PartSequenceOwner) {
    this.#services = services
    this.#options = options
    this.#owner = owner
    this.#works = new PartWorks(services, options)
    this.lanes = new LaneSet(services.config.gapMs)
    const { maxSizeMb, maxDurationMs } = services.config
    const { format, partSizeBytes, partDurationMs = maxDurationMs ?? Number.POSITIVE_INFINITY } = options
    this.#segmenter = new Segmenter({
      maxBytes: partSizeBytes ?? (maxSizeMb === undefined ? undefined : maxSizeMb * 1_000_000),
      maxDurationMs: format === 'auto' ? partDurationMs : Math.min(partDurationMs, maxFileMs(format)),
    })
  }

  get backlogBytes(): number {
    return (this.#part?.backlogBytes ?? 0) + (this.#closing?.part.backlogBytes ?? 0)
  }

  /** False when `frame` was not taken and has to wait for `onReady`. Times are the recording's. Never throws. */
  write(frame: Frame): boolean {
    try {
      return this.#write(frame)
    } catch (error) {
      // of a muxer: the frame is lost, and the part ends here
      this.#fail(this.lanes.of(frame.track).part ?? this.#part, asError(error))
      return true
    }
  }

  #write(frame: Frame): boolean {
    if (this.#opening) return false
    const part = this.#part
    if (part !== undefined && part.backlogBytes >= HIGH_WATER_BYTES) return false
    const lane = this.lanes.of(frame.track)
    if (part === undefined || lane.part !== part || lane.track !== frame.track) {
      const route = this.#route(lane, frame)
      if (route !== 'write') {
        if (route === 'drop') this.leftOutFrames++
        return route === 'drop'
      }
    } else if (frame.key && this.#segmenter.armed && this.lanes.mayCut(lane)) {
      const reason = this.#segmenter.cut(frame, part)
      if (reason !== undefined) {
        this.#open(frame, reason)
        return false
      }
    }
    lane.write(frame)
    return true
  }

  /** Called twice a second. */
  tick(nowMs: number): void {
    const front = this.lanes.frontUs
    const closing = this.#closing
    if (closing !== undefined && nowMs - closing.sinceMs > CLOSING_WAIT_MS) this.#endClosing()
    for (const part of [this.#closing?.part, this.#part]) {
      try {
        part?.tick(front)
      } catch (error) {
        this.#fail(part, asError(error))
      }
    }
    const part = this.#part
    if (part === undefined) return
    this.lanes.chooseLead(part)
    this.#watch.tick(part, nowMs)
    if (part.warnedOverdue || !this.#segmenter.isOverdue(part, front)) return
    part.warnedOverdue = true
    const { logger } = this.#services
    logger.warn(
      { path: part.path, ...this.#options.address },
      'limit of this file passed long ago, but no keyframe came to cut at',
    )
  }

  #lost(part: Part): void {
    this.#segmenter.demand('gone')
    const { logger } = this.#services
    logger.warn(
      { path: part.path, ...this.#options.address },
      'file was moved or deleted; recording goes on in a new one',
    )
  }

  /** Finishes what is open, without waiting. The next frame written begins a new part for `reason`. */
  release(reason: PartReason): void {
    this.#released++
    this.#opening = false
    this.#nextReason = this.parts.length === 0 ? 'start' : reason
    this.#endClosing()
    if (this.#part !== undefined) this.#works.finish(this.#part, this.lanes.frontUs)
    this.#part = undefined
    this.lanes.leave()
  }

  /** Finishes what is open; resolves when all parts have come to their end, however it went. */
  async finish(): Promise<void> {
    this.release('resume')
    await this.#works.settle()
  }

  /** Removes all files. */
  async discard(): Promise<void> {
    this.#part = undefined
    this.#closing = undefined
    this.#released++
    await this.#works.discard(this.parts)
  }

  /** The slow way, for a track that is not in the current part, or not in this configuration. */
  #route(lane: Lane, frame: Frame): 'write' | 'wait' | 'drop' {
    const part = this.#part
    if (part === undefined) {
      if (!frame.key) return 'drop'
      this.#open(frame, this.#nextReason)
      return 'wait'
    }
    if (lane.part === part) return this.#nextEpoch(lane, frame, part)
    if (lane.part !== undefined && this.#staysBehind(lane, frame, lane.part)) return 'write'
    if (!frame.key) return 'drop'
    if (!part.holds(frame.track) && !part.admit(frame.track)) {
      this.#open(frame, 'codec-change')
      return 'wait'
    }
    lane.track = frame.track
    lane.move(part, frame)
    if (frame.track.kind === 'video') this.lanes.lead ??= lane
    this.#settleClosing()
    return 'write'
  }

  /** A new configuration of a track that is in the current part. */
  #nextEpoch(lane: Lane, frame: Frame, part: Part): 'write' | 'wait' {
    const split = this.#services.config.splitOnCodecChange && part.frames > 0
    if (split || !part.admit(frame.track)) {
      this.#open(frame, 'codec-change')
      return 'wait'
    }
    lane.track = frame.track
    return 'write'
  }

  /** Whether `frame` still belongs to the part before the current one. */
  #staysBehind(lane: Lane, frame: Frame, old: Part): boolean {
    const us = rescale(frame.dts, frame.track.timescale, US_PER_S)
    if (frame.key && us >= (this.#closing?.boundaryUs ?? 0)) return false
    if (lane.track === frame.track) return true
    if (!old.admit(frame.track)) return false
    lane.track = frame.track
    return true
  }

  #open(frame: Frame, reason: PartReason): void {
    this.#opening = true
    const released = this.#released
    const tracks = this.lanes.tracksWith(frame)
    const boundaryUs = rescale(frame.dts, frame.track.timescale, US_PER_S)
    const opening = this.#works.create(this.parts, tracks, reason).then(
      (part) => this.#opened(part, boundaryUs, released),
      (error: unknown) => {
        if (released !== this.#released) return
        this.release('resume')
        this.#owner.onFailure(asError(error))
      },
    )
    this.#works.follow(opening)
  }

  #opened(part: Part, boundaryUs: number, released: number): void {
    if (released !== this.#released) {
      this.#works.finish(part, this.lanes.frontUs) // empty: its file goes
      return
    }
    this.#opening = false
    this.#endClosing()
    if (this.#part !== undefined) this.#closing = { part: this.#part, boundaryUs, sinceMs: this.#services.now() }
    this.#part = part
    this.#segmenter.begin()
    this.lanes.lead = undefined
    if (this.parts.length === 0) part.zeroUs = 0
    this.parts.push(part)
    part.listen({ onFailure: (error) => this.#fail(part, error), onDrain: () => this.#owner.onReady() })
    this.#settleClosing()
    this.#owner.onCreated(part)
    if (part.failure !== undefined) this.#fail(part, part.failure)
    this.#owner.onReady()
    // what waited for the file, and what the part before still holds, has waited long enough
    this.#flush(part)
    this.#flush(this.#closing?.part)
  }

  /** Everything that was written goes to the operating system now: nothing more may come for long. */
  flush(): void {
    this.#flush(this.#closing?.part)
    this.#flush(this.#part)
  }

  #flush(part: Part | undefined): void {
    if (part?.state !== 'open') return
    try {
      part.flush()
    } catch (error) {
      this.#fail(part, asError(error))
    }
  }

  /** The part before goes when nobody writes into it any more. */
  #settleClosing(): void {
    const closing = this.#closing
    if (closing !== undefined && !this.lanes.uses(closing.part)) this.#endClosing()
  }

  #endClosing(): void {
    const closing = this.#closing
    if (closing === undefined) return
    this.#closing = undefined
    this.lanes.leave(closing.part)
    this.#works.finish(closing.part, this.lanes.frontUs)
  }

  #fail(part: Part | undefined, error: Error): void {
    if (part !== undefined) {
      if (part.state !== 'open') return
      part.fault ??= error
      if (part === this.#closing?.part) {
        this.#endClosing()
        return
      }
    }
    if (part !== this.#part) return
    this.release('resume')
    this.#owner.onFailure(error)
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
