import type { CatalogueEntry } from '../state/catalogue-entry.ts'
import type { AudioFormat, RecordingFormat } from '../state/recording-object.ts'
import { qualityAim } from './quality.ts'

/** What a new recording is made of. */
export interface NewRecording {
  readonly id: string
  readonly roomId: string
  readonly userId: string | null
  readonly format: RecordingFormat
  readonly audioFormat: AudioFormat
  readonly quality: string
  readonly metadata: Readonly<Record<string, unknown>>
  readonly node: string
  readonly manifestPath: string | null
  readonly automatic: boolean
  readonly keepSource: boolean
  readonly thumbnails: boolean
  readonly createdAtMs: number
  /** Undefined for everybody. */
  readonly participants?: readonly string[] | undefined
  readonly maxDurationMs?: number
  readonly maxSizeBytes?: number
  readonly reconnectWindowMs?: number
  readonly partDurationMs?: number | undefined
  readonly partSizeBytes?: number | undefined
}

/** The entry of a recording that has just been asked for; this process holds it. */
export function newEntry(of: NewRecording): CatalogueEntry {
  const { source_percent: _, ...qualitySettings } = qualityAim(of.quality)
  const createdAt = new Date(of.createdAtMs).toISOString()
  return {
    version: 1,
    revision: 1,
    recording: {
      recording_id: of.id,
      room_id: of.roomId,
      user_id: of.userId,
      format: of.format,
      quality: of.quality,
      quality_settings: qualitySettings,
      status: 'pending',
      storage_backend: 'local',
      local_path: null,
      s3_key: null,
      file_name: null,
      started_at: null,
      paused_at: null,
      stopped_at: null,
      resumed_at: null,
      processed_at: null,
      duration_seconds: 0,
      file_size_bytes: 0,
      metadata: { ...of.metadata },
      error: null,
      files: [],
      participants: [],
      report: null,
      progress: null,
    },
    owner: { node: of.node, pid: process.pid, since: createdAt },
    manifest_path: of.manifestPath,
    automatic: of.automatic,
    hold: false,
    created_at: createdAt,
    options: {
      format: of.format,
      ...(of.audioFormat === 'auto' ? {} : { audio_format: of.audioFormat }),
      keep_source: of.keepSource,
      thumbnails: of.thumbnails,
      ...(of.participants === undefined ? {} : { participants: [...of.participants] }),
      ...bound('max_duration_ms', of.maxDurationMs),
      ...bound('max_size_bytes', of.maxSizeBytes),
      ...bound('reconnect_window_ms', of.reconnectWindowMs),
      ...bound('part_duration_ms', of.partDurationMs),
      ...bound('part_size_bytes', of.partSizeBytes),
    },
    markers: [],
    jobs: [],
  }
}

/** Nothing where there is no bound. */
function bound(name: string, value: number | undefined): Readonly<Record<string, number>> {
  return value === undefined || !Number.isFinite(value) ? {} : { [name]: value }
}
