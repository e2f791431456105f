import { join } from 'node:path'
import type { Settings } from '../config.ts'
import { UploadIngest } from '../ingest/upload/upload-ingest.ts'
import type { Hub } from '../live/hub.ts'
import type { Logger } from '../media/ports.ts'
import { DiskLowError } from '../recorder/disk-space.ts'
import type { Storage } from '../storage/ports.ts'

const MB = 1_000_000
/** How often the system is asked what is free, ms. */
const ASKED_EVERY_MS = 1000

/** What uploads need of a server. */
export interface UploadsOptions {
  readonly settings: Settings
  readonly hub: Hub
  readonly storage: Pick<Storage, 'freeBytes'>
  readonly logger: Logger
}

/** The way in for chunks of what browsers record themselves, with a place of their own in the data directory. */
export function makeUploads({ settings, hub, storage, logger }: UploadsOptions): UploadIngest {
  const directory = join(settings.dataDir, 'uploads')
  const leastBytes = settings.recordMinFreeMb * MB
  let askedAtMs = Number.NEGATIVE_INFINITY
  let freeBytes = Number.POSITIVE_INFINITY
  return new UploadIngest({
    hub,
    logger,
    directory,
    isSynced: settings.fsync !== 'never',
    idleMs: settings.uploadIdle,
    demandRoom: async () => {
      const nowMs = performance.now()
      if (nowMs - askedAtMs >= ASKED_EVERY_MS) {
        askedAtMs = nowMs
        freeBytes = await storage.freeBytes(directory).catch(() => Number.POSITIVE_INFINITY)
      }
      if (freeBytes < leastBytes) throw new DiskLowError(directory, freeBytes, leastBytes)
    },
  })
}
