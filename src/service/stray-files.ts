import { createHash } from 'node:crypto'
import { basename, dirname, resolve, sep } from 'node:path'
import type { Logger } from '../media/ports.ts'
import { isProcessOf } from '../recorder/process-life.ts'
import type { CatalogueEntry } from '../state/catalogue-entry.ts'
import type { Journal, JournalEntry } from '../state/journal.ts'
import type { Storage } from '../storage/ports.ts'
import { type FileFacts, surveyFile } from './file-survey.ts'
import type { ManifestStore } from './manifest.ts'
import { automaticManifestPath, locateFile, MANIFEST_NAME } from './manifest-place.ts'
import { INTERRUPTED_CODE } from './settlement.ts'
import type { TakeOver } from './settler.ts'

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
 * Files of automatic recordings whose process died between making them and writing the first manifest: the journal knew
 * them. They get a manifest of their own.
 */
export class StrayFiles {
  readonly #options: StrayFilesOptions
  readonly #left: readonly JournalEntry[]

  /** Notes what the journal has now: before anything is mended and struck out. */
  constructor(options: StrayFilesOptions) {
    this.#options = options
    this.#left = left(options)
  }

  /** Enters those that no manifest names. Always true. @throws StorageError */
  async enter(report: { added: number }): Promise<boolean> {
    if (this.#left.length === 0) return true
    const named = await this.#namedPaths()
    for (const entry of this.#left) {
      if (named.has(entry.path) || !(await this.#isAutomatic(entry.path))) continue
      const facts = await surveyFile(this.#options.storage, entry.path, false)
      if (facts?.hasMedia !== true) continue
      this.#options.logger.warn(
        { path: entry.path, room: entry.room },
        'file that a crash left without a manifest gets one',
      )
      await this.#options.takeOver(entryFor(entry, facts, this.#options.node))
      report.added++
    }
    return true
  }

  async #namedPaths(): Promise<Set<string>> {
    const { manifests } = this.#options
    const named = new Set<string>()
    for await (const { entry } of manifests.find()) {
      for (const file of entry.recording.files) named.add(locateFile(entry, file, manifests.recordDir))
    }
    return named
  }

  /** Below the recording directory, and not in the directory of a recording that was asked for. */
  async #isAutomatic(path: string): Promise<boolean> {
    const { manifests } = this.#options
    if (!resolve(path).startsWith(manifests.recordDir + sep)) return false
    const beside = await manifests.glance(resolve(dirname(path), MANIFEST_NAME)).catch(() => undefined)
    return beside === undefined
  }
}

function left({ journal, logger }: StrayFilesOptions): JournalEntry[] {
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
function entryFor(stray: JournalEntry, facts: FileFacts, node: string): CatalogueEntry {
  const digest = createHash('sha256').update(stray.id).digest('hex')
  const id = `${digest.slice(0, 8)}-${digest.slice(8, 12)}-8${digest.slice(13, 16)}-8${digest.slice(17, 20)}-${digest.slice(20, 32)}`
  const createdAt = new Date(stray.startedAtMs).toISOString()
  const endedAt = new Date(stray.startedAtMs + facts.durationMs).toISOString()
  const { room, participant, path } = stray
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
          file_id: stray.id.slice(0, 64),
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
