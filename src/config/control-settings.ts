import { automaticQuality } from '../service/quality.ts'
import type { ServiceSettings } from '../service/service-options.ts'
import type { Settings } from './settings-schema.ts'

const MB = 1_000_000
/** Of recordings that were asked for, where nothing is set, ms. */
const RECONNECT_WINDOW_MS = 30_000

/** The share of recordings under control in a server's settings. */
export function controlSettings(settings: Settings): ServiceSettings {
  const { recordAll, recordFormat, audioFormat, recordQuality, keepSource } = settings
  return {
    automatic: recordAll
      ? {
          format: recordFormat,
          quality: automaticQuality(recordQuality),
          keepSource,
          reconnectWindowMs: settings.reconnectWindow,
        }
      : undefined,
    defaults: {
      maxDurationMs: settings.maxRecordingDuration,
      maxSizeBytes: inBytes(settings.maxRecordingSizeMb),
      reconnectWindowMs: settings.reconnectWindow ?? RECONNECT_WINDOW_MS,
      keepSource,
      thumbnails: settings.thumbnails,
      audioFormat,
    },
    revivalWindowMs: settings.revivalWindow,
    limits: { total: settings.maxRecordings, perUser: settings.maxRecordingsPerUser },
    retention: {
      forMs: settings.retainFor,
      totalBytes: inBytes(settings.retainTotalMb),
      freeBytes: inBytes(settings.retainFreeMb),
    },
    minFreeBytes: settings.recordMinFreeMb * MB,
    reserveMs: settings.recordReserve,
  }
}

function inBytes(mb: number | undefined): number | undefined {
  return mb === undefined ? undefined : mb * MB
}
