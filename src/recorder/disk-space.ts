import { TapedeckError } from '../media/errors.ts'
import type { Logger } from '../media/ports.ts'
import type { Storage } from '../storage/ports.ts'

/** Recording goes on when this much more than the least is free, bytes, or a tenth of the least where that is more. */
const MARGIN_BYTES = 4_000_000

/** The disk has less room than has to be left: files are closed while they can be. */
export class DiskLowError extends TapedeckError {
  readonly code = 'TD_DISK_LOW'
  readonly fault = 'host'

  constructor(directory: string, freeBytes: number, leastBytes: number) {
    const mb = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`
    super(
      `${directory}: ${mb(freeBytes)} are free, ${mb(leastBytes)} have to stay free; ` +
        'free some, record elsewhere, or lower --record-min-free-mb',
    )
  }
}

/** Watches the room that is left where recordings go. */
export class DiskSpace {
  readonly #storage: Storage
  readonly #directory: string
  readonly #leastBytes: number
  readonly #logger: Logger
  #isPolling = false
  #isLow = false
  #hasRoom = true
  #freeBytes: number | undefined

  constructor(storage: Storage, options: { directory: string; leastBytes: number; logger: Logger }) {
    this.#storage = storage
    this.#directory = options.directory
    this.#leastBytes = options.leastBytes
    this.#logger = options.logger
  }

  /** As last asked; undefined before the first answer, and while the system gives none. */
  get freeBytes(): number | undefined {
    return this.#freeBytes
  }
  /** Less is free than has to be. */
  get isLow(): boolean {
    return this.#isLow
  }
  /** Enough is free to begin new files: some more than has to be. True while nobody knows. */
  get hasRoom(): boolean {
    return this.#hasRoom
  }
  /** What to tell a recording that must not go on now. */
  get error(): DiskLowError {
    return new DiskLowError(this.#directory, this.#freeBytes ?? 0, this.#leastBytes)
  }

  /** Asks anew; `pendingBytes` will still be written. Returns whether it has just become low. Never throws. */
  async poll(pendingBytes: number): Promise<boolean> {
    if (this.#isPolling) return false // a disk that blocks answers when it can
    this.#isPolling = true
    try {
      const freeBytes = await this.#storage.freeBytes(this.#directory)
      return this.#learn(Math.max(0, freeBytes - pendingBytes))
    } catch (error) {
      this.#logger.debug({ err: error, directory: this.#directory }, 'free space cannot be told')
      this.#freeBytes = undefined
      this.#isLow = false
      this.#hasRoom = true
      return false
    } finally {
      this.#isPolling = false
    }
  }

  #learn(freeBytes: number): boolean {
    const wasLow = this.#isLow
    this.#freeBytes = freeBytes
    this.#hasRoom = freeBytes >= this.#leastBytes + Math.max(MARGIN_BYTES, this.#leastBytes / 10)
    if (freeBytes < this.#leastBytes) this.#isLow = true
    else if (this.#hasRoom) this.#isLow = false
    return this.#isLow && !wasLow
  }
}
