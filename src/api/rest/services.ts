import type { DeliveryLog } from '../../events/delivery-log.ts'
import type { UploadIngest } from '../../ingest/upload/upload-ingest.ts'
import type { JobQueue } from '../../jobs/job.ts'
import type { Logger } from '../../media/ports.ts'
import type { RecordingControl } from '../../service/control.ts'
import type { StateStore } from '../../state/store.ts'
import type { Access } from '../access.ts'

/** What the REST API stands on. */
export interface ApiServices {
  readonly control: RecordingControl
  readonly jobs: JobQueue
  /** What became of webhooks. */
  readonly deliveries: Pick<DeliveryLog, 'list' | 'replay'>
  readonly access: Access
  /** For chunks of what browsers record themselves; none are taken where it is undefined. */
  readonly uploads?: UploadIngest
  readonly state: Pick<StateStore, 'kind' | 'health'>
  readonly logger: Logger
  /** What tokens are signed with; download links get a key that is derived from it. */
  readonly secret: Uint8Array
  readonly version: string
  /** What this server is called among those that share its state. */
  readonly node: string
  /** Where users reach the API, without a slash at the end; links begin with the path where it is undefined. */
  readonly publicUrl: string | undefined
  /** Requests per second of one user or address. */
  readonly maxRequestRate: number
}
