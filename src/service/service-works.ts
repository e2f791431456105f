import { isDoneWithin } from '../media/patience.ts'
import type { CatalogueEntry } from '../state/catalogue-entry.ts'
import { LIMITED_STATUSES } from '../state/recording-object.ts'
import { RecordingWriter } from '../state/recording-writer.ts'
import { Catalogue } from './catalogue.ts'
import { type CatalogueRecord, isFinal } from './catalogue-record.ts'
import { DiskForecast } from './disk-forecast.ts'
import { HeldError, RecordingLiveError } from './errors.ts'
import { ManifestStore } from './manifest.ts'
import { PostProcessing } from './post-processing.ts'
import { Reconciler } from './reconcile.ts'
import { RecorderCalls } from './recorder-calls.ts'
import { type DeletionReason, RecordingRemover } from './removal.ts'
import { Retention } from './retention.ts'
import { Revival } from './revival.ts'
import { RoomKeeper } from './room-keeper.ts'
import { RoomWatch } from './room-watch.ts'
import type { ServiceOptions } from './service-options.ts'
import { ServiceCounts, type ServiceStats } from './service-stats.ts'
import { UsedSpace } from './used-space.ts'

/** What manifests and the state are given for the last changes, ms. */
const FLUSH_MS = 2000
/** How long new automatic recordings wait until it is known what a crash left, ms. */
const REVIVAL_PATIENCE_MS = 3000
/** Jobs that were cancelled end within this, ms: what they leave is looked for then. */
const JOBS_END_MS = 3000

/** Everything that a service is made of, and how the pieces know each other. */
export class ServiceWorks {
  readonly manifests: ManifestStore
  readonly writer: RecordingWriter
  readonly catalogue: Catalogue
  readonly remover: RecordingRemover
  readonly processing: PostProcessing
  readonly forecast: DiskForecast
  readonly keeper: RoomKeeper
  readonly usedSpace: UsedSpace
  readonly #options: ServiceOptions
  readonly #calls: RecorderCalls
  readonly #reconciler: Reconciler
  readonly #retention: Retention
  readonly #revival: Revival
  #revived: Promise<void> = Promise.resolve()
  readonly #counts = new ServiceCounts()
  readonly #listeners = new Set<(entry: CatalogueEntry) => void>()
  readonly #waiting = new Map<string, PromiseWithResolvers<CatalogueEntry>>()
  #unlisten: () => void = () => undefined
  watch: RoomWatch | undefined

  constructor(options: ServiceOptions) {
    const { recorder, storage, store, sink, logger } = options
    const { recordings } = store
    this.#options = options
    this.manifests = new ManifestStore({ storage, recordDir: recorder.directory, logger })
    this.writer = new RecordingWriter(recordings, logger)
    this.catalogue = new Catalogue({ recordings, writer: this.writer, manifests: this.manifests, sink, logger })
    const forget = (id: string) => this.#forget(id)
    this.remover = new RecordingRemover({ ...options, manifests: this.manifests, forget })
    this.#calls = new RecorderCalls(recorder)
    this.usedSpace = new UsedSpace(storage, recorder.directory)
    this.processing = this.#makeProcessing()
    this.#reconciler = this.#makeReconciler()
    this.#retention = this.#makeRetention()
    this.forecast = this.#makeForecast()
    this.keeper = this.#makeKeeper()
    this.#revival = this.#makeRevival()
  }

  get stats(): ServiceStats {
    return this.#counts.read(this.catalogue.held)
  }
  /** Recordings that count against the limit, of this process. */
  get activeRequested(): number {
    let active = 0
    for (const { entry, status } of this.catalogue.held) {
      if (!entry.automatic && LIMITED_STATUSES.includes(status)) active++
    }
    return active
  }

  open(): void {
    this.#unlisten = this.#options.store.listen(({ isReachable }) => {
      if (isReachable) this.writer.retry()
    })
    this.#revived = this.#revive()
    this.watch = new RoomWatch({
      hub: this.#options.hub,
      sink: this.#options.sink,
      recordingsOf: (roomId, participantId) => this.#recordingsOf(roomId, participantId),
      onJoined: (stream) => this.keeper.joined(stream),
    })
  }

  /** Resolves when it is known which of the recordings that a crash interrupted go on. */
  revived(): Promise<void> {
    return this.#revived
  }

  /** Brings to their end what dead processes left, and takes in what jobs did meanwhile. Never throws. */
  async reconcile(): Promise<void> {
    await this.#revived
    await this.#reconciler.run()
    await this.processing.catchUp().catch((error: unknown) => {
      this.#options.logger.warn({ err: error }, 'results of jobs could not be asked for yet')
    })
    this.#reconciler.start()
    this.#retention.start()
  }

  /** See `Reconciler.settled`. */
  settled(): Promise<void> {
    return this.#reconciler.settled()
  }

  /** Finishes what runs, at most until the deadline; what is pending goes to disk and state. Never throws. */
  async close(deadlineMs: number): Promise<void> {
    const endsAtMs = performance.now() + deadlineMs
    this.watch?.close()
    this.#revival.conclude()
    await this.patiently(this.keeper.close(), deadlineMs)
    this.#revival.stop()
    const rest = Promise.all([this.#reconciler.stop(), this.#retention.stop()])
    await this.patiently(rest, Math.max(FLUSH_MS, endsAtMs - performance.now()))
    this.processing.close()
    this.#calls.close()
    await this.patiently(Promise.all([...this.catalogue.held].map((record) => record.written())), FLUSH_MS)
    await this.writer.flush({ deadlineMs: FLUSH_MS })
    this.#unlisten()
    this.writer.close()
  }

  /** A recording has come to its end: nobody holds it any more, and whoever waits is told. */
  ended(record: CatalogueRecord): void {
    const { id, entry } = record
    if (this.catalogue.find(id) !== record) return
    this.#counts.ended(record)
    this.catalogue.release(id)
    this.keeper.remove(id)
    this.#retention.poke()
    for (const listener of this.#listeners) listener(entry)
    this.#waiting.get(id)?.resolve(entry)
    this.#waiting.delete(id)
  }

  /** Calls `ended` with each recording that has come to its end here. Returns the way to stop. */
  listen(ended: (entry: CatalogueEntry) => void): () => void {
    this.#listeners.add(ended)
    return () => this.#listeners.delete(ended)
  }

  /** @throws RecordingMissingError, StateAwayError */
  async finished(id: string): Promise<CatalogueEntry> {
    if (this.catalogue.find(id) === undefined) {
      const entry = await this.catalogue.load(id)
      if (isFinal(entry.recording.status)) return entry
    }
    const waiting = this.#waiting.get(id) ?? Promise.withResolvers<CatalogueEntry>()
    this.#waiting.set(id, waiting)
    return waiting.promise
  }

  /**
   * Deletes one that has come to its end: after whatever still brings it there, and never two at a time, so that nothing puts
   * it back. @throws RecordingLiveError, HeldError, and what `Catalogue.edit` throws
   */
  async remove(id: string, reason: DeletionReason): Promise<void> {
    if (this.catalogue.find(id)?.isFinal === true) await this.finished(id)
    await this.catalogue.edit(id, async (record) => {
      if (!record.isFinal) throw new RecordingLiveError(id, record.status)
      if (record.entry.hold) throw new HeldError(id)
      const hadJobs = await this.processing.abandon(record.entry)
      await this.remover.delete(record.entry, reason)
      if (hadJobs) this.sweepLater(record.entry)
    })
  }

  /** Jobs that were ended may have left something a moment later. */
  sweepLater(entry: CatalogueEntry): void {
    setTimeout(() => {
      this.remover.eraseFiles(entry).catch((error: unknown) => {
        this.#options.logger.warn(
          { err: error, recording: entry.recording.recording_id },
          'a rest could not be removed',
        )
      })
    }, JOBS_END_MS).unref()
  }

  /** Waits for `work`, but no longer than `patienceMs`. What it throws is logged. */
  async patiently(work: Promise<unknown>, patienceMs: number): Promise<void> {
    try {
      await isDoneWithin(work, patienceMs)
    } catch (error) {
      this.#options.logger.error({ err: error }, 'recording service: something failed')
    }
  }

  #makeProcessing(): PostProcessing {
    const { recorder } = this.#options
    return new PostProcessing({
      ...this.#options,
      catalogue: this.catalogue,
      recordDir: recorder.directory,
      problem: () => this.#options.jobProblem(),
      onCompleted: (record) => this.ended(record),
    })
  }

  #makeReconciler(): Reconciler {
    return new Reconciler({
      ...this.#options,
      recordings: this.#options.store.recordings,
      manifests: this.manifests,
      remover: this.remover,
      isHeld: (id) => this.catalogue.find(id) !== undefined,
      alone: (id, work) => this.catalogue.alone(id, work),
      takeOver: async (entry) => {
        this.#counts.began()
        await this.processing.resume(this.catalogue.hold(entry, { isKept: true }))
      },
    })
  }

  #makeRevival(): Revival {
    const { store, settings } = this.#options
    return new Revival({
      ...this.#options,
      recordings: store.recordings,
      manifests: this.manifests,
      writer: this.writer,
      catalogue: this.catalogue,
      keeper: this.keeper,
      defaults: settings.defaults,
      windowMs: settings.revivalWindowMs,
    })
  }

  /** What a crash interrupted goes on; whoever publishes meanwhile is recorded as soon as it is known what that is. */
  async #revive(): Promise<void> {
    if (this.#options.settings.revivalWindowMs <= 0) return
    this.keeper.holdBack()
    await this.patiently(this.#revival.run(), REVIVAL_PATIENCE_MS)
    this.#revival.conclude()
    this.keeper.goOn()
  }

  #makeRetention(): Retention {
    const { settings, store, storage, recorder, logger } = this.#options
    return new Retention({
      limits: settings.retention,
      recordings: store.recordings,
      isHere: (entry) => this.manifests.holds(entry),
      remove: (entry, reason) => this.remove(entry.recording.recording_id, reason),
      freeBytes: () => storage.freeBytes(recorder.directory),
      logger,
    })
  }

  #makeForecast(): DiskForecast {
    const { recorder, settings, sink } = this.#options
    return new DiskForecast({
      freeBytes: () => recorder.freeBytes,
      minFreeBytes: settings.minFreeBytes,
      reserveMs: settings.reserveMs,
      writeRateBps: () => this.keeper.writeRateBps,
      sink,
    })
  }

  #makeKeeper(): RoomKeeper {
    const { settings, hub } = this.#options
    return new RoomKeeper({
      ...this.#options,
      catalogue: this.catalogue,
      manifests: this.manifests,
      calls: this.#calls,
      processing: this.processing,
      forecast: this.forecast,
      limits: settings.limits,
      automatic: settings.automatic,
      streamsOf: (roomId) => hub.streams.filter(({ address }) => address.room === roomId),
      onBegun: () => this.#counts.began(),
      onEnded: (record) => this.ended(record),
    })
  }

  #recordingsOf(roomId: string, participantId: string | undefined): string[] {
    const ids: string[] = []
    for (const room of this.keeper.rooms) {
      const { recording } = room.record.entry
      const isMeant = participantId === undefined ? room.isOpen : room.records(participantId)
      if (recording.room_id === roomId && isMeant && room.record.isKept) ids.push(recording.recording_id)
    }
    return ids
  }

  /** The state may be away: the catalogue then forgets it as soon as it is back. */
  async #forget(id: string): Promise<boolean> {
    this.writer.remove(id)
    return this.writer.flush({ deadlineMs: FLUSH_MS })
  }
}
