import { controlSettings, type Settings, webhookSecret } from '../config.ts'
import { EventLog } from '../events/event-log.ts'
import { WebhookDispatcher } from '../events/webhook-dispatcher.ts'
import { Ffmpeg } from '../jobs/ffmpeg-on-demand.ts'
import type { JobQueue } from '../jobs/job.ts'
import { openJobQueue } from '../jobs/queue.ts'
import type { Hub } from '../live/hub.ts'
import type { Logger } from '../media/ports.ts'
import type { Audit } from '../recorder/audit.ts'
import type { Recorder } from '../recorder/recorder.ts'
import { RecordingService } from '../service/recording-service.ts'
import type { Journal } from '../state/journal.ts'
import { nodeIdentity } from '../state/node-identity.ts'
import { openStateStore } from '../state/open-store.ts'
import type { StateStore } from '../state/store.ts'
import type { Storage } from '../storage/ports.ts'

/** What a server has before it starts. */
export interface WorksOptions {
  readonly settings: Settings
  readonly hub: Hub
  readonly recorder: Recorder
  readonly storage: Storage
  readonly journal: Journal
  readonly audit: Audit
  readonly logger: Logger
}

/** What stands on the state store: events, webhooks, jobs, and recordings under control. */
export interface ServerWorks {
  /** What this server is called among those that share its state. */
  readonly node: string
  readonly store: StateStore
  readonly webhooks: WebhookDispatcher | undefined
  readonly events: EventLog
  readonly jobs: JobQueue
  readonly service: RecordingService
}

/** Opens the state and what stands on it; the service is not yet open. @throws StateError, SecretError */
export async function openWorks(options: WorksOptions): Promise<ServerWorks> {
  const { settings, recorder, logger } = options
  const node = nodeIdentity(settings.dataDir, settings.nodeName)
  const store = await openStateStore({
    dataDir: settings.dataDir,
    redisUrl: settings.redis,
    prefix: settings.redisPrefix,
    stateTtlMs: settings.redisStateTtl,
    indexTtlMs: settings.redisIndexTtl,
    logger,
  })
  const webhooks = makeWebhooks(settings, store, logger)
  const events = new EventLog({ store, logger, outboxes: webhooks?.outboxes ?? [] })
  const jobs = await openJobQueue({ store, redisUrl: settings.redis, prefix: settings.redisPrefix, node, logger })
  const ffmpeg = new Ffmpeg({ recordDir: recorder.directory, ffmpegPath: settings.ffmpeg, logger })
  const service = new RecordingService({
    ...options,
    store,
    jobs,
    sink: events,
    node,
    settings: controlSettings(settings),
    jobProblem: async () => (settings.jobConcurrency === 0 ? undefined : ffmpeg.problem()), // 0: others do them
  })
  tellOfState(store, events)
  events.start()
  webhooks?.start()
  if (settings.jobConcurrency > 0) jobs.work(ffmpeg.handler, { concurrency: settings.jobConcurrency })
  return { node, store, webhooks, events, jobs, service }
}

function makeWebhooks(settings: Settings, store: StateStore, logger: Logger): WebhookDispatcher | undefined {
  const urls = settings.webhookUrl ?? []
  if (urls.length === 0) return undefined
  const { webhookAllowPrivate: allowPrivate } = settings
  return new WebhookDispatcher({ store, urls, secret: webhookSecret(settings), allowPrivate, logger })
}

/** An event cannot be kept while the state is away: `state_away` is told once it is back. */
function tellOfState(store: StateStore, events: EventLog): void {
  store.listen(({ isReachable, problem }) => {
    const type = isReachable ? 'state_back' : 'state_away'
    const data = { store: store.kind, problem: problem ?? null }
    events.emit({ type, roomId: null, recordingId: null, userId: null, data })
    if (isReachable) events.retry()
  })
}
