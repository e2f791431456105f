import { createHash } from 'node:crypto'
import { basename, dirname, extname, resolve } from 'node:path'
import type { CatalogueEntry } from '../state/catalogue-entry.ts'
import type { RecordingFile } from '../state/recording-object.ts'
import type { Storage } from '../storage/ports.ts'
import { type FileFacts, isMediaPath, surveyFile } from './file-survey.ts'
import { AUTOMATIC_ENDING, locateFile, pathInManifest, withoutPartNumber } from './manifest-place.ts'

/** Files in one recording's directory. */
const MAX_FILES = 100_000

/** Where files of recordings are looked for. */
export interface LeftFilesOptions {
  readonly storage: Storage
  readonly recordDir: string
  /** Absolute paths that are in the journal still: open somewhere, or not to be mended now. */
  readonly unfinished: ReadonlySet<string>
  /** Whether a file that no manifest names may be of the process that died; all may by default. */
  isLeft?(path: string, modifiedAtMs: number): boolean
}

/**
 * The files of a recording whose process died, as they are on disk now: those that its manifest names, and sources that came
 * to be after it was written. Torn ones are mended; those without a frame are removed and left out.
 * @throws StorageError when the disk fails
 */
export async function leftFiles(entry: CatalogueEntry, options: LeftFilesOptions): Promise<RecordingFile[]> {
  const { manifest_path: manifest } = entry
  if (manifest === null) return []
  const files: RecordingFile[] = []
  const known = new Set<string>()
  for (const file of entry.recording.files) {
    const path = locateFile(entry, file, options.recordDir)
    known.add(path)
    const now = await surveyed(file, path, options)
    if (now !== undefined) files.push(now)
  }
  if (entry.jobs.length > 0) return files // what else is there was made by them, and their results say so
  for (const path of await strangers(entry, manifest, known, options)) {
    const facts = await surveyFile(options.storage, path, !options.unfinished.has(path))
    if (facts?.hasMedia === true) files.push(foundFile(entry, manifest, path, facts, files))
  }
  return files
}

/** One file of the manifest, as it is now. Undefined when it never held a frame. */
async function surveyed(
  file: RecordingFile,
  path: string,
  { storage, unfinished }: LeftFilesOptions,
): Promise<RecordingFile | undefined> {
  if (file.state === 'removed' || file.kind !== 'source') return file
  const isUnfinished = unfinished.has(path)
  const facts = await surveyFile(storage, path, !isUnfinished)
  if (facts === undefined || !facts.hasMedia) {
    return file.duration_ms > 0 ? { ...file, state: 'removed', size_bytes: 0 } : undefined
  }
  const wasFinal = file.state === 'finalised' || file.state === 'repaired'
  return {
    ...file,
    state: facts.state === 'torn' ? 'torn' : wasFinal ? file.state : 'repaired',
    duration_ms: wasFinal && file.duration_ms > 0 ? file.duration_ms : facts.durationMs,
    size_bytes: facts.sizeBytes,
    tracks: file.tracks.length > 0 && wasFinal ? file.tracks : facts.tracks,
    anchors: file.anchors.length > 0 ? file.anchors : [{ file_ms: 0, recording_ms: file.offset_ms }],
  }
}

/** Paths of media files that belong to it and that its manifest does not name, in order. */
async function strangers(
  entry: CatalogueEntry,
  manifest: string,
  known: ReadonlySet<string>,
  { storage, isLeft }: LeftFilesOptions,
): Promise<string[]> {
  const present = await storage.list(dirname(manifest), MAX_FILES)
  const left = present.filter(({ path, modifiedAtMs }) => isLeft?.(resolve(path), modifiedAtMs) ?? true)
  const media = left.map(({ path }) => resolve(path)).filter((path) => isMediaPath(path) && !known.has(path))
  if (!entry.automatic) return media.sort()
  const stem = basename(manifest).slice(0, -AUTOMATIC_ENDING.length)
  return media.filter((path) => dirname(path) === dirname(manifest) && isPartOf(path, stem)).sort()
}

/** As `FilenameTemplate` and `pathWithin` number parts and names that were taken. */
function isPartOf(path: string, stem: string): boolean {
  const name = basename(path, extname(path))
  return name === stem || withoutPartNumber(basename(path)) === stem + extname(path)
}

function foundFile(
  entry: CatalogueEntry,
  manifest: string,
  path: string,
  facts: FileFacts,
  before: readonly RecordingFile[],
): RecordingFile {
  const participant = participantOf(entry, facts.title)
  const earlier = before.filter(({ kind, participant_id }) => kind === 'source' && participant_id === participant)
  const last = earlier.at(-1)
  const offsetMs = last === undefined ? 0 : last.offset_ms + last.duration_ms
  return {
    file_id: `found-${createHash('sha256').update(basename(path)).digest('hex').slice(0, 12)}`,
    kind: 'source',
    participant_id: participant,
    source_file_id: null,
    path: pathInManifest(manifest, path),
    file_name: basename(path),
    format: facts.format,
    part: (last?.part ?? 0) + 1,
    state: facts.state === 'torn' ? 'torn' : 'repaired',
    offset_ms: offsetMs,
    anchors: [{ file_ms: 0, recording_ms: offsetMs }],
    duration_ms: facts.durationMs,
    size_bytes: facts.sizeBytes,
    tracks: facts.tracks,
    error: null,
  }
}

/** Files are titled `room/participant`. */
function participantOf({ recording }: CatalogueEntry, title: string | undefined): string | null {
  const prefix = `${recording.room_id}/`
  if (title?.startsWith(prefix) === true) return title.slice(prefix.length)
  return recording.participants.length === 1 ? (recording.participants[0]?.participant_id ?? null) : null
}
