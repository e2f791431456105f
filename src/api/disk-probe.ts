import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { TapedeckError } from '../media/errors.ts'
import { isDoneWithin } from '../media/patience.ts'
import type { Storage } from '../storage/ports.ts'

/** An answer is good for so long, ms: probes write. */
const FRESH_MS = 5000
/** A disk that takes longer than this does not answer, ms. */
const PATIENCE_MS = 2000

/** What a disk can do now. */
export interface DiskState {
  readonly writable: boolean
  /** Undefined when the system did not tell. */
  readonly freeBytes: number | undefined
  /** What went wrong: an error code, or `no answer`. */
  readonly problem: string | undefined
}

/** Finds out whether recordings can be written, by writing: a small file that is removed again. */
export class DiskProbe {
  readonly #storage: Storage
  readonly #directory: string
  #state: Promise<DiskState> | undefined
  #askedAtMs = 0

  constructor(storage: Storage, directory: string) {
    this.#storage = storage
    this.#directory = directory
  }

  /** Never throws, answers within two seconds; at most one probe every five. */
  check(): Promise<DiskState> {
    const nowMs = performance.now()
    if (this.#state === undefined || nowMs - this.#askedAtMs > FRESH_MS) {
      this.#askedAtMs = nowMs
      this.#state = this.#probe()
    }
    return this.#state
  }

  async #probe(): Promise<DiskState> {
    const writing = this.#write()
    if (await isDoneWithin(writing, PATIENCE_MS)) return writing
    return { writable: false, freeBytes: undefined, problem: 'no answer' }
  }

  async #write(): Promise<DiskState> {
    const freeBytes = await this.#storage.freeBytes(this.#directory).catch(() => undefined)
    const path = join(this.#directory, `.tapedeck-probe-${randomBytes(8).toString('hex')}`)
    try {
      const file = await this.#storage.create(path)
      file.write(new Uint8Array(1))
      file.commit()
      await file.close()
      return { writable: true, freeBytes, problem: undefined }
    } catch (error) {
      return { writable: false, freeBytes, problem: error instanceof TapedeckError ? error.code : String(error) }
    } finally {
      await this.#storage.remove(path).catch(() => undefined)
    }
  }
}
