import type { EventSink } from '../events/event.ts'
import type { JobQueue } from '../jobs/job.ts'
import type { Hub } from '../live/hub.ts'
import type { Logger } from '../media/ports.ts'
import type { Audit } from '../recorder/audit.ts'
import type { Recorder } from '../recorder/recorder.ts'
import type { FaultReport } from '../recorder/report.ts'
import type { Journal } from '../state/journal.ts'
import type { RecordingFormat } from '../state/recording-object.ts'
import type { ActiveLimits, StateStore } from '../state/store.ts'
import type { Storage } from '../storage/ports.ts'
import type { RequestDefaults } from './recording-plan.ts'
import type { RetentionLimits } from './retention.ts'

/** How every stream is recorded. */
export interface AutomaticSettings {
  readonly format: RecordingFormat
  readonly quality: string
  readonly keepSource: boolean
  /** How long a participant who has gone is waited for, ms; undefined: browsers for 30 s, others not at all. */
  readonly reconnectWindowMs?: number | undefined
}

/** What is set of a service. */
export interface ServiceSettings {
  /** Every stream is recorded so; undefined when only what is asked for is. The recorder itself must not do it. */
  readonly automatic: AutomaticSettings | undefined
  readonly defaults: RequestDefaults
  /** How long after the start participants of recordings that a crash interrupted are waited for, ms; 0: such recordings end. */
  readonly revivalWindowMs: number
  readonly limits: ActiveLimits
  readonly retention: RetentionLimits
  /** Has to stay free, bytes. */
  readonly minFreeBytes: number
  /** For how long all that runs has to fit on the disk, ms. */
  readonly reserveMs: number
}

/** What a service works with; opened and closed by whoever makes it. */
export interface ServiceOptions {
  readonly hub: Hub
  readonly recorder: Recorder
  readonly storage: Storage
  readonly journal: Pick<Journal, 'list' | 'claim'>
  readonly store: StateStore
  readonly jobs: JobQueue
  readonly sink: EventSink
  readonly audit: Audit
  readonly logger: Logger
  /** Of this server among those that share its state. */
  readonly node: string
  readonly settings: ServiceSettings
  /** Files of one recording at most; by default as many as a manifest may well have. */
  readonly maxFiles?: number
  /** Why jobs cannot be done at all; undefined where they can. */
  jobProblem(): Promise<FaultReport | undefined>
}
