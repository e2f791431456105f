import { IllegalMoveError } from '../recorder/state-machine.ts'
import type { CatalogueEntry, Marker } from '../state/catalogue-entry.ts'
import type { RecordingFormat, RecordingStatus } from '../state/recording-object.ts'
import type { RecordingPage, RecordingQuery } from '../state/store.ts'
import { type CatalogueRecord, isFinal } from './catalogue-record.ts'
import { cleanUp } from './clean-up.ts'
import type { Capacity, RecordingControl, RoomView, StartRequest } from './control.ts'
import { ElsewhereError, FileUnknownError, StoppingError } from './errors.ts'
import { locateFile, manifestsFor } from './manifest-place.ts'
import { newMarker } from './markers.ts'
import { planOf } from './recording-plan.ts'
import type { RoomRecording } from './room-recording.ts'
import type { ServiceOptions } from './service-options.ts'
import type { ServiceStats } from './service-stats.ts'
import { ServiceWorks } from './service-works.ts'

/** How long lists wait for what an earlier process left to be brought to its end, ms. */
const RECONCILE_PATIENCE_MS = 5000
/** How long a cancellation waits for the state to know of it, ms. */
const CANCELLED_MS = 1000
/** How long after the start a list waits for the walk over manifests, ms. */
const SCAN_PATIENCE_MS = 5000

/**
 * Recordings of rooms under control. `new` → `open` → `close`; lives once. It is made before the recorder starts, opened
 * after it, and closed together with it.
 */
export class RecordingService implements RecordingControl {
  readonly #options: ServiceOptions
  readonly #works: ServiceWorks
  readonly #opened = Promise.withResolvers<void>()
  #reconciled: Promise<void> = Promise.resolve()
  #openedAtMs = 0
  #isClosing = false

  constructor(options: ServiceOptions) {
    this.#options = options
    this.#works = new ServiceWorks(options)
  }

  /** What it has done so far, for metrics. */
  get stats(): ServiceStats {
    return this.#works.stats
  }
  /** Changes of recordings that the state does not have yet. */
  get backlog(): number {
    return this.#works.writer.pending
  }

  /** Begins to follow the hub. What an earlier process left is brought to its end beside it: see `reconciled`. */
  open(): void {
    this.#works.open()
    this.#reconciled = this.#works.reconcile()
    this.#openedAtMs = performance.now()
    this.#opened.resolve()
  }

  /** Resolves when no recording of a dead process is live any more, and results of jobs that were missed are taken in. */
  reconciled(): Promise<void> {
    return this.#reconciled
  }

  /** Resolves when all recordings go on that are to: whoever publishes then is taken in from the first frame. */
  revived(): Promise<void> {
    return this.#works.revived()
  }

  /** Whether the recording that a file belongs to takes frames now. */
  takesOn(path: string): boolean {
    const places = manifestsFor(path)
    return this.#works.keeper.rooms.some(({ isOpen, record: { status, entry } }) => {
      return isOpen && status === 'recording' && entry.manifest_path !== null && places.includes(entry.manifest_path)
    })
  }

  /** Finishes all recordings; what has to be done by jobs is left to the next start. Never throws. */
  async close(options: { readonly deadlineMs: number }): Promise<void> {
    this.#isClosing = true
    this.#opened.resolve()
    await this.#works.close(options.deadlineMs)
  }

  async start(request: StartRequest): Promise<CatalogueEntry> {
    const plan = planOf(request, this.#options.settings.defaults)
    await this.#ready()
    if (this.#isClosing) throw new StoppingError()
    return this.#works.keeper.begin(plan)
  }

  async stop(id: string): Promise<CatalogueEntry> {
    const room = await this.#open(id, 'processing')
    room.stop('requested')
    await room.record.written()
    return room.record.entry
  }

  async pause(id: string): Promise<CatalogueEntry> {
    const room = await this.#open(id, 'paused')
    room.pause()
    await room.record.written()
    return room.live()
  }

  async resume(id: string): Promise<CatalogueEntry> {
    const room = await this.#open(id, 'recording')
    room.resume()
    await room.record.written()
    return room.live()
  }

  async cancel(id: string): Promise<CatalogueEntry> {
    const record = await this.#live(id, 'cancelled')
    const { keeper, processing, remover, manifests, writer } = this.#works
    const room = keeper.find(id)
    record.move('cancelled', room?.isOpen === true ? { recording: room.snapshot() } : {})
    try {
      await record.seal()
      await room?.discard()
      const { entry } = record
      const hadJobs = await processing.abandon(entry)
      await remover.eraseFiles(entry)
      if (hadJobs) this.#works.sweepLater(entry)
      // where the state does not know yet that it is cancelled, its manifest says so; the next start removes that
      const isStored = await writer.flush({ deadlineMs: CANCELLED_MS })
      if (isStored && entry.manifest_path !== null) await manifests.remove(entry)
      const nothing = { files: [], local_path: null, file_name: null, file_size_bytes: 0 }
      record.change({ ...(isStored ? { manifest_path: null } : {}), owner: null, recording: nothing })
      if (isStored) await writer.flush({ deadlineMs: CANCELLED_MS })
      return record.entry
    } finally {
      this.#works.ended(record)
    }
  }

  async get(id: string): Promise<CatalogueEntry> {
    const entry = this.#held(id)
    if (entry !== undefined) return entry
    await this.#ready()
    return this.#works.catalogue.load(id)
  }

  async list(query: RecordingQuery): Promise<RecordingPage> {
    await this.#ready()
    return this.#works.catalogue.list(query, (id) => this.#held(id))
  }

  async count(query: Omit<RecordingQuery, 'cursor' | 'limit'>): Promise<number> {
    await this.#ready()
    return this.#works.catalogue.count(query)
  }

  mark(id: string, label: string, atMs?: number): Promise<Marker> {
    return this.#works.catalogue.edit(id, async (record) => {
      const room = this.#works.keeper.find(id)
      const nowMs = room?.isOpen === true ? performance.now() - room.zeroAtMs : undefined
      const marker = newMarker(record.entry, label, { atMs, nowMs })
      record.change({ markers: [...record.entry.markers, marker] })
      const { marker_id, at_ms } = marker
      record.emit('marker_added', { marker_id, label, at_ms })
      await record.written()
      return marker
    })
  }

  async hold(id: string, isHeld: boolean): Promise<CatalogueEntry> {
    return this.#works.catalogue.edit(id, async (record) => {
      if (record.entry.hold !== isHeld) record.change({ hold: isHeld })
      await record.written()
      return this.#works.keeper.find(id)?.live() ?? record.entry
    })
  }

  remove(id: string): Promise<void> {
    return this.#works.remove(id, 'requested')
  }

  async filePath(id: string, fileId: string): Promise<string> {
    const entry = await this.get(id)
    const file = entry.recording.files.find(({ file_id, state }) => file_id === fileId && state !== 'removed')
    if (file === undefined) throw new FileUnknownError(id, fileId)
    return locateFile(entry, file, this.#works.manifests.recordDir)
  }

  async cleanUp(olderThanMs: number): Promise<number> {
    await this.#ready()
    return cleanUp(this, olderThanMs, (id) => this.remove(id))
  }

  rooms(): readonly RoomView[] {
    const recorded = this.#works.keeper.rooms.filter(({ isOpen }) => isOpen)
    return this.#works.watch?.rooms(recorded.map(({ record }) => record.entry.recording.room_id)) ?? []
  }

  /** The container that somebody asked for who records `roomId` now; undefined where nobody did. */
  formatIn(roomId: string): RecordingFormat | undefined {
    const asked = this.#works.keeper.rooms.find(({ isOpen, record: { entry } }) => {
      return isOpen && !entry.automatic && entry.recording.room_id === roomId
    })
    return asked?.record.entry.options?.format
  }

  disconnect(roomId: string, participantId: string): boolean {
    return this.#works.watch?.disconnect(roomId, participantId) ?? false
  }

  async capacity(): Promise<Capacity> {
    const { forecast, keeper, usedSpace, activeRequested } = this.#works
    const { hub, recorder, settings } = this.#options
    return {
      activeRecordings: activeRequested,
      maxRecordings: settings.limits.total,
      streams: hub.streams.length,
      diskFreeBytes: recorder.freeBytes,
      diskUsedBytes: await usedSpace.bytes(),
      writeRateBps: Math.round(keeper.writeRateBps),
      diskFullInSeconds: forecast.secondsLeft,
      isDiskLow: forecast.isLow,
    }
  }

  finished(id: string): Promise<CatalogueEntry> {
    return this.#works.finished(id)
  }

  /** Calls `ended` with each recording that has come to its end here. Returns the way to stop. */
  listen(ended: (entry: CatalogueEntry) => void): () => void {
    return this.#works.listen(ended)
  }

  /** With live figures, where it is ours. */
  #held(id: string): CatalogueEntry | undefined {
    const record = this.#works.catalogue.find(id)
    if (record?.isKept !== true) return undefined
    return this.#works.keeper.find(id)?.live() ?? record.entry
  }

  /** A room for which frames are taken. @throws IllegalMoveError, ElsewhereError, RecordingMissingError */
  async #open(id: string, to: RecordingStatus): Promise<RoomRecording> {
    const record = await this.#live(id, to)
    const room = this.#works.keeper.find(id)
    if (room === undefined || !room.isOpen) throw new IllegalMoveError(id, record.status, to)
    return room
  }

  /** A recording of ours that is not final. @throws IllegalMoveError, ElsewhereError, RecordingMissingError */
  async #live(id: string, to: RecordingStatus): Promise<CatalogueRecord> {
    const record = this.#works.catalogue.find(id)
    if (record?.isKept === true) {
      if (record.isFinal) throw new IllegalMoveError(id, record.status, to)
      return record
    }
    const { owner, recording } = await this.get(id)
    if (isFinal(recording.status)) throw new IllegalMoveError(id, recording.status, to)
    throw new ElsewhereError(id, owner?.node ?? this.#options.node)
  }

  /** It is open, and what an earlier process left is brought to its end, or takes longer than anybody should wait. */
  async #ready(): Promise<void> {
    await this.#opened.promise
    await this.#works.patiently(this.#works.settled(), RECONCILE_PATIENCE_MS)
    const leftMs = SCAN_PATIENCE_MS - (performance.now() - this.#openedAtMs)
    if (leftMs > 0) await this.#works.patiently(this.#reconciled, leftMs)
  }
}
