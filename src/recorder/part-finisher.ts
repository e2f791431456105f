import { TapedeckError } from '../media/errors.ts'
import type { Logger } from '../media/ports.ts'
import type { Storage } from '../storage/ports.ts'
import type { Audit } from './audit.ts'
import { Limiter } from './limiter.ts'
import { mendFile } from './mending.ts'
import type { OpenFileRegister } from './open-file-register.ts'
import type { Part } from './part.ts'

/** Files finished at a time: enough to keep a disk busy, few enough for bounded memory. */
const CONCURRENCY = 8
/** Unfinished files remembered for another try; the next start finds those beyond this in the journal. */
const MAX_RETRIES = 1000

/** What finishing needs. */
export interface PartFinisherOptions {
  readonly storage: Storage
  readonly register: OpenFileRegister
  readonly audit: Audit
  readonly logger: Logger
  /** A file is complete, by finishing or by repair. */
  readonly onFinalised?: (part: Part) => void
}

/** Brings parts to their end: finished, or mended, or, when even that fails, left playable and in the journal. */
export class PartFinisher {
  readonly #options: PartFinisherOptions
  readonly #limiter = new Limiter(CONCURRENCY)
  readonly #unfinished = new Set<Part>()
  readonly #running = new Set<Part>()
  #retrying = false

  constructor(options: PartFinisherOptions) {
    this.#options = options
  }

  /** Files that could not be finished yet. */
  get unfinishedCount(): number {
    return this.#unfinished.size
  }

  /** Never throws: how it went is in `part.state`. */
  finish(part: Part): Promise<void> {
    part.state = 'finishing'
    this.#running.add(part)
    this.#flush(part) // it may have to wait for its turn
    return this.#limiter.run(async () => {
      try {
        if (part.frames === 0) await this.discard(part, 'empty')
        else if (part.failure !== undefined) await this.#salvage(part, part.failure)
        else await this.#complete(part)
      } catch (error) {
        this.#options.logger.error({ err: error, path: part.path }, 'recording file could not be finished')
      } finally {
        this.#running.delete(part)
      }
    })
  }

  #flush(part: Part): void {
    try {
      if (part.failure === undefined) part.flush()
    } catch (error) {
      part.fault ??= error instanceof Error ? error : new Error(String(error)) // finishing meets it again
    }
  }

  /** Closes `part` as it is and removes its file. */
  async discard(part: Part, reason: 'empty' | 'cancelled'): Promise<void> {
    await part.abandon()
    await this.#options.storage.remove(part.path)
    part.state = 'removed'
    this.#unfinished.delete(part)
    this.#closed(part)
    this.#options.audit.note('deleted', part.path, { reason })
  }

  /** Tries again what could not be finished: call when there is room again, or now and then. */
  async retry(): Promise<void> {
    if (this.#retrying) return
    this.#retrying = true
    try {
      for (const part of [...this.#unfinished]) if (!(await this.#mend(part))) break
    } finally {
      this.#retrying = false
    }
  }

  /** The deadline is over: closes files as they are. The journal keeps them for the next start. */
  abandonAll(): void {
    for (const part of [...this.#running, ...this.#unfinished]) {
      part.state = 'torn'
      this.#options.register.forget(part.identity.id)
      void part.abandon()
    }
  }

  async #complete(part: Part): Promise<void> {
    try {
      await part.finish(part.chapters?.())
    } catch (error) {
      await this.#salvage(part, error)
      return
    }
    this.#closed(part)
    if (part.gone) {
      part.state = 'removed'
      this.#options.audit.note('failed', part.path, { reason: 'moved or deleted while it was recorded' })
      return
    }
    part.state = 'finalised'
    const { frames, finalBytes } = part
    this.#options.audit.note('finalised', part.path, { frames, sizeBytes: finalBytes })
    this.#options.onFinalised?.(part)
  }

  async #salvage(part: Part, error: unknown): Promise<void> {
    await part.abandon()
    part.state = 'torn'
    const { audit } = this.#options
    audit.note('failed', part.path, { reason: error instanceof Error ? error.message : String(error) })
    if (this.#unfinished.size < MAX_RETRIES) this.#unfinished.add(part)
    await this.#mend(part)
  }

  async #mend(part: Part): Promise<boolean> {
    const { storage, audit, logger } = this.#options
    try {
      const { removed, ...report } = await mendFile(storage, part.path)
      part.state = removed ? 'removed' : 'repaired'
      part.finalBytes = report.sizeBytes
      this.#unfinished.delete(part)
      this.#closed(part)
      if (removed) {
        audit.note('deleted', part.path, { reason: 'no frame of it could be written' })
        return true
      }
      audit.note('repaired', part.path, { ...report, faults: report.faults.length })
      this.#options.onFinalised?.(part)
      return true
    } catch (error) {
      if (isMissing(error)) {
        part.state = 'removed'
        this.#unfinished.delete(part)
        this.#closed(part)
        return true
      }
      if (error instanceof TapedeckError && error.fault === 'host') {
        logger.debug({ err: error, path: part.path }, 'file stays unfinished for now; it plays as it is')
        return false
      }
      this.#unfinished.delete(part)
      logger.error({ err: error, path: part.path }, 'file cannot be mended now; the next start tries again')
      return true
    }
  }

  #closed(part: Part): void {
    this.#options.register.closed(part.identity.id)
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof TapedeckError && error.code === 'TD_FILE_MISSING'
}
