import { randomUUID } from 'node:crypto'
import { dirname, join } from 'node:path'
import type { LiveStream, StreamAddress } from '../live/stream.ts'
import type { Logger } from '../media/ports.ts'
import type { CatalogueEntry } from '../state/catalogue-entry.ts'
import type { RecordingObject } from '../state/recording-object.ts'
import type { ActiveLimits } from '../state/store.ts'
import { StorageError } from '../storage/errors.ts'
import { AutomaticRecordings } from './automatic-recordings.ts'
import type { Catalogue } from './catalogue.ts'
import type { CatalogueRecord } from './catalogue-record.ts'
import type { DiskForecast } from './disk-forecast.ts'
import { isDoneSoon } from './disk-patience.ts'
import { StoppingError, UnknownRoomError } from './errors.ts'
import type { ManifestStore } from './manifest.ts'
import { MANIFEST_NAME, recordingDirectory } from './manifest-place.ts'
import { newEntry } from './new-entry.ts'
import type { Past } from './past.ts'
import type { PostProcessing } from './post-processing.ts'
import type { RecorderCalls } from './recorder-calls.ts'
import type { RecordingPlan, RoomPlan } from './recording-plan.ts'
import { RoomRecording } from './room-recording.ts'
import { type RoomLimits, RoomUpkeep, UPKEEP_EVERY_MS } from './room-upkeep.ts'
import type { AutomaticSettings } from './service-options.ts'

/** The forecast is looked at every two seconds. */
const TICKS_PER_FORECAST = 2

/** What a keeper works with. */
export interface RoomKeeperOptions {
  readonly catalogue: Catalogue
  readonly manifests: ManifestStore
  readonly calls: RecorderCalls
  readonly processing: PostProcessing
  readonly forecast: DiskForecast
  readonly node: string
  readonly logger: Logger
  readonly limits: ActiveLimits
  /** Undefined when only what is asked for is recorded. */
  readonly automatic: AutomaticSettings | undefined
  readonly maxFiles?: number
  streamsOf(roomId: string): readonly LiveStream[]
  /** It is in the catalogue now. */
  onBegun(record: CatalogueRecord): void
  /** It failed, or there was nothing to keep. */
  onEnded(record: CatalogueRecord): void
}

interface AtWork {
  readonly room: RoomRecording
  readonly upkeep: RoomUpkeep
}

/** The recordings of rooms for which frames are taken or files finished: begins them, looks after them, concludes them. */
export class RoomKeeper {
  readonly #options: RoomKeeperOptions
  readonly #rooms = new Map<string, AtWork>()
  readonly #concluding = new Set<Promise<void>>()
  readonly #timer: NodeJS.Timeout
  readonly #automatic: AutomaticRecordings | undefined
  /** Streams that came while it was not known yet what a crash left. */
  #early: Set<LiveStream> | undefined
  #ticks = 0
  #isClosed = false

  constructor(options: RoomKeeperOptions) {
    this.#options = options
    this.#automatic = this.#makeAutomatic()
    this.#timer = setInterval(() => this.#tick(), UPKEEP_EVERY_MS).unref()
  }

  get rooms(): RoomRecording[] {
    return [...this.#rooms.values()].map(({ room }) => room)
  }
  /** What all of them write now, bits per second. */
  get writeRateBps(): number {
    let rate = 0
    for (const { room } of this.#rooms.values()) rate += room.bitrateBps
    return rate
  }

  find(id: string): RoomRecording | undefined {
    return this.#rooms.get(id)?.room
  }

  /**
   * Begins a recording that was asked for: in the catalogue first, then on disk, if there is room, then frames are taken.
   * @throws UnknownRoomError, DiskForecastError, RecordingLimitError, StorageError
   */
  async begin(plan: RecordingPlan): Promise<CatalogueEntry> {
    const { catalogue, manifests, forecast, limits, streamsOf } = this.#options
    const streams = streamsOf(plan.roomId)
    if (streams.length === 0 && plan.participants === undefined) throw new UnknownRoomError(plan.roomId)
    const entry = this.#entryOf(plan)
    const { recording_id: id } = entry.recording
    try {
      const record = await catalogue.admit(entry, limits) // first: who is one too many needs no room on the disk
      forecast.admit(id, rateOf(streams, plan.participants))
      if (!(await isDoneSoon(manifests.write(entry)))) {
        throw new StorageError(manifests.recordDir, 'write to', 'the disk does not answer')
      }
      if (this.#isClosed) throw new StoppingError()
      const room = this.#roomOf(record, plan)
      this.#add(room, plan)
      this.#options.onBegun(record)
      room.begin()
      return room.live()
    } catch (error) {
      this.remove(id)
      if (catalogue.find(id) !== undefined) await this.#takeBack(entry)
      throw error
    }
  }

  /** Somebody publishes. */
  joined(stream: LiveStream): void {
    for (const { room } of this.#rooms.values()) {
      const { recording, automatic } = room.record.entry
      if (!automatic && recording.room_id === stream.address.room) room.joined(stream)
    }
    this.#recordAutomatically(stream)
  }

  /** Begins no automatic recording until `goOn`: what a crash left may have to go on instead. */
  holdBack(): void {
    this.#early ??= new Set()
  }

  goOn(): void {
    const early = this.#early
    this.#early = undefined
    for (const stream of early ?? []) this.#recordAutomatically(stream)
  }

  /** Whether one that a crash interrupted may go on: there is no other in its place. */
  mayRevive({ automatic, recording }: CatalogueEntry): boolean {
    if (this.#isClosed) return false
    if (!automatic) return true
    const [only, ...others] = recording.participants
    if (this.#automatic === undefined || only === undefined || others.length > 0) return false
    return !this.#automatic.has({ room: recording.room_id, participant: only.participant_id })
  }

  /** Goes on with one that a crash interrupted; see `mayRevive`. */
  revive(record: CatalogueRecord, plan: RoomPlan, past: Past): void {
    const { entry } = record
    const participant = past.participants[0]?.participant_id ?? ''
    const room = entry.automatic
      ? this.#automatic?.revive(record, { room: entry.recording.room_id, participant }, past)
      : this.#roomOf(record, plan, past)
    if (room === undefined) return
    this.#add(room, entry.automatic ? undefined : plan)
    this.#options.onBegun(record)
    if (!entry.automatic) room.begin()
  }

  /** Nobody need look after it any more. */
  remove(id: string): void {
    this.#rooms.get(id)?.upkeep.close()
    this.#rooms.delete(id)
    this.#automatic?.remove(id)
    this.#options.forecast.settled(id)
  }

  /** Takes no further frame; resolves when the files are final and what comes after is under way. */
  async close(): Promise<void> {
    this.#isClosed = true
    const { rooms } = this
    for (const room of rooms) if (room.isOpen) room.stop('shutdown')
    await Promise.all(rooms.map(({ filesFinal }) => filesFinal))
    while (this.#concluding.size > 0) await Promise.all(this.#concluding)
    clearInterval(this.#timer)
  }

  /** It was admitted, but could not be begun. */
  async #takeBack(entry: CatalogueEntry): Promise<void> {
    const { catalogue, manifests, logger } = this.#options
    catalogue.withdraw(entry.recording.recording_id)
    const removal = manifests.remove(entry).catch((error: unknown) => {
      logger.warn({ err: error, path: entry.manifest_path }, 'manifest of a recording that did not begin stays')
    })
    await isDoneSoon(removal)
  }

  #add(room: RoomRecording, limits: RoomLimits | undefined): void {
    this.#rooms.set(room.record.id, { room, upkeep: new RoomUpkeep(room, limits, performance.now()) })
  }

  #recordAutomatically(stream: LiveStream): void {
    if (this.#automatic === undefined || this.#isClosed || stream.ended !== undefined) return
    if (this.#early !== undefined) {
      this.#early.add(stream)
      return
    }
    const room = this.#automatic.begin(stream)
    if (room === undefined) return
    this.#add(room, undefined)
    room.begin()
  }

  /** The next one begins with the last keyframe of the one that is full: nothing is lost between them. */
  #recordAnew({ room, participant }: StreamAddress): void {
    const stream = this.#options.streamsOf(room).find(({ address }) => address.participant === participant)
    if (stream !== undefined) this.#recordAutomatically(stream)
  }

  #makeAutomatic(): AutomaticRecordings | undefined {
    const { automatic, ...options } = this.#options
    if (automatic === undefined) return undefined
    return new AutomaticRecordings({
      ...options,
      ...automatic,
      recordDir: this.#options.manifests.recordDir,
      onBegun: (record) => this.#options.onBegun(record),
      onFilesFinal: (record, outcome) => this.#conclude(record, outcome),
      onFull: (address) => this.#recordAnew(address),
    })
  }

  #tick(): void {
    const nowMs = performance.now()
    const { forecast } = this.#options
    for (const { room, upkeep } of this.#rooms.values()) {
      room.tick(nowMs)
      upkeep.tick(nowMs)
    }
    if (this.#ticks++ % TICKS_PER_FORECAST !== 0) return
    for (const { room } of this.#rooms.values()) {
      if (!room.record.entry.automatic && room.bitrateBps > 0) forecast.settled(room.record.id)
    }
    forecast.check()
  }

  #entryOf(plan: RecordingPlan): CatalogueEntry {
    const id = randomUUID()
    const createdAtMs = Date.now()
    const directory = recordingDirectory(this.#options.manifests.recordDir, plan.roomId, createdAtMs, id)
    const { node } = this.#options
    return newEntry({ ...plan, id, node, createdAtMs, automatic: false, manifestPath: join(directory, MANIFEST_NAME) })
  }

  #roomOf(record: CatalogueRecord, plan: RoomPlan, past?: Past): RoomRecording {
    const { calls, logger, manifests, streamsOf } = this.#options
    const { partDurationMs, partSizeBytes } = plan
    const { maxFiles } = this.#options
    return new RoomRecording({
      ...(maxFiles === undefined ? {} : { maxFiles }),
      ...(past === undefined ? {} : { past }),
      record,
      calls,
      logger,
      recordDir: manifests.recordDir,
      participants: plan.participants,
      recordOptions: () => ({
        directory: dirname(record.entry.manifest_path ?? manifests.recordDir),
        format: plan.format,
        audioFormat: plan.audioFormat,
        reconnectWindowMs: plan.reconnectWindowMs,
        marks: () => record.entry.markers.map(({ at_ms, label }) => ({ atMs: at_ms, title: label })),
        ...(partDurationMs === undefined ? {} : { partDurationMs }),
        ...(partSizeBytes === undefined ? {} : { partSizeBytes }),
      }),
      streams: () => streamsOf(plan.roomId),
      onFilesFinal: (of, outcome) => this.#conclude(of, outcome),
    })
  }

  #conclude(record: CatalogueRecord, outcome: { kept: boolean; patch: Partial<RecordingObject> }): void {
    const work = this.#finish(record, outcome)
      .catch((error: unknown) => {
        this.#options.logger.error(
          { err: error, recording: record.id },
          'recording cannot be concluded; the next start does it',
        )
      })
      .finally(() => {
        this.#concluding.delete(work)
        this.remove(record.id)
      })
    this.#concluding.add(work)
  }

  async #finish(record: CatalogueRecord, { kept, patch }: { kept: boolean; patch: Partial<RecordingObject> }) {
    const { processing, manifests, onEnded } = this.#options
    if (kept) {
      await processing.begin(record, patch)
      return
    }
    record.move('failed', { recording: patch })
    const { entry } = record
    try {
      if (!record.isKept || entry.manifest_path === null) return
      await record.seal()
      await manifests.remove(entry) // there is nothing that it could say of
      record.change({ manifest_path: null })
    } finally {
      onEnded(record)
    }
  }
}

/** What is to be expected of those who are there, bits per second; undefined when nobody is. */
function rateOf(streams: readonly LiveStream[], participants: readonly string[] | undefined): number | undefined {
  const rate = streams
    .filter(({ address }) => participants?.includes(address.participant) ?? true)
    .reduce((sum, stream) => sum + stream.stats.snapshot().bitrateBps, 0)
  return rate > 0 ? rate : undefined
}
