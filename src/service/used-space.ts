import type { Storage } from '../storage/ports.ts'

/** An answer is good for so long, ms: files are counted one by one. */
const FRESH_MS = 60_000
const MAX_FILES = 2_000_000

/** How much all that lies in the recording directory takes. */
export class UsedSpace {
  readonly #storage: Storage
  readonly #directory: string
  #bytes: Promise<number> | undefined
  #askedAtMs = 0

  constructor(storage: Storage, directory: string) {
    this.#storage = storage
    this.#directory = directory
  }

  /** At most a minute old. */
  bytes(): Promise<number> {
    const nowMs = performance.now()
    if (this.#bytes === undefined || nowMs - this.#askedAtMs > FRESH_MS) {
      this.#askedAtMs = nowMs
      this.#bytes = this.#count()
    }
    return this.#bytes
  }

  async #count(): Promise<number> {
    const files = await this.#storage.list(this.#directory, MAX_FILES)
    return files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  }
}
