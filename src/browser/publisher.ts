/// <reference lib="dom" />
import { BackOff } from './back-off.ts'
import { ChunkRecorder } from './chunk-recorder.ts'
import { ChunkStore } from './chunk-store.ts'
import type { ConnectionOptions } from './connection-options.ts'
import { sendLeftUploads } from './left-uploads.ts'
import { RefusalError, UnreachableError } from './refusal.ts'
import { TypedEvents } from './typed-events.ts'
import { type Source, type Tracks, WhipPublication } from './whip-publication.ts'

/** Connections that came to nothing in a row, before chunks are uploaded instead. */
const MAX_FAILURES = 3
/** The same, of such to which the server had answered: then it is there, and its UDP port is not. */
const MAX_UNREACHED = 2
const DEFAULT_CHUNK_MS = 1000
/** What an earlier page left is sent first, for at most so long, ms. */
const LEFT_DEADLINE_MS = 10_000

/** What is published, and how. */
export interface PublishOptions extends ConnectionOptions {
  /** Camera and microphone; the first track of each kind. */
  readonly stream?: MediaStream
  /** The screen, or a window. Its sound is not sent. */
  readonly screen?: MediaStream
  /**
   * `auto` (the default): over WebRTC, and by uploading chunks where that is refused or cannot be reached; what an upload was
   * begun with it is ended with. `whip` and `upload`: only so.
   */
  readonly transport?: 'auto' | 'whip' | 'upload'
  /** Records and uploads under this name as well, for when the network is bad: what WebRTC leaves out is there. */
  readonly backupParticipant?: string
  /** The camera in three layers; true by default. */
  readonly simulcast?: boolean
  readonly videoBitsPerSecond?: number
  /** Length of an uploaded chunk, ms; 1000 by default. */
  readonly chunkMs?: number
}

/**
 * `connecting` → `live` (WebRTC) ⇄ `reconnecting`, or → `uploading` (chunks); then `stopped`, or `failed`, which nothing but
 * another publisher can mend: a token that is refused, say.
 */
export type PublisherState = 'connecting' | 'live' | 'reconnecting' | 'uploading' | 'stopped' | 'failed'

/** What a publisher tells. */
export interface PublisherEvents {
  state: { readonly state: PublisherState; readonly error: unknown }
  /** Recorded, and not acknowledged yet. */
  pending: { readonly bytes: number }
  /** Something went wrong that is being tried again. */
  trouble: { readonly error: unknown }
}

/** One participant in a room. It comes back by itself: after the network, the server or the tab was away. */
export class Publisher extends TypedEvents<PublisherEvents> {
  readonly #options: PublishOptions
  readonly #tracks: Tracks
  readonly #backOff = new BackOff()
  readonly #recorders: ChunkRecorder[] = []
  #store: ChunkStore | undefined
  #publication: WhipPublication | undefined
  #state: PublisherState = 'connecting'
  #pendingBytes = 0
  #failures = 0
  #unreached = 0
  #wasLive = false
  #isStopped = false
  #unlisten: () => void = () => undefined

  constructor(options: PublishOptions) {
    super()
    this.#options = options
    this.#tracks = {
      microphone: options.stream?.getAudioTracks()[0] ?? null,
      camera: options.stream?.getVideoTracks()[0] ?? null,
      screen: options.screen?.getVideoTracks()[0] ?? null,
    }
    this.#unlisten = this.#listenToPage()
    void this.#run()
  }

  get state(): PublisherState {
    return this.#state
  }
  /** Recorded, and not acknowledged yet. */
  get pendingBytes(): number {
    return this.#pendingBytes
  }

  /**
   * Another microphone, camera or screen, or none (null), without an interruption. Where chunks are uploaded, it takes part
   * only when it is there from the beginning.
   */
  async replaceTrack(source: Source, track: MediaStreamTrack | null): Promise<void> {
    this.#tracks[source] = track
    await this.#publication?.replaceTrack(source, track)
  }

  /** Ends it; resolves once the server has everything that was recorded here, as far as it can be reached. */
  async stop(): Promise<void> {
    if (this.#isStopped) return
    this.#isStopped = true
    this.#unlisten()
    this.#backOff.hurry()
    this.#publication?.close()
    await Promise.all(this.#recorders.map((recorder) => recorder.stop()))
    this.#store?.close()
    if (this.#state !== 'failed') this.#move('stopped')
  }

  async #run(): Promise<void> {
    try {
      await this.#begin()
      const { transport = 'auto' } = this.#options
      while (transport !== 'upload' && !this.#isStopped && this.#state !== 'uploading') await this.#connect()
      if (transport === 'upload') await this.#upload()
    } catch (error) {
      if (!this.#isStopped) this.#move('failed', error)
    }
  }

  /** First what an earlier page of this participant left. */
  async #begin(): Promise<void> {
    if (this.#options.transport === 'whip' && this.#options.backupParticipant === undefined) return
    this.#store = await ChunkStore.open()
    const sending = sendLeftUploads(this.#store, this.#options).catch((error: unknown) =>
      this.tell('trouble', { error }),
    )
    await Promise.race([sending, new Promise((resolve) => setTimeout(resolve, LEFT_DEADLINE_MS))])
    const { backupParticipant } = this.#options
    if (backupParticipant !== undefined) this.#record(this.#store, backupParticipant)
  }

  /** One WebRTC connection, from its offer to its end. */
  async #connect(): Promise<void> {
    const { simulcast = true, videoBitsPerSecond } = this.#options
    const publication = new WhipPublication(this.#options, this.#tracks, { simulcast, videoBitsPerSecond })
    this.#publication = publication
    const lost = new Promise<void>((resolve) => {
      publication.session.onLost = resolve
    })
    try {
      await publication.connect()
      this.#failures = this.#unreached = 0
      this.#wasLive = true
      this.#backOff.reset()
      this.#move('live')
      await lost
      if (!this.#isStopped) this.#move('reconnecting')
    } catch (error) {
      publication.close()
      await this.#failed(error)
    }
  }

  /** A connection that could not be made: tried again, or given up for chunks. @throws what cannot be mended */
  async #failed(error: unknown): Promise<void> {
    if (this.#isStopped) return
    this.tell('trouble', { error })
    const { transport = 'auto' } = this.#options
    const isRefused = error instanceof RefusalError && !error.isPassing
    if (error instanceof RefusalError && (error.status === 401 || error.status === 403)) throw error
    if (transport === 'whip' && isRefused) throw error
    if (!(error instanceof RefusalError) || error.status >= 500) this.#failures++
    if (error instanceof UnreachableError) this.#unreached++
    const isTried = this.#unreached >= MAX_UNREACHED || (!this.#wasLive && this.#failures >= MAX_FAILURES)
    const isHopeless = isRefused || isTried
    if (transport === 'auto' && isHopeless) return this.#upload()
    await this.#backOff.pause(error instanceof RefusalError ? error.retryAfterMs : undefined)
  }

  async #upload(): Promise<void> {
    this.#publication = undefined
    const store = (this.#store ??= await ChunkStore.open())
    if (this.#isStopped) return
    this.#record(store, this.#options.participant)
    this.#move('uploading')
  }

  #record(store: ChunkStore, participant: string): void {
    const { chunkMs = DEFAULT_CHUNK_MS, videoBitsPerSecond } = this.#options
    const { microphone, camera, screen } = this.#tracks
    const to = { ...this.#options, participant }
    const begin = (tracks: readonly (MediaStreamTrack | null)[], kind: Source) => {
      const present = tracks.filter((track) => track !== null)
      if (present.length === 0) return
      const recorder = new ChunkRecorder(
        new MediaStream(present),
        kind,
        store,
        to,
        { chunkMs, videoBitsPerSecond },
        {
          pending: (bytes) => this.#pending(bytes),
          troubled: (error) => this.tell('trouble', { error }),
        },
      )
      this.#recorders.push(recorder)
      recorder.sent.catch((error: unknown) => {
        if (participant === this.#options.participant) this.#move('failed', error)
        else this.tell('trouble', { error })
      })
    }
    begin([camera, microphone], camera === null ? 'microphone' : 'camera')
    begin([screen], 'screen')
  }

  #pending(bytes: number): void {
    this.#pendingBytes += bytes
    this.tell('pending', { bytes: this.#pendingBytes })
  }

  #move(state: PublisherState, error?: unknown): void {
    if (this.#state === state || this.#state === 'stopped' || this.#state === 'failed') return
    this.#state = state
    this.tell('state', { state, error })
  }

  /** Whoever comes back to the page, or gets a network again, does not wait. */
  #listenToPage(): () => void {
    const back = () => {
      if (document.visibilityState !== 'visible') return
      if (this.#state === 'live') this.#publication?.session.check()
      this.#backOff.hurry()
      for (const recorder of this.#recorders) recorder.hurry()
    }
    const leave = () => this.#publication?.close()
    addEventListener('online', back)
    addEventListener('pagehide', leave)
    document.addEventListener('visibilitychange', back)
    return () => {
      removeEventListener('online', back)
      removeEventListener('pagehide', leave)
      document.removeEventListener('visibilitychange', back)
    }
  }
}

/** Publishes in a room; what is wrong comes as an event. */
export function publish(options: PublishOptions): Publisher {
  return new Publisher(options)
}

/** Sends what pages that are gone recorded of this participant and could not send: for a page that does not publish again. */
export async function resumeUploads(options: ConnectionOptions): Promise<number> {
  const store = await ChunkStore.open()
  try {
    return await sendLeftUploads(store, options)
  } finally {
    store.close()
  }
}
