import type { CatalogueEntry } from '../state/catalogue-entry.ts'
import type { RecordedParticipant, RecordingFile, RecordingObject } from '../state/recording-object.ts'
import { locateFile } from './manifest-place.ts'

/** What recordings that a crash ended are marked with. */
export const INTERRUPTED_CODE = 'TD_INTERRUPTED'
const KEPT = 'the server ended while it was recorded; what had come until then is kept'
const NOTHING = 'the server ended before anything of it was kept'

/** What is said of a recording that a crash ended. `kept`: there is something of it. */
export function interruption(kept: boolean): NonNullable<RecordingObject['error']> {
  return { code: INTERRUPTED_CODE, message: kept ? KEPT : NOTHING }
}

/** Who goes on with it. */
export interface NewOwner {
  readonly node: string
  readonly pid: number
}

/** Whether recording itself was cut off: it was not stopped before. */
export function wasInterrupted({ recording }: CatalogueEntry): boolean {
  return recording.status !== 'processing'
}

/** A recording whose process died, with the files that were found, ready to go on as after a stop. */
export function settled(
  entry: CatalogueEntry,
  files: readonly RecordingFile[],
  owner: NewOwner,
  recordDir: string,
): CatalogueEntry {
  const { recording } = entry
  const sources = files.filter(({ kind, state }) => kind === 'source' && state !== 'removed')
  const durationMs = longestOf(sources)
  const startedAt = recording.started_at ?? entry.created_at
  const stoppedAt =
    recording.stopped_at ?? latest(new Date(Date.parse(startedAt) + durationMs).toISOString(), recording)
  const main = mainFile(entry, files, sources, recordDir)
  const isInterrupted = wasInterrupted(entry)
  return {
    ...entry,
    revision: entry.revision + 1,
    owner: { ...owner, since: new Date().toISOString() },
    recording: {
      ...recording,
      ...main,
      status: 'processing',
      started_at: startedAt,
      stopped_at: stoppedAt,
      duration_seconds: durationMs / 1000,
      file_size_bytes: sources.reduce((sum, file) => sum + file.size_bytes, 0),
      files: [...files],
      participants: participantsOf(recording.participants, sources, { startedAt, stoppedAt }),
      error: isInterrupted ? interruption(true) : recording.error,
      progress: { stage: 'finalising', percent: 100, eta_seconds: null },
    },
  }
}

/** A recording whose process died before anything of it was kept. */
export function fruitless(entry: CatalogueEntry): CatalogueEntry {
  const { recording } = entry
  const now = new Date().toISOString()
  const gone = { local_path: null, file_name: null, files: [], progress: null, file_size_bytes: 0, duration_seconds: 0 }
  return {
    ...entry,
    revision: entry.revision + 1,
    owner: null,
    manifest_path: null,
    recording: {
      ...recording,
      ...gone,
      status: 'failed',
      stopped_at: recording.stopped_at ?? now,
      processed_at: now,
      participants: recording.participants.map((each) => ({ ...each, is_connected: false })),
      error: recording.error ?? interruption(false),
    },
  }
}

/** A cancelled recording of which nothing is left. */
export function withoutTrace(entry: CatalogueEntry): CatalogueEntry {
  const { recording } = entry
  const gone = { local_path: null, file_name: null, files: [], progress: null, file_size_bytes: 0 }
  return {
    ...entry,
    revision: entry.revision + 1,
    owner: null,
    manifest_path: null,
    recording: {
      ...recording,
      ...gone,
      status: 'cancelled',
      stopped_at: recording.stopped_at ?? new Date().toISOString(),
    },
  }
}

/** Media of the participant that has most of it, ms. */
function longestOf(sources: readonly RecordingFile[]): number {
  const byParticipant = new Map<string | null, number>()
  for (const { participant_id: id, duration_ms: ms } of sources) {
    byParticipant.set(id, (byParticipant.get(id) ?? 0) + ms)
  }
  return Math.max(0, ...byParticipant.values())
}

/** No earlier than what is known to have happened. */
function latest(time: string, { paused_at, resumed_at }: RecordingObject): string {
  return [time, paused_at ?? '', resumed_at ?? ''].reduce((one, other) => (one > other ? one : other))
}

function mainFile(
  entry: CatalogueEntry,
  files: readonly RecordingFile[],
  sources: readonly RecordingFile[],
  recordDir: string,
): Pick<RecordingObject, 'local_path' | 'file_name' | 'format'> {
  const { local_path, file_name, format } = entry.recording
  const isThere = files.some(
    (file) =>
      file.state !== 'removed' && entry.manifest_path !== null && locateFile(entry, file, recordDir) === local_path,
  )
  const [first] = sources
  if (isThere || first === undefined) return { local_path, file_name, format }
  return {
    local_path: locateFile(entry, first, recordDir),
    file_name: first.file_name,
    format: format === 'auto' ? containerOf(first.format) : format,
  }
}

function containerOf(format: string): RecordingObject['format'] {
  return format === 'mp4' || format === 'webm' || format === 'mkv' || format === 'flv' ? format : 'auto'
}

/** Who was there: those that are known, and those of whom there are files; all have left. */
export function participantsOf(
  known: readonly RecordedParticipant[],
  sources: readonly RecordingFile[],
  { startedAt, stoppedAt }: { startedAt: string; stoppedAt: string },
): RecordedParticipant[] {
  const left = known.map((each) => ({ ...each, is_connected: false, left_at: each.left_at ?? stoppedAt }))
  const names = new Set(known.map(({ participant_id }) => participant_id))
  for (const { participant_id: id, offset_ms } of sources) {
    if (id === null || names.has(id)) continue
    names.add(id)
    const joinedAt = new Date(Date.parse(startedAt) + Math.max(0, offset_ms)).toISOString()
    left.push({ participant_id: id, joined_at: joinedAt, left_at: stoppedAt, is_connected: false, reconnects: 0 })
  }
  return left
}
