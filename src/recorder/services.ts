import type { Logger } from '../media/ports.ts'
import type { Storage } from '../storage/ports.ts'
import type { Audit } from './audit.ts'
import type { RecorderConfig } from './config.ts'
import type { FilenameTemplate } from './naming.ts'
import type { OpenFileRegister } from './open-file-register.ts'
import type { PartFinisher } from './part-finisher.ts'

/** What all recordings of a recorder share. */
export interface RecordingServices {
  readonly storage: Storage
  readonly register: OpenFileRegister
  readonly audit: Audit
  readonly logger: Logger
  readonly config: RecorderConfig
  readonly template: FilenameTemplate
  readonly finisher: PartFinisher
  /** A monotonic clock, ms. */
  readonly now: () => number
}
