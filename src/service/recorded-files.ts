import { basename } from 'node:path'
import type { FaultReport, PartReport, TrackFacts } from '../recorder/report.ts'
import type { CatalogueEntry } from '../state/catalogue-entry.ts'
import type { RecordingFile, RecordingObject } from '../state/recording-object.ts'
import { locateFile, pathInManifest } from './manifest-place.ts'

/** Where a file belongs in its recording. */
export interface FilePlace {
  readonly manifestPath: string
  readonly participantId: string
  /** From 1 per participant. */
  readonly number: number
}

/** A part of a participant's recording as users see it. */
export function fileOf(part: PartReport, place: FilePlace): RecordingFile {
  return {
    file_id: part.id,
    kind: 'source',
    participant_id: place.participantId,
    source_file_id: null,
    path: pathInManifest(place.manifestPath, part.path),
    file_name: basename(part.path),
    format: part.format,
    part: place.number,
    state: part.state,
    offset_ms: part.offsetMs,
    anchors: part.anchors.slice(0, 1000).map(({ fileMs, recordingMs }) => {
      return { file_ms: fileMs, recording_ms: recordingMs }
    }),
    duration_ms: part.durationMs,
    size_bytes: part.sizeBytes,
    tracks: part.tracks.slice(0, 64).map(trackOf),
    error: part.fault === undefined ? null : errorObject(part.fault),
  }
}

function trackOf({
  kind,
  codec,
  label,
  width,
  height,
  sampleRateHz,
  channels,
}: TrackFacts): RecordingFile['tracks'][number] {
  return {
    kind,
    codec,
    ...(width === undefined ? {} : { width }),
    ...(height === undefined ? {} : { height }),
    ...(sampleRateHz === undefined ? {} : { sample_rate_hz: sampleRateHz }),
    ...(channels === undefined ? {} : { channels }),
    ...(label === undefined ? {} : { label: label.slice(0, 4096) }),
  }
}

/** An error as the recording object has it. */
export function errorObject({ code, message, unmet }: FaultReport): NonNullable<RecordingObject['error']> {
  return { code: code.slice(0, 64), message: message.slice(0, 4096), ...(unmet === undefined ? {} : { unmet }) }
}

/** The file that stands for the recording: the first source, or what was made of it. */
export function mainFile(files: readonly RecordingFile[]): RecordingFile | undefined {
  const sources = files.filter(({ kind }) => kind === 'source')
  for (const source of sources) {
    const made = files.find(
      ({ kind, source_file_id, state }) =>
        (kind === 'rendition' || kind === 'remux') && source_file_id === source.file_id && state !== 'removed',
    )
    if (made !== undefined) return made
    if (source.state !== 'removed') return source
  }
  return undefined
}

/** What an entry says of its main file. */
export function mainFacts(
  entry: CatalogueEntry,
  files: readonly RecordingFile[],
  recordDir: string,
): Pick<RecordingObject, 'local_path' | 'file_name'> {
  const main = entry.manifest_path === null ? undefined : mainFile(files)
  if (main === undefined) return { local_path: null, file_name: null }
  return { local_path: locateFile(entry, main, recordDir), file_name: main.file_name }
}

/** Of all source files that there are, bytes. */
export function sourceBytes(files: readonly RecordingFile[]): number {
  return files.reduce((sum, { kind, state, size_bytes }) => {
    return kind === 'source' && state !== 'removed' ? sum + size_bytes : sum
  }, 0)
}
