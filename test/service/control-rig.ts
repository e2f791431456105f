import type { EventType, Happening } from '../../src/events/event.ts'
import { EmbeddedJobQueue } from '../../src/jobs/embedded-queue.ts'
import type { LiveStream } from '../../src/live/stream.ts'
import type { RecorderConfigInput } from '../../src/recorder/config.ts'
import type { FaultReport } from '../../src/recorder/report.ts'
import { ManifestStore } from '../../src/service/manifest.ts'
import { RecordingService } from '../../src/service/recording-service.ts'
import type { ServiceSettings } from '../../src/service/service-options.ts'
import { SqliteStateStore } from '../../src/state/sqlite/store.ts'
import type { StateStore } from '../../src/state/store.ts'
import { aac, h264, Rig, Source, write } from '../recorder/rig.ts'

/** What a test may want otherwise. */
export interface ControlOptions {
  readonly settings?: Partial<ServiceSettings>
  readonly recorder?: RecorderConfigInput
  readonly problem?: FaultReport
  readonly maxFiles?: number
  /** Instead of a database in memory. */
  readonly store?: StateStore
  /** Whose files and journal it goes on with. */
  readonly after?: ControlRig
}

/** A service on a real hub, recorder, queue and state, with files in memory and all events kept for looking at. */
export class ControlRig {
  readonly rig: Rig
  readonly store: StateStore
  readonly jobs: EmbeddedJobQueue
  readonly service: RecordingService
  readonly events: Happening[] = []
  readonly #onEvent = new Set<() => void>()

  constructor({ settings = {}, recorder = {}, problem, maxFiles, store, after }: ControlOptions = {}) {
    const shared = after === undefined ? {} : { storage: after.rig.storage, journal: after.rig.journal }
    this.rig = new Rig({ recordAll: false, ...recorder }, shared)
    const { logger } = this.rig
    this.store = store ?? new SqliteStateStore(':memory:', logger)
    this.jobs = new EmbeddedJobQueue(this.store.tasks, { node: 'here', logger })
    this.service = new RecordingService({
      hub: this.rig.hub,
      recorder: this.rig.recorder,
      storage: this.rig.storage,
      journal: this.rig.journal,
      store: this.store,
      jobs: this.jobs,
      sink: {
        emit: (happening) => {
          this.events.push(happening)
          for (const look of this.#onEvent) look()
        },
      },
      audit: { note: (event, path, details) => this.rig.audits.push({ event, path, details }) },
      logger,
      node: 'here',
      ...(maxFiles === undefined ? {} : { maxFiles }),
      settings: { ...defaultSettings, ...settings },
      jobProblem: async () => problem,
    })
  }

  static async start(options: ControlOptions = {}): Promise<ControlRig> {
    const control = new ControlRig(options)
    await control.rig.recorder.start()
    control.service.open()
    await control.service.reconciled()
    return control
  }

  async stop(): Promise<void> {
    this.rig.hub.close()
    await Promise.all([this.service.close({ deadlineMs: 5000 }), this.rig.recorder.stop({ deadlineMs: 5000 })])
    await this.jobs.close()
    await this.store.close()
  }

  /** Somebody who has sent picture and sound for two seconds. */
  publish(participant = 'alice', room = 'demo', ms = 2000): { stream: LiveStream; source: Source } {
    const stream = this.rig.hub.publish({ room, participant }, { source: 'embedded' })
    const source = new Source()
    stream.track(h264)
    stream.track(aac)
    write(stream, source.av(0, ms))
    return { stream, source }
  }

  /** Types of the events about recording `id`, or about rooms. */
  types(id?: string): EventType[] {
    return this.events.filter(({ recordingId }) => recordingId === (id ?? null)).map(({ type }) => type)
  }

  /** The first event of `type` about `id`, past or to come. */
  event(type: EventType, id: string): Promise<Happening> {
    return this.#find((event) => event.type === type && event.recordingId === id)
  }

  /** Files of `id` are final, and it has been told that there are jobs to do. */
  jobsBegun(id: string): Promise<Happening> {
    return this.#find(({ type, recordingId, data }) => {
      return type === 'recording_processing' && recordingId === id && data.stage !== 'finalising'
    })
  }

  async #find(isIt: (event: Happening) => boolean): Promise<Happening> {
    for (;;) {
      const found = this.events.find(isIt)
      if (found !== undefined) return found
      await new Promise<void>((resolve) => {
        const look = () => {
          this.#onEvent.delete(look)
          resolve()
        }
        this.#onEvent.add(look)
      })
    }
  }

  /** All paths in the recording directory. */
  async paths(): Promise<string[]> {
    return (await this.rig.storage.list('/rec', 1000)).map(({ path }) => path).sort()
  }

  /** All manifests on disk. */
  async manifests() {
    const { storage, logger } = this.rig
    const all = []
    for await (const { entry } of new ManifestStore({ storage, recordDir: '/rec', logger }).find()) all.push(entry)
    return all
  }
}

const defaultSettings: ServiceSettings = {
  automatic: undefined,
  defaults: {
    maxDurationMs: 7_200_000,
    maxSizeBytes: undefined,
    reconnectWindowMs: 0,
    keepSource: true,
    thumbnails: false,
    audioFormat: 'auto',
  },
  revivalWindowMs: 0,
  limits: { total: 10, perUser: undefined },
  retention: { forMs: undefined, totalBytes: undefined, freeBytes: undefined },
  minFreeBytes: 0,
  reserveMs: 0,
}

/** The usual settings with other defaults of requests. */
export function withDefaults(defaults: Partial<ServiceSettings['defaults']>): Partial<ServiceSettings> {
  return { defaults: { ...defaultSettings.defaults, ...defaults } }
}
