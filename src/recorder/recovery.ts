import { TapedeckError } from '../media/errors.ts'
import type { Logger } from '../media/ports.ts'
import type { Replay } from '../media/replay.ts'
import type { JournalEntry } from '../state/journal.ts'
import type { Storage } from '../storage/ports.ts'
import type { Audit } from './audit.ts'
import { mendFile } from './mending.ts'
import type { OpenFileRegister } from './open-file-register.ts'

/** Files repaired at a time: recovery must not starve what is recorded now. */
const CONCURRENCY = 2

/** What recovery needs. */
export interface RecoveryOptions {
  readonly storage: Storage
  readonly register: OpenFileRegister
  readonly audit: Audit
  readonly logger: Logger
  /** Asked of each file: what its sources give again, so that it is not there twice. Nothing by default. */
  replays?(entry: JournalEntry): Promise<readonly Replay[]>
}

/** How far recovery has come. */
export interface RecoveryProgress {
  readonly isRunning: boolean
  /** Files that a crash left, so far. */
  readonly found: number
  /** Complete now; or removed, when there was no frame in them. */
  readonly repaired: number
  /** Not repaired: gone, not to be made sense of, or to be tried again. */
  readonly failed: number
}

/** Finishes what a crash left: every file in the journal whose process is gone. Runs beside new recordings. */
export class Recovery {
  readonly #options: RecoveryOptions
  #running: Promise<void> | undefined
  #isStopped = false
  /** Another process mends files now, perhaps ours. */
  #isElsewhere = false
  #found = 0
  #repaired = 0
  /** Journal ids of files that no further try will mend. */
  readonly #hopeless = new Set<string>()
  /** Journal ids of files that this machine would not let be repaired: a full disk, say. */
  readonly #postponed = new Set<string>()

  constructor(options: RecoveryOptions) {
    this.#options = options
  }

  get progress(): RecoveryProgress {
    return {
      isRunning: this.#running !== undefined,
      found: this.#found,
      repaired: this.#repaired,
      failed: this.#hopeless.size + this.#postponed.size,
    }
  }

  /** Another `run` may have better luck. */
  get isIncomplete(): boolean {
    return this.#running === undefined && (this.#isElsewhere || this.#postponed.size > 0)
  }

  /** Works through the journal. While it runs, a second call waits for the same. Never throws. */
  run(): Promise<void> {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  /** Begins no further file; resolves when those under way are done. */
  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#running
  }

  async #run(): Promise<void> {
    const { register, logger } = this.#options
    this.#isElsewhere = false
    try {
      if (this.#orphans().length === 0) return
      const release = register.claim()
      this.#isElsewhere = release === undefined
      if (release === undefined) {
        logger.info({}, 'another process repairs what a crash left; what remains is looked at later')
        return
      }
      try {
        await this.#recoverAll(this.#orphans())
      } finally {
        release()
      }
    } catch (error) {
      logger.error({ err: error }, 'journal cannot be read: files that a crash left stay as they are')
    }
  }

  #orphans(): JournalEntry[] {
    return this.#options.register.orphans().filter(({ id }) => !this.#hopeless.has(id))
  }

  async #recoverAll(entries: readonly JournalEntry[]): Promise<void> {
    if (entries.length === 0) return
    const { logger } = this.#options
    const news = entries.filter(({ id }) => !this.#postponed.has(id)).length
    this.#found += news
    if (news > 0) logger.warn({ files: news }, 'files were left unfinished by a crash; repairing them')
    const queue = entries.values()
    const work = async (): Promise<void> => {
      for (const entry of queue) {
        if (this.#isStopped) return
        await this.#recover(entry)
      }
    }
    await Promise.all(Array.from({ length: CONCURRENCY }, work))
    logger.info({ repaired: this.#repaired, failed: this.progress.failed }, 'recovery is done')
  }

  async #recover(entry: JournalEntry): Promise<void> {
    const { storage, register, audit, logger } = this.#options
    const { id, path, room, participant } = entry
    const fields = { path, room, participant }
    try {
      const replays = await this.#options.replays?.(entry)
      const { replayed, ...report } = await mendFile(storage, path, { replays })
      const { frames, durationMs, lostBytes, changed, faults, removed } = report
      if (removed) {
        const reason = replayed > 0 ? 'all of it comes again' : 'no frame in it after a crash'
        audit.note('deleted', path, { room, participant, reason })
        logger.info(fields, 'file that a crash left before its first frame is removed')
      } else {
        const facts = { frames, durationMs, lostBytes, ...(replayed > 0 ? { replayed } : {}) }
        audit.note('repaired', path, { room, participant, ...facts, changed, faults: faults.length })
        logger.info({ ...fields, ...facts }, 'file that a crash left is repaired and complete')
      }
      this.#repaired++
      this.#postponed.delete(id)
      register.closed(id)
    } catch (error) {
      this.#failed(entry, error)
    }
  }

  #failed({ id, path, room, participant }: JournalEntry, error: unknown): void {
    const { register, audit, logger } = this.#options
    const code = error instanceof TapedeckError ? error.code : 'INTERNAL'
    const fields = { path, room, participant, code, err: error }
    if (code !== 'TD_FILE_MISSING' && error instanceof TapedeckError && error.fault === 'host') {
      if (this.#postponed.has(id)) return
      this.#postponed.add(id)
      logger.error(fields, 'file that a crash left could not be repaired yet; it is tried again')
      return
    }
    this.#hopeless.add(id)
    this.#postponed.delete(id)
    if (code !== 'INTERNAL') register.closed(id) // a bug of ours: a later version may do better
    audit.note('failed', path, { room, participant, code })
    if (code === 'TD_FILE_MISSING') logger.warn(fields, 'file that a crash left is gone')
    else logger.error(fields, 'file that a crash left cannot be repaired; it stays as it is')
  }
}
