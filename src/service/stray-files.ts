import { createHash } from 'node:crypto'
import { basename, dirname, relative } from 'node:path'
import type { Logger } from '../media/ports.ts'
import { isProcessOf } from '../recorder/process-life.ts'
import type { CatalogueEntry } from '../state/catalogue-entry.ts'
import type { Journal, JournalEntry } from '../state/journal.ts'
import type { Storage, StoredFile } from '../storage/ports.ts'
import { type FileFacts, isMediaPath, surveyFile } from './file-survey.ts'
import type { ManifestStore } from './manifest.ts'
import { AUTOMATIC_ENDING, automaticManifestPath, isManifestPath, locateFile } from './manifest-place.ts'
import { INTERRUPTED_CODE } from './settlement.ts'
import type { TakeOver } from './settler.ts'

/** How old a file may be that is known by its title alone: older ones were put there by others, or stand in the journal, ms. */
const YOUNG_MS = 24 * 3_600_000
const MAX_NAME = 255

/** What looking for stray files works with. */
export interface StrayFilesOptions {
  readonly manifests: ManifestStore
  readonly storage: Storage
  readonly journal: Pick<Journal, 'list'>
  readonly node: string
  readonly logger: Logger
  readonly takeOver: TakeOver
}

/**
 * Files of automatic recordings whose process died between making them and writing the first manifest. They get a manifest
 * of their own. The journal knew them; or, when the next process died, too, before it had come so far, their title and age
 * tell.
 */
export class StrayFiles {
  readonly #options: StrayFilesOptions
  readonly #left: readonly JournalEntry[]

  /** Notes what the journal has now: before anything is mended and struck out. */
  constructor(options: StrayFilesOptions) {
    this.#options = options
    this.#left = openWhenKilled(options)
  }

  /**
   * Enters those that no manifest names. `before`: all files, as they lay not long ago; only where there are strays among
   * them it is looked at what there is now.
   * @throws StorageError
   */
  async enter(report: { added: number }, before: readonly StoredFile[]): Promise<void> {
    const { storage, manifests } = this.#options
    const known = new Map(this.#left.map((entry) => [entry.path, entry]))
    if (this.#straysOf(before, known).length === 0) return
    const strays = this.#straysOf(await manifests.files(), known)
    if (strays.length === 0) return
    const named = await this.#named()
    for (const { path, modifiedAtMs } of strays) {
      if (named.has(path)) continue
      const facts = await surveyFile(storage, path, false)
      if (facts?.hasMedia !== true) continue
      const origin = known.get(path) ?? originOf(facts, modifiedAtMs)
      if (origin !== undefined) await this.#enter(path, facts, origin, report)
    }
  }

  #straysOf(files: readonly StoredFile[], known: ReadonlyMap<string, JournalEntry>): StoredFile[] {
    const open = new Set(this.#options.journal.list().map(({ path }) => path))
    const isTaken = takenPlaces(files, this.#options.manifests.recordDir)
    return files.filter(({ path, modifiedAtMs }) => {
      const isMeant = known.has(path) || (isYoung(modifiedAtMs) && !open.has(path))
      return isMeant && isMediaPath(path) && !isTaken(path)
    })
  }

  async #enter(path: string, facts: FileFacts, origin: Origin, report: { added: number }): Promise<void> {
    const { logger, takeOver, node, manifests } = this.#options
    logger.warn({ path, room: origin.room }, 'file that a crash left without a manifest gets one')
    await takeOver(entryFor(relative(manifests.recordDir, path), path, { facts, origin, node }))
    report.added++
  }

  /** Files that manifests of automatic recordings name. */
  async #named(): Promise<Set<string>> {
    const { manifests } = this.#options
    const named = new Set<string>()
    for await (const { entry } of manifests.find()) {
      for (const file of entry.recording.files) named.add(locateFile(entry, file, manifests.recordDir))
    }
    return named
  }
}

/** Old enough to be of another process, young enough to be of the last ones. */
function isYoung(atMs: number): boolean {
  return atMs < performance.timeOrigin && atMs > Date.now() - YOUNG_MS
}

/**
 * Tells whether a file is somebody's by its place: in the directory of a recording that was asked for, or beside the manifest
 * of an automatic one and named like it, as its parts and what was made of them.
 */
function takenPlaces(files: readonly StoredFile[], recordDir: string): (path: string) => boolean {
  const stems = new Set<string>()
  const directories = new Set<string>()
  for (const { path } of files) {
    if (path.endsWith(AUTOMATIC_ENDING)) stems.add(path.slice(0, -AUTOMATIC_ENDING.length))
    else if (isManifestPath(path)) directories.add(dirname(path))
  }
  return (path) => {
    for (let at = dirname(path); at.length > recordDir.length; at = dirname(at)) if (directories.has(at)) return true
    for (let end = path.length - 1; end > dirname(path).length; end--) {
      if (/[._-]/.test(path.charAt(end)) && stems.has(path.slice(0, end))) return true
    }
    return false
  }
}

/** Where a file came from. */
interface Origin {
  readonly room: string
  readonly participant: string
  readonly startedAtMs: number
}

/** Undefined for a file that is not of a recorder: those are titled `room/participant`. */
function originOf({ title = '', durationMs }: FileFacts, modifiedAtMs: number): Origin | undefined {
  const at = title.indexOf('/')
  const [room, participant] = [title.slice(0, at), title.slice(at + 1)]
  if (at < 1 || participant === '' || room.length > MAX_NAME || participant.length > MAX_NAME) return undefined
  return { room, participant, startedAtMs: Math.round(modifiedAtMs - durationMs) }
}

/** Files that were open when their process died, as the journal has them now. */
export function openWhenKilled({ journal, logger }: Pick<StrayFilesOptions, 'journal' | 'logger'>): JournalEntry[] {
  try {
    return journal.list().filter(({ pid, startedAtMs }) => {
      return pid === process.pid ? startedAtMs < performance.timeOrigin : !isProcessOf(pid, startedAtMs)
    })
  } catch (error) {
    logger.error({ err: error }, 'journal cannot be read')
    return []
  }
}

/** The same for the same file, however often it is made. */
function entryFor(
  name: string,
  path: string,
  { facts, origin, node }: { facts: FileFacts; origin: Origin; node: string },
): CatalogueEntry {
  const digest = createHash('sha256').update(name).digest('hex')
  const id = `${digest.slice(0, 8)}-${digest.slice(8, 12)}-8${digest.slice(13, 16)}-8${digest.slice(17, 20)}-${digest.slice(20, 32)}`
  const createdAt = new Date(origin.startedAtMs).toISOString()
  const endedAt = new Date(origin.startedAtMs + facts.durationMs).toISOString()
  const { room, participant } = origin
  return {
    version: 1,
    revision: 1,
    owner: { node, pid: process.pid, since: new Date().toISOString() },
    manifest_path: automaticManifestPath(path),
    automatic: true,
    hold: false,
    created_at: createdAt,
    markers: [],
    jobs: [],
    recording: {
      recording_id: id,
      room_id: room,
      user_id: null,
      format: formatOf(facts.format),
      quality: 'source',
      quality_settings: { resolution: null, video_bitrate: null, audio_bitrate: null, fps: null },
      status: 'processing',
      storage_backend: 'local',
      local_path: path,
      s3_key: null,
      file_name: basename(path),
      started_at: createdAt,
      paused_at: null,
      stopped_at: endedAt,
      resumed_at: null,
      processed_at: null,
      duration_seconds: facts.durationMs / 1000,
      file_size_bytes: facts.sizeBytes,
      metadata: {},
      error: { code: INTERRUPTED_CODE, message: 'the server ended just after it had begun; what had come is kept' },
      files: [
        {
          file_id: `found-${digest.slice(0, 12)}`,
          kind: 'source',
          participant_id: participant,
          source_file_id: null,
          path: basename(path),
          file_name: basename(path),
          format: facts.format,
          part: 1,
          state: facts.state === 'torn' ? 'torn' : 'repaired',
          offset_ms: 0,
          anchors: [{ file_ms: 0, recording_ms: 0 }],
          duration_ms: facts.durationMs,
          size_bytes: facts.sizeBytes,
          tracks: facts.tracks,
          error: null,
        },
      ],
      participants: [
        { participant_id: participant, joined_at: createdAt, left_at: endedAt, is_connected: false, reconnects: 0 },
      ],
      report: null,
      progress: null,
    },
  }
}

function formatOf(format: string): CatalogueEntry['recording']['format'] {
  return format === 'mp4' || format === 'webm' || format === 'mkv' || format === 'flv' ? format : 'auto'
}
