import { randomUUID } from 'node:crypto'
import type { Format } from '../container/reader.ts'
import type { LiveStream, StreamAddress, Subscription } from '../live/stream.ts'
import type { EndReason, Subscriber } from '../live/subscriber.ts'
import { toMs } from '../media/clock.ts'
import { TapedeckError } from '../media/errors.ts'
import type { Frame } from '../media/frame.ts'
import type { Track } from '../media/track.ts'
import type { Part } from './part.ts'
import { Pipeline } from './pipeline.ts'
import { RateMeter } from './rate-meter.ts'
import { bitrateOf, type FaultReport, faultReport, partReport, type RecordingReport, trackReport } from './report.ts'
import type { RecordingServices } from './services.ts'
import { type RecordingState, StateMachine } from './state-machine.ts'
import type { RecordingStats } from './stats.ts'
import { US_PER_S } from './track-clock.ts'

/** A recording ended without a single frame in a file. */
export class NothingRecordedError extends TapedeckError {
  readonly code = 'TD_NOTHING_RECORDED'
  readonly fault = 'peer'

  constructor(address: StreamAddress) {
    super(
      `${address.room}/${address.participant}: it ended before a keyframe or any sound came; check what the encoder sends`,
    )
  }
}

/** What is to be recorded, and how. */
export interface RecordingOptions {
  readonly address: StreamAddress
  readonly format: Format
  /** Instead of a name by the template. */
  readonly path?: string
  /** Written into the files; `room/participant` by default. */
  readonly title?: string
}

/** Follows one recording. */
export interface RecordingListener {
  created?(recording: Recording, part: Part): void
  /** In the moment of the change. `finished` resolves a little later, when the report is written, too. */
  moved?(recording: Recording, from: RecordingState, to: RecordingState): void
}

/**
 * One recording of one participant, from its first keyframe to its finished files. It follows a live stream, and whatever
 * happens to its files, the stream never notices.
 */
export class Recording implements Subscriber {
  readonly kind = 'recording'
  readonly id = randomUUID()
  readonly address: StreamAddress
  /** Its files go to a path of their own, not to the recorder's directory. */
  readonly isElsewhere: boolean
  /** Wall clock, ms since 1970: when it was asked for. */
  readonly startedAtMs = Date.now()
  /** Resolves when the state is final. Never rejects. */
  readonly finished: Promise<void>
  readonly #services: RecordingServices
  readonly #machine: StateMachine
  readonly #pipeline: Pipeline
  readonly #rate: RateMeter
  #resolveFinished: () => void = () => undefined
  #subscription: Subscription | undefined
  #isCongested = false
  #endReason: EndReason | 'stopped' | undefined
  #endedAtMs: number | undefined
  #error: FaultReport | undefined

  constructor(services: RecordingServices, options: RecordingOptions, listener: RecordingListener = {}) {
    const { address, format, path, title } = options
    this.address = address
    this.isElsewhere = path !== undefined
    this.#services = services
    this.#machine = new StateMachine(this.id, (from, to) => listener.moved?.(this, from, to))
    this.#rate = new RateMeter(services.now())
    this.finished = new Promise((resolve) => {
      this.#resolveFinished = resolve
    })
    this.#pipeline = new Pipeline(
      services,
      { recordingId: this.id, address, title, path, format, startedAtMs: this.startedAtMs },
      {
        onBegun: () => {
          if (this.#machine.state === 'pending') this.#machine.move('recording')
        },
        onCreated: (part) => listener.created?.(this, part),
        onCongestion: (congested) => {
          this.#isCongested = congested
          if (this.#subscription !== undefined) this.#subscription.congested = congested
        },
      },
    )
  }

  get state(): RecordingState {
    return this.#machine.state
  }
  /** Why the files cannot be written now: a full disk, say. */
  get interruption(): FaultReport | undefined {
    const { outages } = this.#pipeline
    return outages.isRunning ? faultReport(outages.current) : undefined
  }
  /** The files so far, oldest first. */
  get parts(): readonly Part[] {
    return this.#pipeline.parts.parts
  }
  /** Waits for its stream. */
  get isAttached(): boolean {
    return this.#subscription !== undefined
  }

  /** Follows `stream` from its last keyframe on. Once. */
  attach(stream: LiveStream): void {
    if (this.#subscription !== undefined || this.#endReason !== undefined) return
    const subscription = stream.subscribe(this, { fromKeyframe: true })
    subscription.congested = this.#isCongested
    if (this.#endReason === undefined) this.#subscription = subscription
    else subscription.close()
  }

  track(track: Track): void {
    this.#pipeline.announce(track)
  }

  frame(frame: Frame): void {
    if (this.#machine.state === 'paused' || this.#endReason !== undefined) return
    this.#pipeline.write(frame)
  }

  flush(): void {
    this.#pipeline.timeline.touch()
  }

  end(reason: EndReason): void {
    this.#subscription = undefined
    this.#end(reason)
  }

  /** @throws IllegalMoveError unless it is recording */
  pause(): void {
    this.#machine.move('paused')
  }

  /** The next keyframe follows what was recorded last. @throws IllegalMoveError unless it is paused */
  resume(): void {
    this.#machine.demand('paused', 'recording')
    this.#pipeline.timeline.closeUp()
    this.#machine.move('recording')
  }

  /** Finishes the files. Resolves when that is done, however it went; a second call waits for the same. */
  stop(): Promise<void> {
    this.#subscription?.close()
    this.#subscription = undefined
    this.#end('stopped')
    return this.finished
  }

  /** Ends it and removes its files. @throws IllegalMoveError when it has come to its end already */
  async cancel(): Promise<void> {
    this.#machine.move('cancelled')
    this.#endReason ??= 'stopped'
    this.#subscription?.close()
    this.#subscription = undefined
    await this.#pipeline.discard()
    this.#endedAtMs = Date.now()
    this.#resolveFinished()
  }

  /** Closes the file that is open, playable; goes on in a new one once `tick` says there is room. */
  interrupt(error: Error): void {
    if (this.#endReason === undefined) this.#pipeline.interrupt(error)
  }

  /** Called twice a second. `hasRoom`: the disk has more free space than has to be left. */
  tick(nowMs: number, hasRoom: boolean): void {
    if (!this.#machine.isFinal) this.#pipeline.tick(nowMs, hasRoom)
  }

  stats(): RecordingStats {
    const { parts, timeline, outages } = this.#pipeline
    const sums = { videoFrames: 0, audioFrames: 0, bytes: 0, keyframes: 0 }
    let keyframeIntervalMs: number | undefined
    for (const lane of parts.lanes.all) {
      sums[lane.track.kind === 'video' ? 'videoFrames' : 'audioFrames'] += lane.frames
      sums.bytes += lane.bytes
      sums.keyframes += lane.keyframes
      keyframeIntervalMs ??= lane.keyframeIntervalMs
    }
    return {
      ...sums,
      packets: sums.videoFrames + sums.audioFrames,
      keyframeIntervalMs,
      durationMs: toMs(parts.lanes.frontUs, US_PER_S),
      bitrateBps: this.#rate.read(sums.bytes, this.#services.now()),
      droppedFrames: this.#pipeline.droppedFrames,
      droppedBytes: this.#pipeline.droppedBytes,
      gaps: parts.lanes.gaps.count,
      jumps: timeline.jumps.count,
      outages: outages.tally.count + (outages.isRunning ? 1 : 0),
      queuedFrames: this.#pipeline.queuedFrames,
      queuedBytes: this.#pipeline.queuedBytes,
      backlogBytes: parts.backlogBytes,
      parts: parts.parts.length,
    }
  }

  report(): RecordingReport {
    const { parts, timeline, outages, skippedFrames } = this.#pipeline
    const { durationMs, packets, bytes, droppedFrames, droppedBytes } = this.stats()
    return {
      version: 1,
      id: this.id,
      ...this.address,
      state: this.state,
      startedAt: new Date(this.startedAtMs).toISOString(),
      endedAt: this.#endedAtMs === undefined ? undefined : new Date(this.#endedAtMs).toISOString(),
      endReason: this.#endReason,
      durationMs,
      frames: packets,
      bytes,
      bitrateBps: bitrateOf(bytes, durationMs),
      tracks: parts.lanes.all.map((lane) => trackReport(lane.track, lane, durationMs)),
      parts: parts.parts.map(partReport),
      gaps: parts.lanes.gaps.report(),
      jumps: timeline.jumps.report(),
      outages: outages.tally.report(),
      droppedFrames,
      droppedBytes,
      skippedFrames,
      nudgedFrames: parts.lanes.all.reduce((sum, lane) => sum + lane.nudgedFrames, timeline.nudgedFrames),
      error: this.#error,
    }
  }

  #end(reason: EndReason | 'stopped'): void {
    if (this.#endReason !== undefined) return
    this.#endReason = reason
    void this.#finish()
  }

  async #finish(): Promise<void> {
    this.#machine.move('processing')
    const lastError = this.#pipeline.outages.current
    await this.#pipeline.finish()
    if (this.#machine.isFinal) return
    this.#endedAtMs = Date.now()
    const kept = this.parts.filter(({ state }) => state !== 'removed')
    const fault = kept.findLast(({ state }) => state === 'torn')?.fault ?? lastError
    if (kept.length === 0) this.#error = faultReport(fault ?? new NothingRecordedError(this.address))
    else if (fault !== undefined) this.#error = faultReport(fault)
    this.#machine.move(kept.length === 0 ? 'failed' : 'completed')
    if (this.#services.config.report) await this.#writeReport(kept[0])
    this.#resolveFinished()
  }

  async #writeReport(first: Part | undefined): Promise<void> {
    if (first === undefined) return
    const path = `${first.path}.json`
    try {
      await this.#services.storage.replace(path, Buffer.from(`${JSON.stringify(this.report(), undefined, 2)}\n`))
    } catch (error) {
      this.#services.logger.error({ err: error, path }, 'report could not be written')
    }
  }
}
