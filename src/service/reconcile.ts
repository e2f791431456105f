import type { EventSink } from '../events/event.ts'
import type { Logger } from '../media/ports.ts'
import type { Recorder } from '../recorder/recorder.ts'
import type { Journal } from '../state/journal.ts'
import type { RecordingStore } from '../state/store.ts'
import type { Storage } from '../storage/ports.ts'
import { CatalogueScan } from './catalogue-scan.ts'
import type { ManifestStore } from './manifest.ts'
import { isAbandoned } from './ownership.ts'
import type { RecordingRemover } from './removal.ts'
import { type Alone, Settler, type TakeOver } from './settler.ts'
import { StrayFiles } from './stray-files.ts'

/** How often it is looked whether another process of this node died, ms. */
const INTERVAL_MS = 30_000
/** After a run that could not do everything: the state was away, a file is being mended elsewhere, ms. */
const RETRY_MS = 5000

/** What reconciling works with. */
export interface ReconcilerOptions {
  readonly recordings: RecordingStore
  readonly manifests: ManifestStore
  readonly remover: RecordingRemover
  readonly storage: Storage
  /** Mends the files that a crash left. */
  readonly recorder: Pick<Recorder, 'recovered'>
  /** Which files are open, or wait to be mended. */
  readonly journal: Pick<Journal, 'list'>
  readonly node: string
  readonly logger: Logger
  readonly sink: EventSink
  /** Whether this process is at work on it. */
  isHeld(id: string): boolean
  readonly takeOver: TakeOver
  readonly alone: Alone
}

/** What one run did. */
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
 * nodes' recordings are left alone. Killed in the middle and run again it comes to the same. Made before the recorder is
 * started, so that it sees what was open when the last process ended.
 */
export class Reconciler {
  readonly #options: ReconcilerOptions
  readonly #settler: Settler
  readonly #strays: StrayFiles
  readonly #settled = Promise.withResolvers<void>()
  #timer: NodeJS.Timeout | undefined
  #running: Promise<ReconcileReport> | undefined
  #isScanned = false
  #isStarted = false
  #isStopped = false

  constructor(options: ReconcilerOptions) {
    this.#options = options
    this.#settler = new Settler(options)
    this.#strays = new StrayFiles(options)
  }

  /**
   * Looks once: at the live recordings of dead processes, and until that has succeeded once, at all manifests. Resolves when
   * no recording of a dead process is live. While it runs, a second call waits for the same. Never throws.
   */
  run(): Promise<ReconcileReport> {
    clearTimeout(this.#timer)
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  /** Resolves when no recording that the catalogue knows of is live in a dead process, or a run came to its end without that. */
  settled(): Promise<void> {
    return this.#settled.promise
  }

  /** Looks again every 30 s from now on. */
  start(): void {
    this.#isStarted = true
    if (this.#running === undefined) this.#schedule(INTERVAL_MS)
  }

  /** Begins nothing more; resolves when what is under way is done. */
  async stop(): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#timer)
    await this.#running
  }

  #schedule(delayMs: number): void {
    clearTimeout(this.#timer)
    if (this.#isStarted && !this.#isStopped) this.#timer = setTimeout(() => void this.run(), delayMs).unref()
  }

  async #run(): Promise<ReconcileReport> {
    const report = { settled: 0, added: 0, removed: 0 }
    const { logger } = this.#options
    let isComplete = false
    try {
      isComplete = await this.#settleAbandoned(report)
      if (isComplete && !(await this.#isNew())) this.#settled.resolve()
      if (!this.#isScanned && !this.#isStopped) {
        const scan = new CatalogueScan(this.#options, this.#settler, () => this.#isStopped)
        this.#isScanned = await scan.run(report)
        if (this.#isScanned) await this.#strays.enter(report, scan.files)
        isComplete &&= this.#isScanned
      }
    } catch (error) {
      isComplete = false
      logger.error({ err: error }, 'the catalogue could not be compared with the disk; it is tried again')
    }
    const { settled, added, removed } = report
    if (settled + added + removed > 0) logger.info(report, 'the catalogue is in line with the disk')
    this.#settled.resolve()
    this.#schedule(isComplete ? INTERVAL_MS : RETRY_MS)
    return report
  }

  /** Nothing is in the catalogue: all that there is has to be found on disk. */
  async #isNew(): Promise<boolean> {
    return (await this.#options.recordings.list({ limit: 1 })).entries.length === 0
  }

  /** False when some are left for another time. */
  async #settleAbandoned(report: { settled: number }): Promise<boolean> {
    const { recordings, recorder, node, isHeld } = this.#options
    const others = await recordings.live((id) => !isHeld(id))
    const abandoned = others.filter((entry) => isAbandoned(entry, node) && !isHeld(entry.recording.recording_id))
    if (abandoned.length === 0 && this.#isScanned) return true
    await recorder.recovered()
    let isComplete = true
    for (const entry of abandoned) {
      if (this.#isStopped) return false
      if (await this.#settler.settle(entry)) report.settled++
      else isComplete = false
    }
    return isComplete
  }
}
