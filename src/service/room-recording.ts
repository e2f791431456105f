import { relative } from 'node:path'
import type { LiveStream } from '../live/stream.ts'
import type { Logger } from '../media/ports.ts'
import { NothingRecordedError } from '../recorder/outcome.ts'
import type { Part } from '../recorder/part.ts'
import type { RecordOptions } from '../recorder/recorder.ts'
import type { Recording } from '../recorder/recording.ts'
import { faultReport } from '../recorder/report.ts'
import type { RecordingState } from '../recorder/state-machine.ts'
import type { CatalogueEntry } from '../state/catalogue-entry.ts'
import type { RecordingFile, RecordingObject } from '../state/recording-object.ts'
import type { CatalogueRecord } from './catalogue-record.ts'
import { NobodyCameError } from './errors.ts'
import { isOver, ParticipantTake } from './participant-take.ts'
import { errorObject, mainFacts, sourceBytes } from './recorded-files.ts'
import type { RecorderCalls, TakeOwner } from './recorder-calls.ts'

/** Files of one recording: beyond this it is stopped, below what a manifest may have. */
const MAX_FILES = 9000
/** Participants of one recording: who comes after them is not taken in. */
const MAX_PARTICIPANTS = 9000

/** Why a recording took no further frame. */
export type StopReason =
  | 'requested'
  | 'max-duration'
  | 'max-size'
  | 'max-files'
  | 'everybody-left'
  | 'nobody-came'
  | 'shutdown'

/** What is to be kept of whom. */
export interface RoomRecordingOptions {
  readonly record: CatalogueRecord
  readonly calls: RecorderCalls
  readonly logger: Logger
  /** Where recordings lie, absolute. */
  readonly recordDir: string
  /** Undefined for everybody. */
  readonly participants: readonly string[] | undefined
  /** How each participant is recorded. */
  readonly recordOptions: RecordOptions
  /** The streams of the room, now. */
  streams(): readonly LiveStream[]
  /** Where the manifest goes of one that is kept from its first file on. */
  manifestPathFor?(first: Part): string
  /** Files at most, if not `MAX_FILES`. */
  readonly maxFiles?: number
  /** It has stopped because it has as many files as it may: called in that very moment. */
  onFull?(): void
  /** It is in the catalogue now, and was not before. */
  onKept?(): void
  /** Nothing will be added to its files. Not called when it was cancelled. `kept`: there is a file. */
  onFilesFinal(room: RoomRecording, outcome: { kept: boolean; patch: Partial<RecordingObject> }): void
}

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
  readonly #takes = new Map<string, ParticipantTake>()
  /** Ids of files in the order in which they were made. */
  readonly #fileIds: string[] = []
  #stopReason: StopReason | undefined
  #startedAtMs: number | undefined
  #pausedAtMs: number | undefined
  #pausesMs = 0
  #resolveFinal: () => void = () => undefined
  /** The moment from which time on the recording's clock counts, as `performance.now` has it. */
  readonly zeroAtMs: number

  constructor(options: RoomRecordingOptions) {
    this.#options = options
    this.record = options.record
    this.zeroAtMs = performance.now()
    this.filesFinal = new Promise((resolve) => {
      this.#resolveFinal = resolve
    })
  }

  /** Frames are, or may be, taken. */
  get isOpen(): boolean {
    const { status } = this.record
    return status === 'pending' || status === 'recording' || status === 'paused'
  }
  get figures(): LiveFigures {
    let sizeBytes = 0
    for (const take of this.#takes.values()) sizeBytes += take.sizeBytes
    return { durationMs: this.#durationMs, sizeBytes, bitrateBps: this.bitrateBps }
  }
  /** What all participants together write now. */
  get bitrateBps(): number {
    let bitrateBps = 0
    for (const take of this.#takes.values()) bitrateBps += take.bitrateBps
    return bitrateBps
  }

  /** How much of what it may last is used up, ms: media, or time without pauses where that is more. */
  elapsedMs(nowMs: number): number {
    const sinceMs =
      this.#startedAtMs === undefined ? 0 : (this.#pausedAtMs ?? nowMs) - this.#startedAtMs - this.#pausesMs
    return Math.max(this.#durationMs, sinceMs)
  }

  /** Whether what `participantId` publishes now goes into it. */
  records(participantId: string): boolean {
    return this.#takes.get(participantId)?.active !== undefined
  }

  /** Begins with those who are there. */
  begin(): void {
    for (const stream of this.#options.streams()) this.joined(stream)
  }

  /** Somebody publishes in the room. */
  joined(stream: LiveStream): void {
    const { participant } = stream.address
    const { participants, calls, recordOptions } = this.#options
    if (!this.isOpen || this.record.status === 'paused') return // who comes during a pause is taken in after it
    if (participants !== undefined && !participants.includes(participant)) return
    const take = this.#takes.get(participant) ?? new ParticipantTake(participant)
    if (this.#takes.size >= MAX_PARTICIPANTS && take.stretches.length === 0) return
    this.#takes.set(participant, take)
    if (take.active !== undefined) return // was away for a moment: goes on where it was
    const marks = () => this.record.entry.markers.map(({ label, at_ms }) => ({ atMs: at_ms, title: label }))
    take.add(calls.record(stream, { ...recordOptions, zeroAtMs: this.zeroAtMs, marks }, this))
  }

  /** @throws IllegalMoveError unless it is recording */
  pause(): void {
    this.record.demand('recording', 'paused')
    for (const { active } of this.#takes.values()) active?.pause()
    this.#pausedAtMs = performance.now()
    this.record.move('paused', { recording: this.snapshot() })
  }

  /** @throws IllegalMoveError unless it is paused */
  resume(): void {
    this.record.demand('paused', 'recording')
    for (const { active } of this.#takes.values()) if (active?.state !== 'recording') active?.resume()
    this.#pausesMs += performance.now() - (this.#pausedAtMs ?? performance.now())
    this.#pausedAtMs = undefined
    this.record.move('recording', { recording: this.snapshot() })
    this.begin()
    this.#checkPresence()
  }

  /** No further frame is taken; the files are finished. @throws IllegalMoveError */
  stop(reason: StopReason): void {
    const progress = { stage: 'finalising', percent: 0, eta_seconds: null }
    this.record.move('processing', { recording: { ...this.snapshot(), progress } }, { reason })
    this.record.emit('recording_processing', { ...progress, jobs: 0 })
    this.#stopReason = reason
    for (const take of this.#takes.values()) void take.active?.stop()
    this.#finish().catch((error: unknown) => {
      this.#options.logger.error({ err: error, recording: this.record.id }, 'recording cannot be concluded')
    })
  }

  /** Its files go, finished or not. The record says `cancelled` already. */
  async discard(): Promise<void> {
    const stretches = [...this.#takes.values()].flatMap((take) => take.stretches)
    await Promise.all(stretches.map((stretch) => this.#discardStretch(stretch)))
    this.#resolveFinal()
  }

  /** What is true of it now, and changes all the time. */
  snapshot(): Partial<RecordingObject> {
    const { manifest_path: manifestPath } = this.record.entry
    const files = manifestPath === null ? [] : this.#filesInOrder(manifestPath)
    return {
      files,
      participants: [...this.#takes.values()].map((take) => take.participant()),
      duration_seconds: this.#durationMs / 1000,
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
    const take = this.#takes.get(recording.address.participant)
    if (take === undefined || this.record.status === 'cancelled') return
    take.add(recording)
    this.#fileIds.push(part.identity.id)
    if (!this.record.isKept) this.#keep(part)
    else if (!this.record.isFinal && !this.record.entry.automatic) this.record.change({ recording: this.snapshot() })
    const { maxFiles = MAX_FILES, onFull } = this.#options
    if (this.#fileIds.length < maxFiles || !this.isOpen) return
    this.stop('max-files')
    onFull?.()
  }

  moved(recording: Recording, to: RecordingState): void {
    if (to === 'recording' && this.record.status === 'pending') {
      this.#startedAtMs = performance.now()
      this.record.move('recording')
    }
    if (isOver(recording)) queueMicrotask(() => this.#checkPresence()) // who is replaced is back in the same moment
  }

  /** Of the furthest participant. */
  get #durationMs(): number {
    let durationMs = 0
    for (const take of this.#takes.values()) durationMs = Math.max(durationMs, take.durationMs)
    return durationMs
  }

  #keep(first: Part): void {
    const { manifestPathFor, onKept } = this.#options
    const path = manifestPathFor?.(first)
    if (path === undefined) return
    this.record.change({ manifest_path: path }) // known to nobody yet
    this.record.keep({ recording: this.snapshot() })
    onKept?.()
  }

  #filesInOrder(manifestPath: string): RecordingFile[] {
    const files = [...this.#takes.values()].flatMap((take) => take.files(manifestPath))
    if (this.#takes.size < 2) return files
    const places = new Map(this.#fileIds.map((id, i) => [id, i]))
    return files.sort((one, other) => (places.get(one.file_id) ?? 0) - (places.get(other.file_id) ?? 0))
  }

  /** Stops when nobody is there, nor may come back. */
  #checkPresence(): void {
    if (!this.isOpen || this.#takes.size === 0) return
    for (const take of this.#takes.values()) if (take.active !== undefined) return
    const { participants, streams } = this.#options
    const isAwaited = ({ address }: LiveStream) => participants?.includes(address.participant) ?? true
    if (!streams().some(isAwaited)) this.stop('everybody-left')
    else this.begin()
  }

  async #finish(): Promise<void> {
    await Promise.all([...this.#takes.values()].flatMap((take) => take.stretches.map(({ finished }) => finished)))
    this.#resolveFinal()
    if (this.record.status !== 'processing') return
    const snapshot = this.snapshot()
    const kept = snapshot.files?.some(({ state }) => state !== 'removed') === true
    const patch = { ...snapshot, report: this.#report(), error: this.#error(kept) }
    this.#options.onFilesFinal(this, { kept, patch })
  }

  #error(kept: boolean): RecordingObject['error'] {
    const stretches = [...this.#takes.values()].flatMap((take) => take.stretches)
    const errors = stretches.map((stretch) => stretch.report().error).filter((error) => error !== undefined)
    const nothing = faultReport(new NobodyCameError(this.record.entry.recording.room_id))
    // one of several who sent nothing is no fault of the recording
    const told = kept ? errors.find(({ code }) => code !== NOTHING_RECORDED) : (errors[0] ?? nothing)
    return told === undefined ? null : errorObject(told)
  }

  #report(): Record<string, unknown> {
    const { recordDir } = this.#options
    const participants = [...this.#takes.values()].map((take) => ({
      participant_id: take.participantId,
      recordings: take.stretches.map((stretch) => {
        const report = stretch.report()
        return { ...report, parts: report.parts.map((part) => ({ ...part, path: relative(recordDir, part.path) })) }
      }),
    }))
    return JSON.parse(JSON.stringify({ version: 1, stop_reason: this.#stopReason, participants }))
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

const NOTHING_RECORDED = new NothingRecordedError({ room: '', participant: '' }, undefined).code
