import { resolve } from 'node:path'
import { formatOfPath } from '../container/formats.ts'
import type { Hub } from '../live/hub.ts'
import { LiveStream, type StreamAddress } from '../live/stream.ts'
import type { EndReason } from '../live/subscriber.ts'
import { MisuseError } from '../media/errors.ts'
import { isDoneWithin } from '../media/patience.ts'
import type { Logger } from '../media/ports.ts'
import type { Replay } from '../media/replay.ts'
import type { Journal, JournalEntry } from '../state/journal.ts'
import type { Storage } from '../storage/ports.ts'
import { type Audit, noAudit } from './audit.ts'
import type { RecorderConfig } from './config.ts'
import { DiskSpace } from './disk-space.ts'
import { FilenameTemplate } from './naming.ts'
import { OpenFileRegister } from './open-file-register.ts'
import type { Part } from './part.ts'
import { PartFinisher } from './part-finisher.ts'
import { Recording } from './recording.ts'
import type { RecordingOptions } from './recording-options.ts'
import { Recovery, type RecoveryProgress } from './recovery.ts'
import type { RecordingServices } from './services.ts'
import type { RecordingState } from './state-machine.ts'

/** How often recordings are looked after, ms: half of what a crash may cost. */
const TICK_MS = 500
/** How long the start waits for a disk to say what is free, ms. */
const FIRST_POLL_MS = 2000
/** How often files that could not be finished are tried again, ms. */
const RETRY_MS = 10_000

/** What a recorder works with. */
export interface RecorderOptions {
  readonly hub: Hub
  readonly storage: Storage
  readonly journal: Journal
  readonly config: RecorderConfig
  readonly logger: Logger
  readonly audit?: Audit
  /** See `RecoveryOptions`. */
  replays?(entry: JournalEntry): Promise<readonly Replay[]>
  /** A monotonic clock, ms; `performance.now` by default. */
  readonly now?: () => number
}

/**
 * How one recording differs from the settings. `path`: instead of a name by the template; `_2` is appended when it is taken,
 * and its ending tells the format where `format` does not.
 */
export type RecordOptions = Partial<Omit<RecordingOptions, 'address' | 'isAutomatic'>>

/** Follows a recorder. Calls come in the moment of the event; a throw is logged. */
export interface RecorderListener {
  started?(recording: Recording): void
  /** A new file, the first or a further part. */
  created?(recording: Recording, part: Part): void
  /** A file is complete, finished or mended. */
  finalised?(part: Part): void
  moved?(recording: Recording, from: RecordingState, to: RecordingState): void
  /** A participant has gone, and its recording waits for it. */
  left?(recording: Recording, reason: EndReason): void
  /** It came back within the window. */
  returned?(recording: Recording): void
}

/** Recordings of this recorder that came to an end, and that began. */
export interface RecorderTotals {
  readonly started: number
  readonly completed: number
  readonly failed: number
  readonly cancelled: number
}

/** Records live streams into files: all of them, or those that it is told to. */
export class Recorder {
  readonly #options: RecorderOptions
  readonly #services: RecordingServices
  readonly #space: DiskSpace
  readonly #recovery: Recovery
  readonly #active = new Set<Recording>()
  readonly #listeners = new Set<RecorderListener>()
  readonly #totals = { started: 0, completed: 0, failed: 0, cancelled: 0 }
  #unlisten: (() => void) | undefined
  #timer: NodeJS.Timeout | undefined
  #lastStatsMs = 0
  #lastRetryMs = 0
  #isStopped = false

  constructor(options: RecorderOptions) {
    const { storage, journal, logger, config } = options
    const audit = options.audit ?? noAudit
    const register = new OpenFileRegister(journal, logger)
    const finisher = new PartFinisher({
      storage,
      register,
      audit,
      logger,
      onFinalised: (part) => this.#tell((listener) => listener.finalised?.(part)),
    })
    this.#options = options
    this.#services = {
      storage,
      register,
      audit,
      logger,
      config: { ...config, dir: resolve(config.dir) },
      template: new FilenameTemplate(config.filename),
      finisher,
      now: options.now ?? (() => performance.now()),
    }
    this.#space = new DiskSpace(storage, {
      directory: this.#services.config.dir,
      leastBytes: config.minFreeMb * 1_000_000,
      logger,
    })
    this.#recovery = new Recovery({ ...options, register, audit })
  }

  /** Where recordings go, absolute. */
  get directory(): string {
    return this.#services.config.dir
  }
  /** Recordings that have not come to their end. */
  get recordings(): readonly Recording[] {
    return [...this.#active]
  }
  get totals(): RecorderTotals {
    return { ...this.#totals }
  }
  get recovery(): RecoveryProgress {
    return this.#recovery.progress
  }
  /** Free space where recordings go, as last asked, bytes. */
  get freeBytes(): number | undefined {
    return this.#space.freeBytes
  }
  /** Recording is held up because too little space is left. */
  get isDiskLow(): boolean {
    return this.#space.isLow
  }
  /** Files that could not be finished, and are tried again. */
  get unfinishedFiles(): number {
    return this.#services.finisher.unfinishedCount
  }

  find(id: string): Recording | undefined {
    return this.recordings.find((recording) => recording.id === id)
  }

  /** Begins to follow the hub. Files that a crash left are repaired beside it: see `recovered`. */
  async start(): Promise<void> {
    await isDoneWithin(this.#space.poll(0), FIRST_POLL_MS)
    this.#unlisten = this.#options.hub.listen({ started: (stream) => this.#started(stream) })
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref()
    this.#lastStatsMs = this.#lastRetryMs = this.#services.now()
    for (const stream of this.#options.hub.streams) this.#started(stream)
    void this.#recovery.run()
  }

  /** Resolves when everything that a crash left has been looked at. */
  recovered(): Promise<void> {
    return this.#recovery.run()
  }

  /**
   * Records `target` from its last keyframe on; of an address under which nobody publishes, the next stream.
   * @throws MisuseError after `stop`
   */
  record(target: LiveStream | StreamAddress, options: RecordOptions = {}): Recording {
    return this.#record(target, options, false)
  }

  #record(target: LiveStream | StreamAddress, options: RecordOptions, isAutomatic: boolean): Recording {
    if (this.#isStopped) throw new MisuseError('recorder: it was stopped')
    const isStream = target instanceof LiveStream
    const address = isStream ? target.address : { room: target.room, participant: target.participant }
    const pathFormat = options.path === undefined ? undefined : formatOfPath(options.path)
    const ownFormat = pathFormat === 'ogg' ? undefined : pathFormat
    const recording = new Recording(
      this.#services,
      { ...options, address, format: options.format ?? ownFormat ?? this.#options.config.format, isAutomatic },
      {
        created: (of, part) => this.#created(of, part),
        moved: (of, from, to) => this.#moved(of, from, to),
        left: (of, reason) => this.#left(of, reason),
        returned: (of) => this.#returned(of),
      },
    )
    this.#active.add(recording)
    this.#totals.started++
    this.#tell((listener) => listener.started?.(recording))
    if (this.#space.isLow && !recording.isElsewhere) recording.interrupt(this.#space.error)
    const stream = isStream ? target : this.#options.hub.find(address)
    if (stream !== undefined) recording.attach(stream)
    return recording
  }

  /** Returns the way to stop listening. */
  listen(listener: RecorderListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Finishes all recordings. What is not done at the deadline is left to the next start. Never throws. */
  async stop(options: { deadlineMs: number }): Promise<void> {
    this.#isStopped = true
    this.#unlisten?.()
    const all = Promise.all([...this.recordings.map((recording) => recording.stop()), this.#recovery.stop()])
    const areFinished = await isDoneWithin(all, options.deadlineMs)
    clearInterval(this.#timer)
    this.#services.finisher.abandonAll()
    if (areFinished) return
    const { logger } = this.#options
    logger.warn(
      { recordings: this.#active.size },
      'not all recordings could be finished in time; the next start repairs them',
    )
  }

  #started(stream: LiveStream): void {
    const { room, participant } = stream.address
    const waiting = this.recordings.filter(
      ({ address, isWaiting }) => isWaiting && address.room === room && address.participant === participant,
    )
    for (const recording of waiting) recording.attach(stream)
    // one in a directory of its own was asked for beside what is kept of every stream
    const isKept = waiting.some(({ isApart }) => !isApart)
    if (this.#options.config.recordAll && !isKept && stream.ended === undefined) this.#record(stream, {}, true)
  }

  #created(recording: Recording, part: Part): void {
    const { index, reason, format } = part.identity
    const fields = { ...recording.address, recording: recording.id, path: part.path, format, part: index, reason }
    if (reason === 'start') this.#options.logger.info(fields, 'recording')
    else if (reason === 'resume') this.#options.logger.info(fields, 'recording goes on in a new file')
    else this.#options.logger.info(fields, 'next part')
    this.#tell((listener) => listener.created?.(recording, part))
  }

  #moved(recording: Recording, from: RecordingState, to: RecordingState): void {
    if (to === 'completed' || to === 'failed' || to === 'cancelled') {
      this.#active.delete(recording)
      this.#totals[to]++
      const { packets, durationMs, droppedFrames, parts } = recording.stats()
      const fields = { ...recording.address, recording: recording.id, parts, durationMs, packets, droppedFrames }
      this.#options.logger.info({ ...fields, error: recording.report().error }, `recording ${to}`)
    }
    this.#tell((listener) => listener.moved?.(recording, from, to))
  }

  #left(recording: Recording, reason: EndReason): void {
    const fields = { ...recording.address, recording: recording.id, reason }
    this.#options.logger.info(fields, 'participant is away; its recording waits')
    this.#tell((listener) => listener.left?.(recording, reason))
  }

  #returned(recording: Recording): void {
    const fields = { ...recording.address, recording: recording.id, reconnects: recording.reconnects }
    this.#options.logger.info(fields, 'participant is back; its recording goes on')
    this.#tell((listener) => listener.returned?.(recording))
  }

  #tick(): void {
    const nowMs = this.#services.now()
    let pendingBytes = 0
    for (const recording of this.#active) {
      recording.tick(nowMs, this.#space.hasRoom || recording.isElsewhere)
      pendingBytes += recording.stats().backlogBytes
    }
    void this.#space.poll(pendingBytes).then((isNewlyLow) => {
      if (!isNewlyLow) return
      for (const recording of this.#active) if (!recording.isElsewhere) recording.interrupt(this.#space.error)
    })
    if (nowMs - this.#lastRetryMs >= RETRY_MS && this.#space.hasRoom) {
      this.#lastRetryMs = nowMs
      void this.#services.finisher.retry()
      if (this.#recovery.isIncomplete) void this.#recovery.run()
    }
    const { statsIntervalMs } = this.#options.config
    if (statsIntervalMs > 0 && nowMs - this.#lastStatsMs >= statsIntervalMs) {
      this.#lastStatsMs = nowMs
      this.#logStats()
    }
  }

  #logStats(): void {
    for (const recording of this.#active) {
      const { id, address, state } = recording
      this.#options.logger.info({ ...address, recording: id, state, ...recording.stats() }, 'recording stats')
    }
  }

  #tell(call: (listener: RecorderListener) => void): void {
    for (const listener of this.#listeners) {
      try {
        call(listener)
      } catch (error) {
        this.#options.logger.error({ err: error }, 'recorder listener failed')
      }
    }
  }
}
