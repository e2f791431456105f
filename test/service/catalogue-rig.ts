import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Happening } from '../../src/events/event.ts'
import { noAudit } from '../../src/recorder/audit.ts'
import { ManifestStore } from '../../src/service/manifest.ts'
import { recordingDirectory } from '../../src/service/manifest-place.ts'
import { Reconciler } from '../../src/service/reconcile.ts'
import { RecordingRemover } from '../../src/service/removal.ts'
import type { CatalogueEntry } from '../../src/state/catalogue-entry.ts'
import type { RecordingFile, RecordingObject, RecordingStatus } from '../../src/state/recording-object.ts'
import { SqliteStateStore } from '../../src/state/sqlite/store.ts'
import { SqliteJournal } from '../../src/state/sqlite-journal.ts'
import { DiskStorage } from '../../src/storage/disk.ts'
import { Rig, Source, write } from '../recorder/rig.ts'

export const NODE = 'here'
export const CREATED_AT = '2026-01-21T14:00:00.000Z'

/** A process id that was used and is free again. */
export async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ['-e', ''], { stdio: 'ignore' })
  await once(child, 'exit')
  return child.pid ?? 0
}

/** The bytes of a finished recording of `live/test`, about `ms` long. */
export async function recordedBytes(format: 'mp4' | 'flv' | 'mkv', ms: number): Promise<Uint8Array> {
  const rig = await Rig.start({ format })
  const stream = rig.publish()
  write(stream, new Source(2000).av(0, ms))
  await rig.finish(stream)
  await rig.recorder.stop({ deadlineMs: 1000 })
  return rig.storage.bytesOf(`/rec/live_test.${format}`)
}

/** What tests want to be otherwise than usual. */
export interface EntryFacts {
  readonly status?: RecordingStatus
  readonly revision?: number
  readonly room?: string
  readonly createdAt?: string
  readonly owner?: CatalogueEntry['owner']
  readonly manifestPath?: string | null
  readonly automatic?: boolean
  readonly hold?: boolean
  readonly jobs?: CatalogueEntry['jobs']
  readonly files?: RecordingFile[]
  readonly recording?: Partial<RecordingObject>
}

/** A whole entry of the catalogue. */
export function entryOf(id: string, facts: EntryFacts = {}): CatalogueEntry {
  const { status = 'completed', room = 'live', createdAt = CREATED_AT, files = [] } = facts
  return {
    version: 1,
    revision: facts.revision ?? 3,
    owner: facts.owner ?? null,
    manifest_path: facts.manifestPath ?? null,
    automatic: facts.automatic ?? false,
    hold: facts.hold ?? false,
    created_at: createdAt,
    markers: [],
    jobs: facts.jobs ?? [],
    recording: {
      recording_id: id,
      room_id: room,
      user_id: null,
      format: 'auto',
      quality: 'source',
      quality_settings: { resolution: null, video_bitrate: null, audio_bitrate: null, fps: null },
      status,
      storage_backend: 'local',
      local_path: null,
      s3_key: null,
      file_name: null,
      started_at: status === 'pending' ? null : createdAt,
      paused_at: null,
      stopped_at: null,
      resumed_at: null,
      processed_at: null,
      duration_seconds: files.reduce((sum, file) => sum + file.duration_ms, 0) / 1000,
      file_size_bytes: files.reduce((sum, file) => sum + file.size_bytes, 0),
      metadata: {},
      error: null,
      files,
      participants: [],
      report: null,
      progress: null,
      ...facts.recording,
    },
  }
}

/** One source file as a manifest names it. */
export function fileOf(path: string, facts: Partial<RecordingFile> = {}): RecordingFile {
  return {
    file_id: `file-${path}`,
    kind: 'source',
    participant_id: 'test',
    source_file_id: null,
    path,
    file_name: path.slice(path.lastIndexOf('/') + 1),
    format: 'mp4',
    part: 1,
    state: 'open',
    offset_ms: 0,
    anchors: [],
    duration_ms: 0,
    size_bytes: 0,
    tracks: [],
    error: null,
    ...facts,
  }
}

/** A recording directory on disk with a catalogue beside it, as a process that died left them. */
export class CatalogueRig {
  readonly base = mkdtempSync(join(tmpdir(), 'tapedeck-catalogue-'))
  readonly recordDir = join(this.base, 'recordings')
  readonly storage = new DiskStorage({ fsync: 'never' })
  readonly lines: { readonly message: string; readonly fields: object }[] = []
  readonly events: Happening[] = []
  readonly taken: CatalogueEntry[] = []
  readonly held = new Set<string>()
  /** What somebody else does with a recording just before a reconciler has it to itself. */
  beforeAlone: (id: string) => Promise<void> = async () => undefined
  /** The state is said to be away by whoever forgets. */
  isAway = false
  readonly logger = {
    debug: () => undefined,
    info: () => undefined,
    warn: (fields: object, message: string) => void this.lines.push({ fields, message }),
    error: (fields: object, message: string) => void this.lines.push({ fields, message }),
  }
  readonly store = new SqliteStateStore(join(this.base, 'catalogue.db'), this.logger)
  readonly journal = new SqliteJournal(':memory:')
  readonly manifests = new ManifestStore({ storage: this.storage, recordDir: this.recordDir, logger: this.logger })
  readonly sink = { emit: (happening: Happening) => void this.events.push(happening) }
  readonly remover = new RecordingRemover({
    storage: this.storage,
    manifests: this.manifests,
    audit: noAudit,
    sink: this.sink,
    logger: this.logger,
    forget: async (id) => {
      await this.store.recordings.remove(id)
      return !this.isAway
    },
  })

  /** A reconciler as a new process has it; what it takes over is completed at once. */
  reconciler(): Reconciler {
    return new Reconciler({
      recordings: this.store.recordings,
      manifests: this.manifests,
      remover: this.remover,
      storage: this.storage,
      recorder: { recovered: async () => undefined },
      journal: this.journal,
      node: NODE,
      logger: this.logger,
      sink: this.sink,
      isHeld: (id) => this.held.has(id),
      alone: async (id, work) => {
        await this.beforeAlone(id)
        return work()
      },
      takeOver: async (entry) => {
        this.taken.push(entry)
        const { recording, revision } = entry
        const done = { ...entry, revision: revision + 1, owner: null }
        const completed = { ...done, recording: { ...recording, status: 'completed' as const, progress: null } }
        await this.manifests.write(completed)
        await this.store.recordings.put(completed)
      },
    })
  }

  /** Where the manifest of a recording that was asked for lies. */
  manifestOf(id: string, room = 'live'): string {
    return join(recordingDirectory(this.recordDir, room, Date.parse(CREATED_AT), id), 'recording.json')
  }

  put(path: string, bytes: Uint8Array): void {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, bytes)
  }

  /** Everything below the recording directory, files and directories, sorted. */
  get tree(): string[] {
    try {
      return readdirSync(this.recordDir, { recursive: true, encoding: 'utf8' }).sort()
    } catch {
      return []
    }
  }

  async get(id: string): Promise<CatalogueEntry | undefined> {
    return this.store.recordings.get(id)
  }

  typesOf(id: string): string[] {
    return this.events.filter(({ recordingId }) => recordingId === id).map(({ type }) => type)
  }

  async drop(): Promise<void> {
    await this.store.close()
    this.journal.close()
    rmSync(this.base, { recursive: true, force: true })
  }
}
