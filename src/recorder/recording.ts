import { randomUUID } from 'node:crypto'
import { resolve } from 'node:path'
import type { Format } from '../container/reader.ts'
import type { LiveStream, StreamAddress, Subscription } from '../live/stream.ts'
import type { EndReason, Subscriber } from '../live/subscriber.ts'
import { toMs } from '../media/clock.ts'
import { MisuseError } from '../media/errors.ts'
import type { Frame } from '../media/frame.ts'
import type { Track } from '../media/track.ts'
import { type ChapteredFile, chaptersOf } from './chapters.ts'
import type { AskedFormat } from './format-choice.ts'
import { outcomeOf } from './outcome.ts'
import type { Part } from './part.ts'
import { Pipeline } from './pipeline.ts'
import { Presence } from './presence.ts'
import { RateMeter } from './rate-meter.ts'
import { liesOutside, type RecordingOptions } from './recording-options.ts'
import { fileReport, ReportFile, recordingReport } from './recording-report.ts'
import { type FaultReport, faultReport, type PartReport, type RecordingReport } from './report.ts'
import type { RecordingServices } from './services.ts'
import { SourceBook } from './source-book.ts'
import { type RecordingState, StateMachine } from './state-machine.ts'
import { type RecordingStats, statsOf } from './stats.ts'
import { US_PER_S } from './track-clock.ts'

/** Follows one recording. */
export interface RecordingListener {
  created?(recording: Recording, part: Part): void
  /** In the moment of the change. `finished` resolves a little later, when the report is written, too. */
  moved?(recording: Recording, from: RecordingState, to: RecordingState): void
  /** Its participant has gone and is waited for: the file stays open, all of it on the disk. */
  left?(recording: Recording, reason: EndReason): void
  /** It is back within the window. */
  returned?(recording: Recording): void
}

/**
 * One recording of one participant, from its first keyframe to its finished files. It follows a live stream, and whatever
 * happens to its files, the stream never notices. With a reconnect window it follows the next stream of the participant,
 * too: in the same file, with a hole as long as the participant was away.
 */
export class Recording implements Subscriber {
  readonly kind = 'recording'
  readonly id = randomUUID()
  readonly address: StreamAddress
  /** Its files go to a path of their own, not to the recorder's directory. */
  readonly isElsewhere: boolean
  /** Its files lie in a directory, or under a name, of their own. */
  readonly isApart: boolean
  readonly isAutomatic: boolean
  readonly askedFormat: AskedFormat
  /** Wall clock, ms since 1970: when it was asked for. */
  readonly startedAtMs = Date.now()
  /** Resolves when the state is final. Never rejects. */
  readonly finished: Promise<void>
  readonly #services: RecordingServices
  readonly #machine: StateMachine
  readonly #pipeline: Pipeline
  readonly #rate: RateMeter
  readonly #presence: Presence
  readonly #sources = new SourceBook()
  readonly #reportFile: ReportFile
  readonly #listener: RecordingListener
  /** Paused before it was recording anything. */
  #isHeldBack = false
  #resolveFinished: () => void = () => undefined
  #subscription: Subscription | undefined
  #isCongested = false
  #endReason: EndReason | 'stopped' | undefined
  #endedAtMs: number | undefined
  #error: FaultReport | undefined

  constructor(services: RecordingServices, options: RecordingOptions, listener: RecordingListener = {}) {
    const { address, format, path, title, directory, zeroAtMs, partDurationMs, partSizeBytes } = options
    this.address = address
    this.askedFormat = format
    this.isAutomatic = options.isAutomatic === true
    this.isApart = path !== undefined || directory !== undefined
    this.isElsewhere = liesOutside(services.config.dir, options)
    this.#presence = new Presence(options.reconnectWindowMs ?? 0)
    this.#reportFile = new ReportFile(services)
    this.#listener = listener
    this.#services = services
    this.#machine = new StateMachine(this.id, (from, to) => listener.moved?.(this, from, to))
    this.#rate = new RateMeter(services.now())
    this.finished = new Promise((resolve) => {
      this.#resolveFinished = resolve
    })
    this.#pipeline = new Pipeline(
      services,
      {
        recordingId: this.id,
        address,
        title,
        path,
        directory: directory === undefined ? undefined : resolve(directory),
        format,
        audioFormat: options.audioFormat ?? services.config.audioFormat,
        video: () => this.#sources.video,
        awaitsVideo: () => this.#sources.awaitsVideo,
        resizes: () => this.#sources.resizes,
        partDurationMs,
        partSizeBytes,
        zeroAtMs,
        startedAtMs: options.namedAtMs ?? this.startedAtMs,
        firstPart: options.firstPart ?? 1,
      },
      {
        onBegun: () => this.#begun(),
        onCreated: (part) => {
          const { marks } = options
          if (marks !== undefined) part.chapters = () => chaptersOf(marks(), this.#chaptered(part))
          listener.created?.(this, part)
        },
        onCongestion: (congested) => {
          this.#isCongested = congested
          if (this.#subscription !== undefined) this.#subscription.congested = congested
        },
        onGap: () => this.#sources.requestKeyframe(),
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
  /** The container of its first file; undefined before there is one. */
  get format(): Format | undefined {
    return this.parts[0]?.identity.format
  }
  /** It follows a stream. */
  get isAttached(): boolean {
    return this.#subscription !== undefined
  }
  /** Its participant has gone and may still return. */
  get isAway(): boolean {
    return this.#presence.awayReason !== undefined && !this.#presence.isOver(this.#services.now())
  }
  /** When the first of its media was taken, ms since 1970. */
  get joinedAtMs(): number | undefined {
    return this.#presence.joinedAtMs
  }
  /** When its participant went away, ms since 1970; undefined while it is there. */
  get leftAtMs(): number | undefined {
    return this.#presence.leftAtMs
  }
  /** How often its participant came back within the window. */
  get reconnects(): number {
    return this.#presence.reconnects
  }
  /** How far it has come on its own time, in which pauses are closed up. */
  get frontMs(): number {
    return toMs(this.#pipeline.parts.lanes.frontUs, US_PER_S)
  }
  /** It takes a stream of its participant now: it waits for the first one, or for the next. */
  get isWaiting(): boolean {
    if (this.isAttached || this.#endReason !== undefined) return false
    return this.isAway || (this.state === 'pending' && this.#presence.awayReason === undefined)
  }

  /** Follows `stream` from its last keyframe on, unless it follows one already or has ended. */
  attach(stream: LiveStream): void {
    if (this.#subscription !== undefined || this.#endReason !== undefined) return
    const hasReturned = this.#presence.arrive()
    this.#sources.arrive(stream)
    this.#pipeline.join(this.#services.now() - Math.max(0, Date.now() - stream.startedAtMs))
    if (hasReturned) this.#listener.returned?.(this)
    const subscription = stream.subscribe(this, { fromKeyframe: true })
    this.#pipeline.joined()
    if (stream.ended !== undefined || this.#endReason !== undefined) {
      subscription.close()
      return
    }
    subscription.congested = this.#isCongested
    this.#subscription = subscription
  }

  track(track: Track): void {
    this.#pipeline.announce(track)
  }

  frame(frame: Frame): void {
    if (this.#machine.state === 'paused' || this.#isHeldBack || this.#endReason !== undefined) return
    this.#pipeline.write(frame)
  }

  flush(): void {
    this.#pipeline.timeline.touch()
  }

  end(reason: EndReason): void {
    this.#subscription = undefined
    this.#sources.leave()
    if (this.#endReason !== undefined) return
    if (this.#presence.leave(reason, this.#services.now())) {
      this.#pipeline.leave()
      this.#listener.left?.(this, reason)
    } else this.#end(reason)
  }

  /** While it is pending, nothing is taken until it is resumed. @throws IllegalMoveError unless it is recording or pending */
  pause(): void {
    if (this.#machine.state === 'pending' && !this.#isHeldBack) this.#isHeldBack = true
    else this.#machine.move('paused')
  }

  /** The next keyframe follows what was recorded last. @throws IllegalMoveError unless it is paused */
  resume(): void {
    if (this.#isHeldBack && this.#machine.state === 'pending') {
      this.#isHeldBack = false
      this.#sources.requestKeyframe()
      return
    }
    this.#machine.demand('paused', 'recording')
    const { timeline } = this.#pipeline
    if (this.isAttached) timeline.closeUp()
    else timeline.closeUpNow()
    this.#machine.move('recording')
    this.#sources.requestKeyframe()
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
    this.#presence.giveUp()
    this.#subscription?.close()
    this.#subscription = undefined
    await this.#discard()
    this.#endedAtMs = Date.now()
    this.#resolveFinished()
  }

  /** Removes its files, and its report, from the disk; failures are logged. @throws MisuseError unless it has come to its end */
  async removeFiles(): Promise<void> {
    if (!this.#machine.isFinal) throw new MisuseError(`recording ${this.id} is ${this.state}: its files are in use`)
    await this.finished
    await this.#discard()
  }

  /** Closes the file that is open, playable; goes on in a new one once `tick` says there is room. */
  interrupt(error: Error): void {
    if (this.#endReason === undefined) this.#pipeline.interrupt(error)
  }

  /** Called twice a second. `hasRoom`: the disk has more free space than has to be left. */
  tick(nowMs: number, hasRoom: boolean): void {
    if (this.#machine.isFinal) return
    const { awayReason } = this.#presence
    if (awayReason !== undefined && this.#presence.isOver(nowMs)) this.#end(awayReason)
    else this.#pipeline.tick(nowMs, hasRoom)
  }

  stats(): RecordingStats {
    return statsOf(this.#pipeline, (bytes) => this.#rate.read(bytes, this.#services.now()))
  }

  /** The files so far, oldest first, with live figures. */
  files(): PartReport[] {
    return this.parts.map((part) => fileReport(part, this.#pipeline))
  }

  report(): RecordingReport {
    const [endedAtMs, endReason, error] = [this.#endedAtMs, this.#endReason, this.#error]
    const { id, address, state, askedFormat, startedAtMs } = this
    const facts = { id, address, state, askedFormat, startedAtMs, endedAtMs, endReason, error }
    return recordingReport(facts, this.#pipeline, this.#presence, this.#sources, this.stats())
  }

  #end(reason: EndReason | 'stopped'): void {
    if (this.#endReason !== undefined) return
    this.#endReason = reason
    this.#presence.giveUp()
    this.#sources.leave()
    void this.#finish()
  }

  async #discard(): Promise<void> {
    await this.#pipeline.discard()
    await this.#reportFile.remove()
  }

  #begun(): void {
    this.#presence.joinedAtMs ??= Date.now()
    if (this.#machine.state !== 'pending') return
    this.#machine.move('recording')
    if (!this.#isHeldBack) return
    this.#isHeldBack = false
    this.#machine.move('paused')
  }

  async #finish(): Promise<void> {
    this.#machine.move('processing')
    const lastError = this.#pipeline.outages.current
    await this.#pipeline.finish()
    if (this.#machine.isFinal) return
    this.#endedAtMs = Date.now()
    const { kept, error } = outcomeOf(this.address, this.parts, this.#sources, lastError)
    this.#error = error
    this.#machine.move(kept.length === 0 ? 'failed' : 'completed')
    if (this.#services.config.report && kept.length > 0) await this.#reportFile.write(kept[0], this.report())
    this.#resolveFinished()
  }

  #chaptered(part: Part): ChapteredFile {
    const { anchors, durationMs } = fileReport(part, this.#pipeline)
    const isOver = this.state !== 'recording' && this.state !== 'paused'
    const isLast = isOver && this.parts.at(-1) === part
    return { anchors, durationMs, isFirst: part.identity.index === 1, isLast }
  }
}
