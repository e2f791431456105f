import type { Hub } from '../../live/hub.ts'
import type { StreamAddress } from '../../live/stream.ts'
import { LimitError, TapedeckError, UnsupportedError } from '../../media/errors.ts'
import type { Logger } from '../../media/ports.ts'
import type { MediaEngine } from '../../webrtc/engine.ts'
import { parseIceFragment } from '../../webrtc/sdp/ice-fragment.ts'
import { type ViewerEndReason, WhepViewer, type WhepViewerOptions } from './whep-viewer.ts'

const DEFAULT_MAX_VIEWERS = 1000
/** How often viewers that never connect are looked for, ms. */
const TICK_MS = 1000
/** From the request to the connection, ms. */
const CONNECTION_DEADLINE_MS = 20_000

/** What the way out needs from above. */
export interface WhepPlaybackOptions {
  readonly hub: Hub
  readonly engine: MediaEngine
  readonly logger: Logger
  /** Viewers at a time, of all streams; 1000 by default. */
  readonly maxViewers?: number
}

/** A peer's wish to watch. */
export interface WhepOffer {
  /** Its session description, as it came. */
  readonly sdp: string
  /** For people and logs: where the request came from. */
  readonly peer: string
}

/** Viewers of all streams. */
export interface WhepStats {
  readonly sessions: number
  /** So far. */
  readonly started: number
  readonly ended: Readonly<Partial<Record<ViewerEndReason, number>>>
}

/** Nobody publishes there now. */
export class NotLiveError extends TapedeckError {
  readonly code = 'TD_NOT_LIVE'
  readonly fault = 'peer'

  constructor({ room, participant }: StreamAddress) {
    super(`nobody publishes ${room}/${participant} now; ask again in a moment`)
  }
}

/** Lets viewers see what is published over WHIP: packets are passed on as they came. Who may is asked before. */
export class WhepPlayback {
  readonly #options: WhepPlaybackOptions
  readonly #viewers = new Map<string, { readonly viewer: WhepViewer; readonly sinceMs: number }>()
  readonly #ended: Partial<Record<ViewerEndReason, number>> = {}
  #started = 0
  #isClosed = false
  #timer: NodeJS.Timeout | undefined

  constructor(options: WhepPlaybackOptions) {
    this.#options = options
  }

  get stats(): WhepStats {
    return { sessions: this.#viewers.size, started: this.#started, ended: { ...this.#ended } }
  }

  find(id: string): WhepViewer | undefined {
    return this.#viewers.get(id)?.viewer
  }

  /**
   * Sends what is published at `address`.
   * @throws NotLiveError when nobody publishes there now
   * @throws UnsupportedError when it came another way than by WebRTC, or no codec fits
   * @throws LimitError, MalformedError, TransportError, MediaProcessError
   */
  async create(address: StreamAddress, offer: WhepOffer): Promise<WhepViewer> {
    const { hub, engine, logger, maxViewers = DEFAULT_MAX_VIEWERS } = this.#options
    const { iceUfrag } = parseIceFragment(offer.sdp)
    const stream = hub.find(address)
    if (stream === undefined || this.#isClosed) throw new NotLiveError(address)
    const { source, session } = stream.publisher
    if (session === undefined) {
      throw new UnsupportedError(
        `${address.room}/${address.participant} came by ${source}, and WHEP passes on WebRTC only; play it over RTMP`,
      )
    }
    if (this.#viewers.size >= maxViewers) throw new LimitError('WHEP viewers at a time', { limit: maxViewers })
    const onEnded: WhepViewerOptions['onEnded'] = (ended, reason, message) => this.#over(ended, reason, message)
    const viewer = new WhepViewer({ address, peer: offer.peer, iceUfrag, onEnded })
    this.#viewers.set(viewer.id, { viewer, sinceMs: performance.now() })
    try {
      const opened = await engine.watch({ id: viewer.id, offer: offer.sdp, publisherId: session }, viewer)
      viewer.accepted(opened, stream)
    } catch (error) {
      this.#viewers.delete(viewer.id)
      throw error
    }
    if (viewer.isEnded) throw new NotLiveError(address)
    this.#started++
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS).unref()
    logger.info({ ...address, peer: offer.peer }, 'a viewer joined')
    return viewer
  }

  /** Ends all sessions. Idempotent. */
  close(): void {
    this.#isClosed = true
    for (const { viewer } of [...this.#viewers.values()]) viewer.close('shutdown')
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #tick(): void {
    const nowMs = performance.now()
    for (const { viewer, sinceMs } of [...this.#viewers.values()]) {
      if (!viewer.isConnected && nowMs - sinceMs >= CONNECTION_DEADLINE_MS) viewer.close('lost')
    }
  }

  #over(viewer: WhepViewer, reason: ViewerEndReason, message: string): void {
    if (!this.#viewers.delete(viewer.id)) return
    this.#ended[reason] = (this.#ended[reason] ?? 0) + 1
    if (this.#viewers.size === 0) {
      clearInterval(this.#timer)
      this.#timer = undefined
    }
    this.#options.logger.info({ ...viewer.address, peer: viewer.peer, reason: message }, 'a viewer left')
  }
}
