import { TapedeckError } from '../media/errors.ts'
import type { Logger } from '../media/ports.ts'
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
}

/** How far recovery has come. */
export interface RecoveryProgress {
  readonly isRunning: boolean
  /** Files that a crash left, so far. */
  readonly found: number
  readonly repaired: number
  /** Not repaired: gone, not to be made sense of, or to be tried again. */
  readonly failed: number
}

/** Finishes what a crash left: every file in the journal whose process is gone. Runs beside new recordings. */
export class Recovery {
  readonly #options: RecoveryOptions
  #running: Promise<void> | undefined
  #isStopped = false
  #found = 0
  #repaired = 0
  #failed = 0

  constructor(options: RecoveryOptions) {
    this.#options = options
  }

  get progress(): RecoveryProgress {
    return {
      isRunning: this.#running !== undefined,
      found: this.#found,
      repaired: this.#repaired,
      failed: this.#failed,
    }
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
    let entries: JournalEntry[]
    try {
      entries = register.orphans()
    } catch (error) {
      logger.error({ err: error }, 'journal cannot be read: files that a crash left stay as they are')
      return
    }
    if (entries.length === 0) return
    this.#found += entries.length
    logger.warn({ files: entries.length }, 'files were left unfinished by a crash; repairing them')
    const queue = entries.values()
    const work = async (): Promise<void> => {
      for (const entry of queue) {
        if (this.#isStopped) return
        await this.#recover(entry)
      }
    }
    await Promise.all(Array.from({ length: CONCURRENCY }, work))
    logger.info({ repaired: this.#repaired, failed: this.#failed }, 'recovery is done')
  }

  async #recover(entry: JournalEntry): Promise<void> {
    const { storage, register, audit, logger } = this.#options
    const { id, path, room, participant } = entry
    const fields = { path, room, participant }
    try {
      if (await this.#removeEmpty(path)) {
        audit.note('deleted', path, { reason: 'empty after a crash' })
        register.closed(id)
        return
      }
      const { frames, durationMs, lostBytes, changed, faults } = await mendFile(storage, path)
      this.#repaired++
      register.closed(id)
      audit.note('repaired', path, { room, participant, frames, durationMs, lostBytes, changed, faults: faults.length })
      logger.info({ ...fields, frames, durationMs, lostBytes }, 'file that a crash left is repaired and complete')
    } catch (error) {
      this.#failed++
      const code = error instanceof TapedeckError ? error.code : 'INTERNAL'
      audit.note('failed', path, { room, participant, code })
      const isGone = code === 'TD_FILE_MISSING'
      const isHopeless = isGone || (error instanceof TapedeckError && error.fault !== 'host')
      if (isHopeless) register.closed(id)
      if (isGone) logger.warn(fields, 'file that a crash left is gone')
      else if (isHopeless)
        logger.error({ ...fields, code, err: error }, 'file that a crash left cannot be repaired; it stays as it is')
      else
        logger.error(
          { ...fields, code, err: error },
          'file that a crash left could not be repaired yet; the next start tries again',
        )
    }
  }

  /** A file that was made but never written to is of no use. */
  async #removeEmpty(path: string): Promise<boolean> {
    const { storage } = this.#options
    const file = await storage.open(path)
    const { sizeBytes } = file
    await file.close()
    if (sizeBytes > 0) return false
    await storage.remove(path)
    return true
  }
}
