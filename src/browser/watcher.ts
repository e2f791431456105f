/// <reference lib="dom" />
import { BackOff } from './back-off.ts'
import { addressOf, type ConnectionOptions } from './connection-options.ts'
import { PeerSession } from './peer-session.ts'
import { RefusalError } from './refusal.ts'
import { TypedEvents } from './typed-events.ts'

/** Pictures of one participant that are asked for: camera and screen. */
const MAX_VIDEO = 2

/** `connecting` → `playing` ⇄ `waiting` (nobody publishes now, or the connection broke); then `stopped`, or `failed`. */
export type WatcherState = 'connecting' | 'playing' | 'waiting' | 'stopped' | 'failed'

/** What a watcher tells. */
export interface WatcherEvents {
  state: { readonly state: WatcherState; readonly error: unknown }
  /** Picture or sound has come: the second picture is the screen. */
  track: { readonly track: MediaStreamTrack }
}

/** Follows one participant by WHEP, as often as they come. */
export class Watcher extends TypedEvents<WatcherEvents> {
  readonly #options: ConnectionOptions
  readonly #element: HTMLVideoElement | undefined
  readonly #backOff = new BackOff()
  #session: PeerSession | undefined
  #state: WatcherState = 'connecting'
  #isStopped = false

  constructor(options: ConnectionOptions, element?: HTMLVideoElement) {
    super()
    this.#options = options
    this.#element = element
    void this.#run()
  }

  get state(): WatcherState {
    return this.#state
  }

  stop(): void {
    if (this.#isStopped) return
    this.#isStopped = true
    this.#backOff.hurry()
    this.#session?.close()
    this.#move('stopped')
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      try {
        await this.#watch()
      } catch (error) {
        this.#session?.close()
        if (error instanceof RefusalError && !error.isPassing) return this.#move('failed', error)
        this.#move('waiting', error)
        await this.#backOff.pause(error instanceof RefusalError ? error.retryAfterMs : undefined)
      }
    }
  }

  async #watch(): Promise<void> {
    const session = new PeerSession(this.#options)
    this.#session = session
    const { peer } = session
    peer.addTransceiver('audio', { direction: 'recvonly' })
    for (let count = 0; count < MAX_VIDEO; count++) peer.addTransceiver('video', { direction: 'recvonly' })
    const shown = new MediaStream()
    peer.ontrack = ({ track }) => {
      if (track.kind === 'audio' || shown.getVideoTracks().length === 0) shown.addTrack(track)
      if (this.#element !== undefined && this.#element.srcObject !== shown) this.#element.srcObject = shown
      this.tell('track', { track })
    }
    const lost = new Promise<void>((resolve) => {
      session.onLost = resolve
    })
    await session.connect(() => addressOf(this.#options, 'whep', this.#options.room, this.#options.participant))
    this.#backOff.reset()
    this.#move('playing')
    await lost
    this.#move('waiting')
  }

  #move(state: WatcherState, error?: unknown): void {
    if (this.#state === state || this.#state === 'stopped' || this.#state === 'failed') return
    this.#state = state
    this.tell('state', { state, error })
  }
}

/** Shows a participant in `element`: their first picture and their sound. */
export function watch(options: ConnectionOptions, element?: HTMLVideoElement): Watcher {
  return new Watcher(options, element)
}
