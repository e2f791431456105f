/// <reference lib="dom" />
import { ChunkSender } from './chunk-sender.ts'
import type { ChunkStore, StoredUpload } from './chunk-store.ts'
import type { ConnectionOptions } from './connection-options.ts'

/** Pieces of a chunk, bytes: what a slow network sends within seconds. */
const PIECE_BYTES = 256 * 1024
const VIDEO_TYPES = ['video/webm;codecs=vp8,opus', 'video/webm', 'video/mp4']
const AUDIO_TYPES = ['audio/webm;codecs=opus', 'audio/webm', 'audio/mp4']

/** What a recorder tells. */
export interface RecorderEvents {
  /** So many bytes more, or fewer, wait to be acknowledged. */
  pending(bytes: number): void
  troubled(error: unknown): void
}

/** How it records. */
export interface RecorderOptions {
  readonly chunkMs: number
  readonly videoBitsPerSecond: number | undefined
}

/** Records a stream by `MediaRecorder`; each chunk is stored before it is sent, and forgotten once it is acknowledged. */
export class ChunkRecorder {
  readonly #recorder: MediaRecorder
  readonly #store: ChunkStore
  readonly #upload: StoredUpload
  readonly #sender: ChunkSender
  readonly #events: RecorderEvents
  #seq = 0
  #startMs = Date.now()
  #storing: Promise<void> = Promise.resolve()
  #release: (() => void) | undefined
  /** Resolves with whether everything was acknowledged. */
  readonly sent: Promise<boolean>

  /** Begins at once. @throws what `MediaRecorder` throws */
  constructor(
    stream: MediaStream,
    kind: 'camera' | 'screen' | 'microphone',
    store: ChunkStore,
    to: ConnectionOptions,
    options: RecorderOptions,
    events: RecorderEvents,
  ) {
    const { room, participant, token } = to
    this.#store = store
    this.#events = events
    const url = new URL(String(to.url), location.href).href
    this.#upload = { id: crypto.randomUUID(), url, room, participant, kind }
    this.#sender = new ChunkSender(store, this.#upload, token, {
      sent: ({ bytes }) => events.pending(-bytes.byteLength),
      troubled: (error) => events.troubled(error),
    })
    this.#recorder = new MediaRecorder(stream, recorderOptions(stream, options))
    this.#recorder.ondataavailable = ({ data }) => this.#keep(data, false)
    this.#recorder.onerror = (event) => events.troubled(event)
    this.#storing = this.#begin()
    this.sent = this.#storing.then(() => this.#sender.run())
    this.#startMs = Date.now()
    this.#recorder.start(options.chunkMs)
  }

  /** Takes the last of it; `sent` follows. */
  async stop(): Promise<void> {
    if (this.#recorder.state !== 'inactive') {
      const stopped = new Promise((resolve) => this.#recorder.addEventListener('stop', resolve, { once: true }))
      this.#recorder.stop()
      await stopped
    }
    this.#keep(new Blob([]), true)
    await this.#storing
    await this.sent.catch(() => undefined)
    this.#release?.()
  }

  /** The network is back. */
  hurry(): void {
    this.#sender.backOff.hurry()
  }

  /** While this page lives, no other takes the upload for one that was left behind. */
  async #begin(): Promise<void> {
    await new Promise<void>((begun) => {
      const held = new Promise<void>((resolve) => {
        this.#release = resolve
      })
      void navigator.locks.request(lockOf(this.#upload), () => {
        begun()
        return held
      })
    })
    await this.#store.addUpload(this.#upload)
  }

  #keep(blob: Blob, isFinal: boolean): void {
    const startMs = this.#startMs
    this.#startMs = Date.now()
    this.#storing = this.#storing.then(() => this.#cut(blob, startMs, isFinal))
    this.#storing.catch((error: unknown) => this.#events.troubled(error))
  }

  async #cut(blob: Blob, startMs: number, isFinal: boolean): Promise<void> {
    for (let at = 0; at < blob.size || (isFinal && at === 0); at += PIECE_BYTES) {
      const bytes = await blob.slice(at, at + PIECE_BYTES).arrayBuffer()
      const isLast = isFinal && at + PIECE_BYTES >= blob.size
      this.#events.pending(bytes.byteLength)
      const sha256 = await checksum(bytes)
      await this.#store.addChunk({ upload: this.#upload.id, seq: this.#seq++, bytes, sha256, startMs, isFinal: isLast })
      this.#sender.wake()
    }
  }
}

/** What says that a page which records `upload` is alive. */
export function lockOf({ id }: Pick<StoredUpload, 'id'>): string {
  return `tapedeck upload ${id}`
}

/** SHA-256, hexadecimal. */
export async function checksum(bytes: ArrayBuffer): Promise<string> {
  const sum = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  return Array.from(sum, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function recorderOptions(stream: MediaStream, { videoBitsPerSecond }: RecorderOptions): MediaRecorderOptions {
  const types = stream.getVideoTracks().length > 0 ? VIDEO_TYPES : AUDIO_TYPES
  const mimeType = types.find((type) => MediaRecorder.isTypeSupported(type))
  const known = {
    ...(mimeType === undefined ? {} : { mimeType }),
    ...(videoBitsPerSecond === undefined ? {} : { videoBitsPerSecond }),
  }
  // a place to begin anew every second; not in every browser's or compiler's dictionary yet
  return Object.assign(known, { videoKeyFrameIntervalDuration: 1000 })
}
