import { setTimeout as delay } from 'node:timers/promises'
import { Access } from './api/access.ts'
import { DiskProbe } from './api/disk-probe.ts'
import { EventSocket } from './api/event-socket.ts'
import type { HealthSources, ServerPhase } from './api/health.ts'
import { HttpServer } from './api/http-server.ts'
import { Metrics } from './api/metrics.ts'
import { ServiceMetrics } from './api/service-metrics.ts'
import { TokenKeeper } from './api/token.ts'
import { registerUploadMetrics } from './api/upload-metrics.ts'
import { registerWebrtcMetrics } from './api/webrtc-metrics.ts'
import {
  auditPath,
  type Endpoint,
  issuerKeys,
  recorderSettings,
  type Settings,
  signingSecret,
  statePath,
} from './config.ts'
import { DeliveryLog } from './events/delivery-log.ts'
import type { EventLog } from './events/event-log.ts'
import type { UploadIngest } from './ingest/upload/upload-ingest.ts'
import { Hub } from './live/hub.ts'
import { MisuseError } from './media/errors.ts'
import { isDoneWithin } from './media/patience.ts'
import type { Logger } from './media/ports.ts'
import type { Replay } from './media/replay.ts'
import { AuditLog } from './recorder/audit.ts'
import { Recorder } from './recorder/recorder.ts'
import type { RecoveryProgress } from './recorder/recovery.ts'
import { RtmpListeners } from './server/rtmp-listeners.ts'
import { makeUploads } from './server/uploads.ts'
import { packageVersion } from './server/version.ts'
import { WebrtcDoors } from './server/webrtc.ts'
import { openWorks, type ServerWorks } from './server/works.ts'
import type { RecordingService } from './service/recording-service.ts'
import type { JournalEntry } from './state/journal.ts'
import { SqliteJournal } from './state/sqlite-journal.ts'
import type { StateStore } from './state/store.ts'
import { DiskStorage } from './storage/disk.ts'

/** What is left of the deadline for connections to end politely, ms. */
const CONNECTIONS_DEADLINE_MS = 1000
/** Over TLS, publishers are read every 100 ms: what has come before we stop is read within this, ms. */
const LAST_READ_MS = 150
/** What of WebRTC is on its way from the media process is here within this, ms. */
const LAST_FRAMES_MS = 500
const MB = 1_000_000

/** Where a running server can be reached. Ports are the real ones, also where 0 was asked. */
export interface ServerAddresses {
  readonly rtmp?: Endpoint
  readonly rtmps?: Endpoint
  readonly http?: Endpoint
}

/** How a stop went. */
export interface StopReport {
  /** Recordings whose files could not be finished in time; the next start does it. */
  readonly unfinished: number
}

/**
 * A whole tapedeck: RTMP in and out, recordings under control, HTTP. `new` → `start` → `stop`; lives once.
 *
 * Closing goes downwards: listeners stop accepting, publishers and their streams end, recordings finish their files within
 * the deadline, then jobs, events, HTTP, the state, the audit log and the journal close.
 */
export class TapedeckServer {
  readonly settings: Settings
  readonly hub: Hub
  readonly recorder: Recorder
  /** What browsers record themselves. */
  readonly uploads: UploadIngest
  readonly #logger: Logger
  readonly #journal: SqliteJournal
  readonly #audit: AuditLog
  readonly #rtmp: RtmpListeners
  readonly #storage: DiskStorage
  readonly #access: Access
  readonly #secret: Uint8Array
  readonly #metrics: Metrics
  #works: ServerWorks | undefined
  #webrtc: WebrtcDoors | undefined
  #http: HttpServer | undefined
  #serviceMetrics: ServiceMetrics | undefined
  #statsTimer: NodeJS.Timeout | undefined
  #phase: ServerPhase = 'starting'
  #started = false
  #stopping: Promise<StopReport> | undefined

  /**
   * Opens the state and makes the secret where there is none; listens to nothing yet.
   * @throws ConfigError for TLS files, SecretError, StateError
   */
  constructor(settings: Settings, logger: Logger = silent) {
    this.settings = settings
    this.#logger = logger
    this.#secret = signingSecret(settings)
    this.#access = new Access(settings, new TokenKeeper(this.#secret, issuerKeys(settings)))
    this.#journal = new SqliteJournal(statePath(settings))
    this.#audit = new AuditLog(auditPath(settings), logger)
    this.#storage = new DiskStorage({ fsync: settings.fsync, fsyncIntervalMs: settings.fsyncInterval })
    this.hub = new Hub({ takeover: settings.takeover, maxStreams: settings.maxStreams }, logger)
    this.recorder = new Recorder({
      hub: this.hub,
      storage: this.#storage,
      journal: this.#journal,
      audit: this.#audit,
      config: { ...recorderSettings(settings), recordAll: false }, // the service does it
      logger,
      replays: (entry) => this.#replays(entry),
    })
    this.uploads = makeUploads({ settings, hub: this.hub, storage: this.#storage, logger })
    this.#rtmp = new RtmpListeners(settings, { hub: this.hub, access: this.#access, logger })
    this.#metrics = this.#makeMetrics(() => this.#storage.freeBytes(this.recorder.directory).catch(() => undefined))
  }

  /** What happens, numbered. @throws MisuseError before `start` */
  get events(): EventLog {
    if (this.#works === undefined) throw new MisuseError('the server has not been started')
    return this.#works.events
  }

  /** Recordings under control. @throws MisuseError before `start` */
  get control(): RecordingService {
    if (this.#works === undefined) throw new MisuseError('the server has not been started')
    return this.#works.service
  }

  /**
   * Begins to listen and to record, and in the background to mend what an earlier run left.
   * @throws ListenError when an address cannot be had, StateError when the state cannot; everything is closed again then
   */
  async start(): Promise<ServerAddresses> {
    if (this.#started) throw new MisuseError('a server starts once; make a new one')
    this.#started = true
    let addresses: ServerAddresses = {}
    try {
      this.#works = await openWorks({
        settings: this.settings,
        hub: this.hub,
        recorder: this.recorder,
        storage: this.#storage,
        journal: this.#journal,
        audit: this.#audit,
        logger: this.#logger,
      })
      this.#serviceMetrics = new ServiceMetrics(this.#metrics.registry, this.#works)
      registerUploadMetrics(this.#metrics.registry, this.uploads)
      this.#webrtc = this.#makeWebrtc(this.#works)
      if (this.#webrtc !== undefined) registerWebrtcMetrics(this.#metrics.registry, this.#webrtc)
      this.#http = this.#makeHttp(this.#works)
      if (this.#http !== undefined) addresses = { http: await this.#http.listen() }
      void this.#webrtc?.lookAtPort()
      await this.recorder.start()
      this.#works.service.open()
      await this.#works.service.revived()
      await this.uploads.open()
      void this.recorder.recovered().then(() => this.uploads.forgetReplays())
      addresses = { ...addresses, ...(await this.#rtmp.listen()) }
    } catch (error) {
      await this.stop({ deadlineMs: 0 })
      throw error
    }
    const { statsInterval } = this.settings
    if (statsInterval > 0) this.#statsTimer = setInterval(() => this.#logStreams(), statsInterval).unref()
    this.#phase = 'running'
    return addresses
  }

  /** Finishes all recordings and closes everything. Idempotent; a second call waits for the first. Never throws. */
  stop(options: { readonly deadlineMs?: number } = {}): Promise<StopReport> {
    this.#stopping ??= this.#stop(options.deadlineMs ?? this.settings.stopTimeout)
    return this.#stopping
  }

  async #stop(deadlineMs: number): Promise<StopReport> {
    this.#phase = 'stopping'
    clearInterval(this.#statsTimer)
    const endsAtMs = performance.now() + deadlineMs
    const ending = this.#webrtc?.endSessions()
    if (deadlineMs > LAST_READ_MS) {
      const isUnread = this.#rtmp.isPublishedOverTls
      await Promise.all([
        isUnread ? delay(LAST_READ_MS) : undefined,
        isDoneWithin(Promise.resolve(ending), LAST_FRAMES_MS),
      ])
    }
    const closing = this.#rtmp.close(Math.min(deadlineMs, CONNECTIONS_DEADLINE_MS))
    const parking = this.uploads.close()
    this.hub.close()
    this.#webrtc?.whip.close()
    const unfinished = await this.#finishRecordings(Math.max(0, endsAtMs - performance.now()), closing)
    await this.#attempt('uploads', parking)
    await this.#closeWorks()
    this.#serviceMetrics?.close()
    this.#metrics.close()
    await this.#attempt('audit log', this.#audit.close())
    this.#journal.close()
    return { unfinished }
  }

  async #finishRecordings(deadlineMs: number, closing: Promise<void>): Promise<number> {
    const endsAtMs = performance.now() + deadlineMs
    const finishing = this.#works?.service.close({ deadlineMs })
    await this.#attempt('listeners', closing)
    const leftMs = Math.max(0, endsAtMs - performance.now())
    await Promise.all([
      this.#attempt('recorder', this.recorder.stop({ deadlineMs: leftMs })),
      this.#attempt('recordings', finishing),
    ])
    return this.#journal.list().filter((entry) => entry.pid === process.pid).length
  }

  async #closeWorks(): Promise<void> {
    const { jobs, events, webhooks, store } = this.#works ?? {}
    await this.#attempt('jobs', jobs?.close())
    await this.#attempt('events', events?.close())
    await this.#attempt('webhooks', webhooks?.close())
    await this.#attempt('http', this.#http?.close())
    await this.#attempt('webrtc', this.#webrtc?.close())
    await this.#attempt('state', store?.close())
  }

  /** What uploads bring again of a file that a crash left: only where its recording goes on, and takes it. */
  async #replays({ path, room, participant }: JournalEntry): Promise<readonly Replay[]> {
    const replays = await this.uploads.replays({ room, participant })
    return this.#works?.service.takesOn(path) === true ? replays : []
  }

  #makeWebrtc({ service }: ServerWorks): WebrtcDoors | undefined {
    const { settings, hub } = this
    if (settings.webrtc === 'off' || settings.http === 'off') return undefined
    const formatOf = (room: string) => service.formatIn(room) ?? settings.recordFormat
    return new WebrtcDoors({ settings, hub, logger: this.#logger, formatOf })
  }

  #makeHttp({ store, events, jobs, service, node }: ServerWorks): HttpServer | undefined {
    const { http, maxRequestRate } = this.settings
    if (http === 'off') return undefined
    const version = packageVersion()
    const publicUrl = this.settings.publicUrl?.replace(/\/+$/, '')
    const common = { access: this.#access, logger: this.#logger, maxRequestRate, publicUrl }
    const { protocols = [], iceServers = { urls: [] } } = this.#webrtc ?? {}
    return new HttpServer({
      ...http,
      ...common,
      metrics: this.#metrics,
      health: this.#health(new DiskProbe(this.#storage, this.recorder.directory), store),
      api: {
        ...common,
        control: service,
        jobs,
        uploads: this.uploads,
        deliveries: new DeliveryLog(store.tasks, this.settings.webhookUrl ?? []),
        state: store,
        secret: this.#secret,
        version,
        node,
      },
      signalling: { ...common, protocols, iceServers },
      events: new EventSocket({ ...common, log: events, version }),
    })
  }

  async #attempt(what: string, work: Promise<unknown> | undefined): Promise<void> {
    try {
      await work
    } catch (error) {
      this.#logger.error({ err: error, what }, 'closing failed')
    }
  }

  #makeMetrics(freeBytes: () => Promise<number | undefined>): Metrics {
    const metrics = new Metrics({
      hub: this.hub,
      recordings: () => this.recorder.recordings,
      recoveryPending: () => pendingOf(this.recorder.recovery),
      connections: () => this.#rtmp.connections,
      freeBytes,
    })
    this.recorder.listen({
      moved: (recording, _, to) => {
        if (to === 'completed' || to === 'failed' || to === 'cancelled') metrics.recordingEnded(recording)
      },
    })
    return metrics
  }

  #health(probe: DiskProbe, store: StateStore): HealthSources {
    return {
      isStateAway: () => !store.health.isReachable,
      phase: () => this.#phase,
      listeners: () => this.#rtmp.up,
      disk: () => probe.check(),
      minFreeBytes: this.settings.recordMinFreeMb * MB,
      recoveryPending: () => pendingOf(this.recorder.recovery),
      streams: () => this.hub.streams.length,
      recordings: () => this.recorder.recordings.length,
    }
  }

  #logStreams(): void {
    for (const stream of this.hub.streams) {
      const { lastFrameAtMs, ...numbers } = stream.stats.snapshot()
      const silentMs = lastFrameAtMs === undefined ? undefined : Math.round(performance.now() - lastFrameAtMs)
      this.#logger.info({ ...stream.address, ...numbers, silentMs, players: stream.playerCount }, 'stream')
    }
  }
}

function pendingOf({ isRunning, found, repaired, failed }: RecoveryProgress): number {
  return isRunning ? Math.max(1, found - repaired - failed) : 0
}

const silent: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
