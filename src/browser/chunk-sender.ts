/// <reference lib="dom" />
import { BackOff } from './back-off.ts'
import type { ChunkStore, StoredChunk, StoredUpload } from './chunk-store.ts'
import { addressOf, authorization, type TokenSource } from './connection-options.ts'
import { RefusalError, refusalOf } from './refusal.ts'

/** For the answer to a chunk, ms: the server takes none that needs more than ten seconds to come. */
const ANSWER_MS = 20_000

/** What a sender tells. */
export interface SenderEvents {
  /** A chunk was acknowledged. */
  sent(chunk: StoredChunk): void
  /** It cannot go on; null: it goes on again. */
  troubled(error: unknown): void
}

/** Sends the chunks of one upload from the store, in order, until the server has each. */
export class ChunkSender {
  readonly backOff = new BackOff()
  readonly #store: ChunkStore
  readonly #upload: StoredUpload
  readonly #token: TokenSource | undefined
  readonly #events: SenderEvents
  #isStopped = false
  #wake: (() => void) | undefined

  constructor(store: ChunkStore, upload: StoredUpload, token: TokenSource | undefined, events: SenderEvents) {
    this.#store = store
    this.#upload = upload
    this.#token = token
    this.#events = events
  }

  /**
   * Sends what there is and what comes, up to the final chunk. Resolves with whether that was acknowledged.
   * @throws RefusalError when the server will not have it, whatever we try
   */
  async run(): Promise<boolean> {
    while (!this.#isStopped) {
      const chunk = await this.#store.firstChunk(this.#upload.id)
      if (chunk === undefined) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
        continue
      }
      if (!(await this.#send(chunk))) continue
      await this.#store.removeChunk(chunk)
      this.#events.sent(chunk)
      if (!chunk.isFinal) continue
      await this.#store.removeUpload(this.#upload.id)
      return true
    }
    return false
  }

  /** There is another chunk in the store. */
  wake(): void {
    this.#wake?.()
    this.#wake = undefined
  }

  stop(): void {
    this.#isStopped = true
    this.backOff.hurry()
    this.wake()
  }

  /** The first chunk that the server does not have; undefined when it does not know the upload. @throws RefusalError */
  async nextSeq(): Promise<number | undefined> {
    const url = this.#address()
    url.searchParams.set('session', this.#upload.id)
    const response = await fetch(url, { headers: await this.#headers() })
    if (response.status === 404) return undefined
    if (!response.ok) throw await refusalOf(response)
    const { next_seq } = await response.json()
    return typeof next_seq === 'number' ? next_seq : undefined
  }

  /** Whether it was acknowledged. @throws RefusalError */
  async #send(chunk: StoredChunk): Promise<boolean> {
    try {
      const response = await fetch(this.#addressOf(chunk), {
        method: 'POST',
        headers: { ...(await this.#headers()), 'content-type': 'application/octet-stream' },
        body: chunk.bytes,
        signal: AbortSignal.timeout(ANSWER_MS),
      })
      if (!response.ok) throw await refusalOf(response)
      this.backOff.reset()
      return true
    } catch (error) {
      if (error instanceof RefusalError && !error.isPassing) throw error
      this.#events.troubled(error)
      await this.backOff.pause(error instanceof RefusalError ? error.retryAfterMs : undefined)
      return false
    }
  }

  #addressOf({ seq, sha256, startMs, isFinal }: StoredChunk): URL {
    const url = this.#address()
    const query = { session: this.#upload.id, seq, sha256, kind: this.#upload.kind, start: startMs, sent: Date.now() }
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, String(value))
    if (isFinal) url.searchParams.set('final', 'true')
    return url
  }

  #address(): URL {
    const { url, room, participant } = this.#upload
    return addressOf({ url }, 'api', 'rooms', room, 'participants', participant, 'chunks')
  }

  #headers(): Promise<Record<string, string>> {
    return authorization(this.#token === undefined ? {} : { token: this.#token })
  }
}
