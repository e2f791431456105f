import { Histogram, type Registry } from 'prom-client'
import type { WebhookFigures } from '../events/webhook-dispatcher.ts'
import type { JobQueue } from '../jobs/job.ts'
import type { RecordingService } from '../service/recording-service.ts'
import type { StateStore } from '../state/store.ts'
import { MetricReader } from './metric-reader.ts'

/** From the last frame to `completed`: finishing files takes milliseconds, jobs minutes. */
const PROCESSING_BUCKETS_S = [0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3600]

/** What the numbers are read from, when somebody asks. */
export interface ServiceMetricsSources {
  readonly service: RecordingService
  readonly store: Pick<StateStore, 'health'>
  readonly jobs: Pick<JobQueue, 'depth'>
  /** Undefined where there are none. */
  readonly webhooks: { figures(): Promise<WebhookFigures> } | undefined
}

/** Numbers of recordings under control, for /metrics. What cannot be asked now is left out. */
export class ServiceMetrics {
  readonly #reader: MetricReader
  readonly #sources: ServiceMetricsSources
  readonly #unlisten: () => void

  constructor(registry: Registry, sources: ServiceMetricsSources) {
    this.#reader = new MetricReader(registry)
    this.#sources = sources
    const processing = new Histogram({
      name: 'tapedeck_processing_seconds',
      help: 'From the last frame of a recording until it was completed',
      buckets: PROCESSING_BUCKETS_S,
      registers: [registry],
    })
    this.#unlisten = sources.service.listen((entry) => {
      const { status, stopped_at, processed_at } = entry.recording
      if (status !== 'completed' || stopped_at === null || processed_at === null) return
      processing.observe(Math.max(0, Date.parse(processed_at) - Date.parse(stopped_at)) / 1000)
    })
    this.#recordings()
    this.#backlogs()
  }

  close(): void {
    this.#unlisten()
  }

  #recordings(): void {
    const { service } = this.#sources
    const reader = this.#reader
    reader.gaugeBy('status', 'tapedeck_recordings', 'Recordings in the catalogue at work here, by status', () => {
      return service.stats.byStatus
    })
    reader.counter('tapedeck_recordings_created_total', 'Recordings that were entered in the catalogue', () => {
      return service.stats.created
    })
    reader.counterBy('reason', 'tapedeck_recordings_failed_total', 'Recordings of which nothing was kept', () => {
      return service.stats.failedByCode
    })
    reader.gauge('tapedeck_storage_used_bytes', 'All that lies in the recording directory', async () => {
      return (await service.capacity()).diskUsedBytes
    })
  }

  #backlogs(): void {
    const { service, store, jobs, webhooks } = this.#sources
    const reader = this.#reader
    reader.gauge('tapedeck_state_up', 'Whether the state can be had', () => (store.health.isReachable ? 1 : 0))
    reader.gauge('tapedeck_state_backlog', 'Recordings whose last change the state does not have yet', () => {
      return service.backlog
    })
    reader.gaugeBy('state', 'tapedeck_jobs', 'Jobs of the queue, by state', async () => ({ ...(await jobs.depth()) }))
    reader.gaugeBy('state', 'tapedeck_webhook_backlog', 'Deliveries that wait, or were given up', async () => {
      const { waiting, dead } = (await webhooks?.figures()) ?? { waiting: 0, dead: 0 }
      return { waiting, dead }
    })
  }
}
