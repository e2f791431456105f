import { createHash } from 'node:crypto'
import type { UploadIngest } from '../ingest/upload/upload-ingest.ts'
import type { StreamAddress } from '../live/stream.ts'

/** What a `MediaRecorder` records, chunk after chunk, on its way into an upload: numbered as they are given. */
export class ChunkFeed {
  readonly #uploads: UploadIngest
  readonly #address: StreamAddress
  readonly #session: string
  readonly #label: string
  #seq = 0
  #taking: Promise<unknown> = Promise.resolve()

  constructor(uploads: UploadIngest, address: StreamAddress, session: string, label: string) {
    this.#uploads = uploads
    this.#address = address
    this.#session = session
    this.#label = label
  }

  /** Resolves once the chunk is on disk; chunks are taken in the order of the calls. One that was not taken may be given again. */
  add(bytes: Uint8Array): Promise<void> {
    return this.#inTurn(() => this.#take(bytes, false))
  }

  /** Nothing follows. Resolves once recordings have been given all of it. */
  async end(): Promise<void> {
    await this.#inTurn(() => this.#take(new Uint8Array(0), true))
    await this.#uploads.done(this.#address, this.#session)
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const taken = this.#taking.then(work)
    this.#taking = taken.catch(() => undefined)
    return taken
  }

  async #take(bytes: Uint8Array, isFinal: boolean): Promise<void> {
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    const origin = { session: this.#session, label: this.#label }
    await this.#uploads.accept(this.#address, origin, { seq: this.#seq, sha256, isFinal, body: once(bytes) })
    this.#seq++
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
