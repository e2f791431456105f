import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { WebhookFigures } from '../events/webhook-dispatcher.ts'
import type { JobQueue } from '../jobs/job.ts'
import type { RecordingService } from '../service/recording-service.ts'
import type { StateStore } from '../state/store.ts'
import { patiently } from './metric-patience.ts'

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
  readonly #registry: Registry
  readonly #sources: ServiceMetricsSources
  readonly #unlisten: () => void

  constructor(registry: Registry, sources: ServiceMetricsSources) {
    this.#registry = registry
    this.#sources = sources
    const registers = [registry]
    const processing = new Histogram({
      name: 'tapedeck_processing_seconds',
      help: 'From the last frame of a recording until it was completed',
      buckets: PROCESSING_BUCKETS_S,
      registers,
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
    this.#gauge('tapedeck_recordings', 'Recordings in the catalogue at work here, by status', ['status'], (gauge) => {
      for (const [status, count] of Object.entries(service.stats.byStatus)) gauge.set({ status }, count)
    })
    this.#counter(
      'tapedeck_recordings_created_total',
      'Recordings that were entered in the catalogue',
      [],
      (counter) => {
        counter.inc(service.stats.created)
      },
    )
    this.#counter('tapedeck_recordings_failed_total', 'Recordings of which nothing was kept', ['reason'], (counter) => {
      for (const [reason, count] of Object.entries(service.stats.failedByCode)) counter.inc({ reason }, count)
    })
    this.#gauge('tapedeck_storage_used_bytes', 'All that lies in the recording directory', [], async (gauge) => {
      gauge.set((await service.capacity()).diskUsedBytes)
    })
  }

  #backlogs(): void {
    const { service, store, jobs, webhooks } = this.#sources
    this.#gauge('tapedeck_state_up', 'Whether the state can be had', [], (gauge) => {
      gauge.set(store.health.isReachable ? 1 : 0)
    })
    this.#gauge('tapedeck_state_backlog', 'Recordings whose last change the state does not have yet', [], (gauge) => {
      gauge.set(service.backlog)
    })
    this.#gauge('tapedeck_jobs', 'Jobs of the queue, by state', ['state'], async (gauge) => {
      for (const [state, count] of Object.entries(await jobs.depth())) gauge.set({ state }, count)
    })
    this.#gauge('tapedeck_webhook_backlog', 'Deliveries that wait, or were given up', ['state'], async (gauge) => {
      const { waiting, dead } = (await webhooks?.figures()) ?? { waiting: 0, dead: 0 }
      gauge.set({ state: 'waiting' }, waiting)
      gauge.set({ state: 'dead' }, dead)
    })
  }

  #gauge(name: string, help: string, labelNames: string[], read: (gauge: Gauge) => void | Promise<void>): void {
    new Gauge({
      name,
      help,
      labelNames,
      registers: [this.#registry],
      async collect() {
        this.reset()
        await patiently(() => read(this))
      },
    })
  }

  #counter(name: string, help: string, labelNames: string[], read: (counter: Counter) => void): void {
    new Counter({
      name,
      help,
      labelNames,
      registers: [this.#registry],
      collect() {
        this.reset()
        read(this)
      },
    })
  }
}
