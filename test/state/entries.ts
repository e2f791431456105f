import type { Logger } from '../../src/media/ports.ts'
import type { CatalogueEntry } from '../../src/state/catalogue-entry.ts'
import type { NewEvent } from '../../src/state/event-store.ts'
import type { RecordingObject } from '../../src/state/recording-object.ts'
import type { NewTask } from '../../src/state/task-store.ts'

/** What a test says of an entry; the rest is as usual. */
export interface EntryParts extends Partial<Omit<CatalogueEntry, 'recording'>> {
  readonly recording?: Partial<RecordingObject>
}

/** A recording that runs. */
export function entryOf(id: string, { recording = {}, ...parts }: EntryParts = {}): CatalogueEntry {
  return {
    version: 1,
    revision: 1,
    recording: {
      recording_id: id,
      room_id: 'room',
      user_id: 'alice',
      format: 'auto',
      quality: 'source',
      quality_settings: { resolution: null, video_bitrate: null, audio_bitrate: null, fps: null },
      status: 'recording',
      storage_backend: 'local',
      local_path: `/recordings/${id}/a.mp4`,
      s3_key: null,
      file_name: 'a.mp4',
      started_at: '2026-11-21T12:00:00.000Z',
      paused_at: null,
      stopped_at: null,
      resumed_at: null,
      processed_at: null,
      duration_seconds: 1.5,
      file_size_bytes: 1234,
      metadata: { title: 'Überraschung ☃', list: [], nothing: {} },
      error: null,
      files: [],
      participants: [],
      report: null,
      progress: null,
      ...recording,
    },
    owner: { node: 'node-1', pid: 42 },
    manifest_path: `/recordings/${id}/recording.json`,
    automatic: false,
    hold: false,
    created_at: '2026-11-21T12:00:00.000Z',
    markers: [],
    jobs: [],
    ...parts,
  }
}

/** Ms since 1970 as entries have it. */
export const isoOf = (ms: number): string => new Date(ms).toISOString()

/** Something that happened now. */
export function eventOf(id: string, parts: Partial<NewEvent> = {}): NewEvent {
  return {
    id,
    type: 'recording_started',
    room_id: 'room',
    recording_id: 'rec',
    user_id: 'alice',
    data: { text: 'a "quoted" ☃ \u0000 value', list: [] },
    time: isoOf(Date.now()),
    ...parts,
  }
}

/** A task of queue `q` that is due. */
export function taskOf(id: string, parts: Partial<NewTask> = {}): NewTask {
  return { id, queue: 'q', key: null, priority: 0, payload: { id }, dueAtMs: 0, expiresAtMs: null, ...parts }
}

/** Keeps what was logged. */
export class LogLines implements Logger {
  readonly lines: { level: string; message: string; fields: object }[] = []

  debug(fields: object, message: string): void {
    this.lines.push({ level: 'debug', message, fields })
  }
  info(fields: object, message: string): void {
    this.lines.push({ level: 'info', message, fields })
  }
  warn(fields: object, message: string): void {
    this.lines.push({ level: 'warn', message, fields })
  }
  error(fields: object, message: string): void {
    this.lines.push({ level: 'error', message, fields })
  }

  of(level: string): string[] {
    return this.lines.filter((line) => line.level === level).map(({ message }) => message)
  }
}
