import type { EventSink, EventType } from '../events/event.ts'
import type { Logger } from '../media/ports.ts'
import { StateMachine } from '../recorder/state-machine.ts'
import type { CatalogueEntry, Course, JobReference, Marker } from '../state/catalogue-entry.ts'
import type { RecordingObject, RecordingStatus } from '../state/recording-object.ts'
import { isDoneSoon } from './disk-patience.ts'
import type { ManifestStore } from './manifest.ts'

/** Takes entries for the catalogue and keeps at it until the state has them. */
export interface EntryWriter {
  put(entry: CatalogueEntry): void
}

/** Where a record is kept and told of. */
export interface RecordKeeping {
  readonly manifests: Pick<ManifestStore, 'write'>
  readonly writer: EntryWriter
  readonly sink: EventSink
  readonly logger: Logger
}

/** What of an entry changes beside the recording itself. */
export interface EntryPatch {
  readonly owner?: CatalogueEntry['owner']
  readonly manifest_path?: string | null
  readonly hold?: boolean
  readonly markers?: readonly Marker[]
  readonly jobs?: readonly JobReference[]
  readonly course?: Course
  readonly recording?: Partial<Omit<RecordingObject, 'status'>>
}

/** Where a change goes: to the manifest and the catalogue, or only to the copy in the catalogue. */
export type Keeping = 'lasting' | 'copy'

const EVENT_OF: Readonly<Record<RecordingStatus, EventType | undefined>> = {
  pending: undefined,
  recording: 'recording_started',
  paused: 'recording_paused',
  processing: 'recording_stopped',
  completed: 'recording_completed',
  failed: 'recording_failed',
  cancelled: 'recording_cancelled',
}
const FINAL: readonly RecordingStatus[] = ['completed', 'failed', 'cancelled']

/** Whether nothing will happen to a recording of this status any more. */
export function isFinal(status: RecordingStatus): boolean {
  return FINAL.includes(status)
}

/**
 * One recording in the catalogue, as this process holds it: the newest revision in memory, the manifest and the catalogue
 * following behind, in order. Every move and every change goes through here.
 */
export class CatalogueRecord {
  readonly #keeping: RecordKeeping
  readonly #machine: StateMachine
  #entry: CatalogueEntry
  #written: Promise<void> = Promise.resolve()
  /** Until it is kept, nothing leaves this process; this is what has to be told then. */
  #untold: (() => void)[] | undefined
  #isSealed = false

  /** `isKept`: the catalogue and the disk know of it already, or will by `keep`. */
  constructor(keeping: RecordKeeping, entry: CatalogueEntry, options: { isKept: boolean }) {
    this.#keeping = keeping
    this.#entry = entry
    this.#untold = options.isKept ? undefined : []
    this.#machine = new StateMachine(entry.recording.recording_id, () => undefined, entry.recording.status)
  }

  get entry(): CatalogueEntry {
    return this.#entry
  }
  get id(): string {
    return this.#entry.recording.recording_id
  }
  get status(): RecordingStatus {
    return this.#machine.state
  }
  get isFinal(): boolean {
    return this.#machine.isFinal
  }
  get isKept(): boolean {
    return this.#untold === undefined
  }

  /** With `patch` it goes into the catalogue and onto the disk, and what happened so far is told. Once. */
  keep(patch: EntryPatch): void {
    const untold = this.#untold
    if (untold === undefined) return
    this.#untold = undefined
    this.change(patch)
    for (const tell of untold) tell()
  }

  /** For a move that is possible from other states, too, but then means something else. @throws IllegalMoveError */
  demand(from: RecordingStatus, to: RecordingStatus): void {
    this.#machine.demand(from, to)
  }

  /**
   * Moves on, notes when, and tells of it with `details`.
   * @throws IllegalMoveError
   */
  move(to: RecordingStatus, patch: EntryPatch = {}, details: Readonly<Record<string, unknown>> = {}): void {
    const from = this.#machine.state
    this.#machine.move(to)
    const recording = { ...patch.recording, ...momentOf(from, to) }
    this.#apply({ ...patch, recording, ...(isFinal(to) && to !== 'cancelled' ? { owner: null } : {}) }, to, 'lasting')
    const type = from === 'paused' && to === 'recording' ? 'recording_resumed' : EVENT_OF[to]
    if (type !== undefined) this.emit(type, { ...this.#figures(), ...details })
  }

  /** Changes what is not the status. */
  change(patch: EntryPatch, keeping: Keeping = 'lasting'): void {
    this.#apply(patch, this.#entry.recording.status, keeping)
  }

  /** Its manifest is about to go: none is written any more, whoever changes something meanwhile. */
  async seal(): Promise<void> {
    await this.#written
    this.#isSealed = true
    await this.#written // what was changed until then
  }

  /**
   * Resolves when the manifest is on disk as of now. A disk that refuses is logged, and the next change tries again; nobody
   * waits long for one that blocks.
   */
  async written(): Promise<void> {
    await isDoneSoon(this.#written)
  }

  /** Tells of something that happened to it. */
  emit(type: EventType, details: Readonly<Record<string, unknown>>): void {
    const { recording_id, room_id, user_id, status } = this.#entry.recording
    const data = { recording_id, room_id, user_id, status, ...details }
    const tell = () =>
      this.#keeping.sink.emit({ type, roomId: room_id, recordingId: recording_id, userId: user_id, data })
    if (this.#untold === undefined) tell()
    else this.#untold.push(tell)
  }

  #apply(patch: EntryPatch, status: RecordingStatus, keeping: Keeping): void {
    const { recording, markers, jobs, ...rest } = patch
    this.#entry = {
      ...this.#entry,
      ...rest,
      ...(markers === undefined ? {} : { markers: [...markers] }),
      ...(jobs === undefined ? {} : { jobs: [...jobs] }),
      revision: this.#entry.revision + 1,
      recording: { ...this.#entry.recording, ...recording, status },
    }
    if (this.#untold !== undefined) return
    if (keeping === 'lasting' && this.#entry.manifest_path !== null) this.#write()
    this.#keeping.writer.put(this.#entry)
  }

  #write(): void {
    if (this.#isSealed) return
    const { manifests, logger } = this.#keeping
    const entry = this.#entry
    this.#written = manifests.write(entry).catch((error: unknown) => {
      logger.warn({ err: error, recording: this.id, path: entry.manifest_path }, 'manifest cannot be written now')
    })
  }

  #figures(): Readonly<Record<string, unknown>> {
    const { duration_seconds, file_size_bytes, error } = this.#entry.recording
    return { duration_seconds, file_size_bytes, ...(error === null ? {} : { error }) }
  }
}

function momentOf(from: RecordingStatus, to: RecordingStatus): Partial<RecordingObject> {
  const now = new Date().toISOString()
  switch (to) {
    case 'recording':
      return from === 'paused' ? { resumed_at: now } : { started_at: now }
    case 'paused':
      return { paused_at: now }
    case 'processing':
      return { stopped_at: now }
    case 'completed':
      return { processed_at: now, progress: null }
    case 'failed':
    case 'cancelled':
      return from === 'processing' ? { progress: null } : { stopped_at: now, progress: null }
    case 'pending':
      return {}
    default:
      return to satisfies never
  }
}
