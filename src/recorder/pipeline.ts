import type { Frame } from '../media/frame.ts'
import { FrameQueue } from '../media/frame-queue.ts'
import type { Track } from '../media/track.ts'
import { Gathering } from './gathering.ts'
import { Outages } from './outages.ts'
import type { Part } from './part.ts'
import { PartSequence } from './part-sequence.ts'
import type { PartSequenceOptions } from './part-sequence-options.ts'
import { faultReport } from './report.ts'
import type { RecordingServices } from './services.ts'
import { Timeline } from './timeline.ts'

/** Frames that may wait for a disk; the bound in bytes is reached first by all but streams of tiny frames. */
const MAX_QUEUED_FRAMES = 65_536

/** What a pipeline is for. */
export interface PipelineOptions extends PartSequenceOptions {
  readonly zeroAtMs: number | undefined
  /** See `GatheringLimits.awaitsVideo`. */
  readonly awaitsVideo: () => boolean
}

/** Who owns a pipeline. */
export interface PipelineOwner {
  /** The first frames of a publisher have a place in time. */
  onBegun(): void
  onCreated(part: Part): void
  /** Frames wait for the disk, or no longer. */
  onCongestion(congested: boolean): void
  /** Media is missing from here on, up to the next keyframe. */
  onGap(): void
}

/**
 * The way of the frames of one recording: gathered at first, laid onto its time, and, straight through or by way of a
 * bounded queue where the disk is slow, into its parts. Failures of files end here: they cost media, which is counted.
 */
export class Pipeline {
  readonly #services: RecordingServices
  readonly #owner: PipelineOwner
  /** Fields of log lines. */
  readonly #names: object
  readonly #queue: FrameQueue
  readonly #awaitsVideo: () => boolean
  readonly timeline: Timeline
  readonly parts: PartSequence
  readonly outages = new Outages()
  #gathering: Gathering | undefined
  #gatheringSkipped = 0
  /** Since when the publisher is there, by the monotonic wall clock; undefined before the first. */
  #sinceMs: number | undefined
  /** What comes now is older than now: see `join`. */
  #isCatchingUp = false
  /** Taken from the queue, but not by the parts yet. */
  #next: Frame | undefined
  #isPumping = false
  #isCongested = false
  #droppedBefore: number | undefined
  #drained: (() => void)[] = []

  constructor(services: RecordingServices, options: PipelineOptions, owner: PipelineOwner) {
    const { config, now } = services
    const maxBytes = config.maxBacklogMb * 1_000_000
    this.#services = services
    this.#owner = owner
    this.#awaitsVideo = options.awaitsVideo
    this.#names = { ...options.address, recording: options.recordingId }
    this.timeline = new Timeline({ jumpMs: config.jumpMs, now, zeroAtMs: options.zeroAtMs })
    this.#queue = new FrameQueue({ maxBytes, maxFrames: MAX_QUEUED_FRAMES })
    this.#gathering = this.#newGathering()
    this.parts = new PartSequence(services, options, {
      onReady: () => this.#pump(),
      onCreated: (part) => owner.onCreated(part),
      onFailure: (error) => this.interrupt(error),
    })
  }

  get queuedFrames(): number {
    return this.#queue.length + (this.#gathering?.length ?? 0)
  }
  get queuedBytes(): number {
    return this.#queue.bytes + (this.#gathering?.bytes ?? 0)
  }
  get droppedFrames(): number {
    return this.#queue.droppedFrames
  }
  get droppedBytes(): number {
    return this.#queue.droppedBytes
  }
  /** Frames before the first keyframe, or of video that lost its keyframe. */
  get skippedFrames(): number {
    const gathering = this.#gatheringSkipped + (this.#gathering?.skippedFrames ?? 0)
    return gathering + this.timeline.skippedFrames + this.parts.leftOutFrames
  }

  /**
   * A publisher's frames are about to come; it has been there since `sinceMs` of the monotonic wall clock. Until `joined`
   * they are what was kept for late joiners: only the newest of them tells when it arrived.
   */
  join(sinceMs: number): void {
    if (this.#sinceMs !== undefined) this.#gathering = this.#newGathering()
    this.#sinceMs = sinceMs
    this.#isCatchingUp = true
  }

  joined(): void {
    this.#isCatchingUp = false
    if (this.#gathering?.isReady(this.#services.now()) === true) this.#begin(this.#gathering)
  }

  /** The publisher has gone and may return: what there is goes to the disk, the file stays open. */
  leave(): void {
    if (this.#gathering !== undefined) this.#begin(this.#gathering)
    this.timeline.leave()
    this.parts.flush()
  }

  announce(track: Track): void {
    this.#gathering?.announce(track)
  }

  /** `frame` is lent for the call. */
  write(frame: Frame): void {
    const gathering = this.#gathering
    if (gathering !== undefined) {
      const nowMs = this.#services.now()
      gathering.push(frame, nowMs)
      if (this.#isCatchingUp ? gathering.isFull : gathering.isReady(nowMs)) this.#begin(gathering)
      return
    }
    const placed = this.timeline.place(frame)
    if (placed !== undefined) this.#feed(placed)
  }

  /**
   * The files cannot be written, or should not be: what is open is closed playable, and what comes is dropped until `tick`
   * finds that it can go on.
   */
  interrupt(error: Error): void {
    const { logger, now } = this.#services
    if (this.outages.isRunning) return
    const isNews = this.outages.begin(error, now())
    this.#clear()
    this.parts.release('resume')
    const fields = { ...this.#names, code: faultReport(error).code, err: error }
    if (isNews) logger.error(fields, 'recording is interrupted: its file is closed, the stream goes on')
    else logger.debug(fields, 'recording is interrupted again')
    this.#settle()
  }

  /** Called twice a second. `hasRoom`: the disk has more free space than has to be left. */
  tick(nowMs: number, hasRoom: boolean): void {
    if (this.#gathering?.isReady(nowMs) === true) this.#begin(this.#gathering)
    if (hasRoom && this.outages.isRetryDue(nowMs)) {
      this.outages.end(nowMs)
      this.timeline.interrupt()
      this.#owner.onGap()
    }
    this.parts.tick(nowMs)
    this.#pump()
  }

  /** Writes everything that waits and finishes the files. Resolves when that is done, however it went. */
  async finish(): Promise<void> {
    if (this.#gathering !== undefined) this.#begin(this.#gathering)
    this.#pump()
    if (this.#isWaiting) await new Promise<void>((resolve) => this.#drained.push(resolve))
    await this.parts.finish()
    this.outages.end(this.#services.now())
  }

  /** Removes all files. */
  async discard(): Promise<void> {
    this.#gathering?.clear()
    this.#gathering = undefined
    this.#clear()
    await this.parts.discard()
    this.#settle()
  }

  get #isWaiting(): boolean {
    return this.#next !== undefined || this.#queue.length > 0
  }

  #begin(gathering: Gathering): void {
    this.#gathering = undefined
    this.#gatheringSkipped += gathering.skippedFrames
    if (gathering.length === 0) return
    const { leastMs, zeroUs, tracks } = gathering
    const fromUs = this.timeline.begin(zeroUs, { leastMs, sinceMs: this.#sinceMs ?? Number.NEGATIVE_INFINITY })
    const own = tracks.map((track) => this.timeline.trackOf(track))
    this.parts.lanes.expect(own, fromUs)
    this.#owner.onBegun()
    for (let frame = gathering.shift(); frame !== undefined; frame = gathering.shift()) {
      const placed = this.timeline.place(frame)
      if (placed !== undefined) this.#feed(placed)
      frame.release()
    }
  }

  #newGathering(): Gathering {
    const { trackWaitMs, maxBacklogMb } = this.#services.config
    return new Gathering({ trackWaitMs, maxBytes: maxBacklogMb * 1_000_000, awaitsVideo: this.#awaitsVideo })
  }

  #feed(frame: Frame): void {
    if (this.outages.isRunning) {
      this.outages.lose(1, frame.sizeBytes)
      return
    }
    if (this.#next === undefined && this.#queue.length === 0 && this.parts.write(frame)) return
    const dropped = this.#queue.droppedFrames
    this.#queue.push(frame)
    if (this.#queue.droppedFrames > dropped && this.#droppedBefore === undefined) {
      this.#droppedBefore = dropped
      this.#services.logger.warn(
        { ...this.#names, queuedBytes: this.#queue.bytes },
        'the disk does not keep up: media is dropped in whole groups of pictures',
      )
      this.#owner.onGap()
    }
    this.#congest(true)
  }

  #pump(): void {
    if (this.#isPumping) return
    this.#isPumping = true
    try {
      for (;;) {
        const frame = this.#next ?? this.#queue.shift()
        if (frame === undefined) break
        this.#next = frame
        if (!this.parts.write(frame)) break
        // a failure within `write` has let go of it already
        if (this.#next === frame) {
          this.#next = undefined
          frame.release()
        }
      }
    } finally {
      this.#isPumping = false
    }
    this.#settle()
  }

  /** Lets go of all that waits; it counts as lost in the outage. */
  #clear(): void {
    const frames = this.#queue.length + (this.#next === undefined ? 0 : 1)
    const bytes = this.#queue.bytes + (this.#next?.sizeBytes ?? 0)
    this.#queue.clear()
    this.#next?.release()
    this.#next = undefined
    this.outages.lose(frames, bytes)
  }

  /** Nothing waits any more: says so to whoever asked. */
  #settle(): void {
    if (this.#isWaiting) return
    this.#congest(false)
    if (this.#droppedBefore !== undefined && !this.outages.isRunning) {
      const droppedFrames = this.#queue.droppedFrames - this.#droppedBefore
      this.#droppedBefore = undefined
      this.#services.logger.info({ ...this.#names, droppedFrames }, 'the disk keeps up again')
      this.#owner.onGap()
    }
    for (const resolve of this.#drained.splice(0)) resolve()
  }

  #congest(congested: boolean): void {
    if (this.#isCongested === congested) return
    this.#isCongested = congested
    this.#owner.onCongestion(congested)
  }
}
