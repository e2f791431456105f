import type { LiveStream } from '../live/stream.ts'
import type { Part } from '../recorder/part.ts'
import type { RecordOptions } from '../recorder/recorder.ts'
import type { Recording } from '../recorder/recording.ts'
import type { RecordingState } from '../recorder/state-machine.ts'
import type { CatalogueEntry } from '../state/catalogue-entry.ts'
import type { RecordingFile, RecordingObject } from '../state/recording-object.ts'
import type { CatalogueRecord } from './catalogue-record.ts'
import { isOver, type ParticipantTake } from './participant-take.ts'
import type { Past } from './past.ts'
import { mainFacts, sourceBytes } from './recorded-files.ts'
import type { TakeOwner } from './recorder-calls.ts'
import { RoomClock } from './room-clock.ts'
import type { RoomRecordingOptions, StopReason } from './room-recording-options.ts'
import { errorOf, reportOf, wasEnded } from './room-report.ts'
import { RoomTakes } from './room-takes.ts'

/** Files of one recording: beyond this it is stopped, below what a manifest may have. */
const MAX_FILES = 9000
/** Participants of one recording: who comes after them is not taken in. */
const MAX_PARTICIPANTS = 9000

/** After this the place of a participant's beginning on the clock is measured as well as it will be, ms: see `Alignment`. */
const SETTLED_MS = 4000

/** Figures that change all the time. */
export interface LiveFigures {
  /** Of the furthest participant. */
  readonly durationMs: number
  readonly sizeBytes: number
  readonly bitrateBps: number
}

/**
 * A recording of a room while frames are taken and files are finished: one recorder's recording per participant, all on one
 * clock. Whoever comes later is taken in; when everybody has gone it stops by itself.
 */
export class RoomRecording implements TakeOwner {
  readonly record: CatalogueRecord
  /** Resolves when nothing will be added to its files. Never rejects. */
  readonly filesFinal: Promise<void>
  readonly #options: RoomRecordingOptions
  readonly #takes: RoomTakes
  readonly #clock: RoomClock
  #stopReason: StopReason | undefined
  /** When the manifest should say where the last beginning lies on the clock. */
  #settledAtMs = Number.POSITIVE_INFINITY
  #resolveFinal: () => void = () => undefined

  constructor(options: RoomRecordingOptions) {
    this.#options = options
    this.record = options.record
    this.#clock = new RoomClock(options.past)
    this.#takes = new RoomTakes(options.past)
    this.filesFinal = new Promise((resolve) => {
      this.#resolveFinal = resolve
    })
    if (options.past !== undefined) this.#goOn(options.past)
  }

  /** Frames are, or may be, taken. */
  get isOpen(): boolean {
    const { status } = this.record
    return status === 'pending' || status === 'recording' || status === 'paused'
  }
  get figures(): LiveFigures {
    const { durationMs, sizeBytes, bitrateBps } = this.#takes
    return { durationMs, sizeBytes, bitrateBps }
  }
  /** What all participants together write now. */
  get bitrateBps(): number {
    return this.#takes.bitrateBps
  }
  /** The moment from which time on the recording's clock counts, as `performance.now` has it. */
  get zeroAtMs(): number {
    return this.#clock.zeroAtMs
  }

  /** How much of what it may last is used up, ms: media, or time without pauses where that is more. */
  elapsedMs(nowMs: number): number {
    return Math.max(this.#takes.durationMs, this.#clock.runningMs(nowMs))
  }

  /** Whether what `participantId` publishes now goes into it. */
  records(participantId: string): boolean {
    return this.#takes.find(participantId)?.active !== undefined
  }

  /** Begins with those who are there. */
  begin(): void {
    for (const stream of this.#options.streams()) this.joined(stream)
  }

  /** Somebody publishes in the room. */
  joined(stream: LiveStream): void {
    const { participant } = stream.address
    const { participants, calls } = this.#options
    if (!this.isOpen || this.record.status === 'paused') return // who comes during a pause is taken in after it
    if (participants !== undefined && !participants.includes(participant)) return
    const take = this.#takes.of(participant, MAX_PARTICIPANTS)
    if (take === undefined || take.active !== undefined) return // was away for a moment: goes on where it was
    const marks = () => this.record.entry.markers.map(({ label, at_ms }) => ({ atMs: at_ms, title: label }))
    const naming = this.record.entry.automatic ? this.#naming(take) : {}
    const options = { ...this.#options.recordOptions(stream), ...naming, zeroAtMs: this.zeroAtMs, marks }
    take.add(calls.record(stream, options, this))
    this.#options.past?.returned(participant)
  }

  /**
   * Called about once a second. A crash must find in the manifest where files lie on the clock; and of those whom it had before
   * one, nobody may have come back.
   */
  tick(nowMs: number): void {
    if (nowMs >= this.#settledAtMs && this.isOpen && this.record.isKept) {
      this.#settledAtMs = Number.POSITIVE_INFINITY
      this.record.change({ recording: this.snapshot() })
    }
    const { past } = this.#options
    if (past !== undefined && !past.isAwaiting(nowMs)) this.#checkPresence()
  }

  /** Whether it waits for somebody whom it had before a crash. */
  isAwaiting(nowMs: number): boolean {
    return this.isOpen && this.#options.past?.isAwaiting(nowMs) === true
  }

  /** @throws IllegalMoveError unless it is recording */
  pause(): void {
    this.record.demand('recording', 'paused')
    for (const stretch of this.#takes.active) stretch.pause()
    this.#clock.pause()
    this.record.move('paused', { recording: this.snapshot() })
  }

  /** @throws IllegalMoveError unless it is paused */
  resume(): void {
    this.record.demand('paused', 'recording')
    for (const stretch of this.#takes.active) if (stretch.state !== 'recording') stretch.resume()
    this.#clock.resume()
    this.record.move('recording', { recording: this.snapshot(), course: this.#clock.course })
    this.begin()
    this.#checkPresence()
  }

  /** No further frame is taken; the files are finished. @throws IllegalMoveError */
  stop(reason: StopReason): void {
    const progress = { stage: 'finalising', percent: 0, eta_seconds: null }
    this.record.move('processing', { recording: { ...this.snapshot(), progress } }, { reason })
    this.record.emit('recording_processing', { ...progress, jobs: 0 })
    this.#stopReason = reason
    for (const stretch of this.#takes.active) void stretch.stop()
    this.#finish().catch((error: unknown) => {
      this.#options.logger.error({ err: error, recording: this.record.id }, 'recording cannot be concluded')
    })
  }

  /** Its files go, finished or not. The record says `cancelled` already. */
  async discard(): Promise<void> {
    await Promise.all(this.#takes.stretches.map((stretch) => this.#discardStretch(stretch)))
    await this.#options.past?.mended
    if (this.#options.past !== undefined) this.record.change({ recording: this.snapshot() }, 'copy') // all that is to go
    this.#resolveFinal()
  }

  /** What is true of it now, and changes all the time. */
  snapshot(): Partial<RecordingObject> {
    const { manifest_path: manifestPath } = this.record.entry
    const files = manifestPath === null ? [] : this.#takes.files(manifestPath)
    return {
      files,
      participants: this.#takes.all.map((take) => take.participant()),
      duration_seconds: this.#takes.durationMs / 1000,
      file_size_bytes: sourceBytes(files),
      ...mainFacts(this.record.entry, files, this.#options.recordDir),
      ...this.#format(files),
    }
  }

  /** The entry with live figures. */
  live(): CatalogueEntry {
    const { entry } = this.record
    if (!this.isOpen) return entry
    return { ...entry, recording: { ...entry.recording, ...this.snapshot() } }
  }

  created(recording: Recording, part: Part): void {
    const take = this.#takes.find(recording.address.participant)
    if (take === undefined || this.record.status === 'cancelled') return
    take.add(recording)
    this.#takes.created(part)
    if (recording.parts.length === 1) this.#settledAtMs = performance.now() + SETTLED_MS
    if (!this.record.isKept) this.#keep(part)
    else if (!this.record.isFinal && (!this.record.entry.automatic || this.#options.past !== undefined)) {
      this.record.change({ recording: this.snapshot() })
    }
    const { maxFiles = MAX_FILES, onFull } = this.#options
    if (this.#takes.fileCount < maxFiles || !this.isOpen) return
    this.stop('max-files')
    onFull?.()
  }

  moved(recording: Recording, to: RecordingState): void {
    if (to === 'recording' && this.record.status === 'pending') {
      this.#clock.start()
      this.record.move('recording', { course: this.#clock.course })
    }
    if (isOver(recording)) queueMicrotask(() => this.#checkPresence()) // who is replaced is back in the same moment
  }

  #keep(first: Part): void {
    const { manifestPathFor, onKept } = this.#options
    const path = manifestPathFor?.(first)
    if (path === undefined) return
    this.record.change({ manifest_path: path }) // known to nobody yet
    this.record.keep({ recording: this.snapshot() })
    onKept?.()
  }

  /** Stops when nobody is there, nor may come back. */
  #checkPresence(): void {
    const { participants, streams, past } = this.#options
    // named participants may come whenever they like
    if (!this.isOpen || (this.#takes.size === 0 && (past === undefined || participants !== undefined))) return
    if (this.#takes.active.length > 0) return
    const isAwaited = ({ address }: LiveStream) => participants?.includes(address.participant) ?? true
    if (streams().some(isAwaited)) this.begin()
    else if (past?.isAwaiting(performance.now()) !== true) this.stop('everybody-left')
  }

  async #finish(): Promise<void> {
    await Promise.all(this.#takes.stretches.map(({ finished }) => finished))
    const { past, recordDir } = this.#options
    await past?.mended
    this.#resolveFinal()
    if (this.record.status !== 'processing') return
    const snapshot = this.snapshot()
    const kept = snapshot.files?.some(({ state }) => state !== 'removed') === true
    const takes = this.#takes.all
    const facts = {
      roomId: this.record.entry.recording.room_id,
      stopReason: this.#stopReason,
      recordDir,
      takes,
      past,
      kept,
    }
    const patch = { ...snapshot, report: reportOf(facts), error: errorOf(facts) }
    if (past === undefined || !wasEnded(facts)) {
      this.#options.onFilesFinal(this.record, { kept, patch })
      return
    }
    const { duration_seconds, file_size_bytes } = snapshot
    if (kept) this.record.emit('recording_interrupted', { duration_seconds, file_size_bytes, error: patch.error })
    this.#options.onFilesFinal(this.record, { kept, patch: { ...patch, stopped_at: past.lastKeptAt } })
  }

  /** Takes up what there was before a crash; what its files really are is known a little later. */
  #goOn(past: Past): void {
    void past.mended.then(() => {
      this.#takes.takeUp()
      if (!this.isOpen) return
      this.record.change({ recording: this.snapshot(), course: this.#clock.course })
      const { duration_seconds, file_size_bytes } = this.record.entry.recording
      const interruption = past.interruptions.at(-1)
      this.record.emit('recording_revived', { duration_seconds, file_size_bytes, interruption })
    })
  }

  /** Files of an automatic recording are known by the name of its first one. */
  #naming(take: ParticipantTake): Pick<RecordOptions, 'namedAtMs' | 'firstPart'> {
    return { namedAtMs: this.#clock.zeroWallMs, firstPart: take.fileCount + 1 }
  }

  #format(files: readonly RecordingFile[]): Partial<RecordingObject> {
    const { format } = this.record.entry.recording
    const chosen = files[0]?.format
    if (format !== 'auto' || (chosen !== 'mp4' && chosen !== 'webm' && chosen !== 'mkv' && chosen !== 'flv')) return {}
    return { format: chosen }
  }

  async #discardStretch(stretch: Recording): Promise<void> {
    if (stretch.state === 'completed' || stretch.state === 'failed') await stretch.removeFiles()
    else if (stretch.state !== 'cancelled') await stretch.cancel()
  }
}
