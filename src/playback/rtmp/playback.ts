import { streamAddress } from '../../live/address.ts'
import type { Authorizer } from '../../live/authorizer.ts'
import type { Hub } from '../../live/hub.ts'
import type { LiveStream } from '../../live/stream.ts'
import type { Logger } from '../../media/ports.ts'
import { StreamNotFoundError } from '../../rtmp/errors.ts'
import type { RtmpHandlers, RtmpPlayOutput, RtmpPlaySource, StreamRequest } from '../../rtmp/handlers.ts'
import { RtmpBroadcast } from './broadcast.ts'
import type { PlayerLimits } from './player.ts'

/** What waits in a player's socket at most, bytes. */
const DEFAULT_MAX_BUFFERED_BYTES = 4 * 1024 * 1024
/** How long it may wait there, milliseconds. */
const DEFAULT_MAX_DELAY_MS = 2000
/** How long a player may stay too slow, milliseconds. */
const DEFAULT_MAX_SLOW_MS = 10_000

/** What the way out needs from above. */
export interface RtmpPlaybackOptions {
  readonly hub: Hub
  readonly authorize: Authorizer
  readonly logger: Logger
  /** Defaults: 4 MiB or 2 s in the socket, 10 s of slowness. */
  readonly limits?: Partial<PlayerLimits>
}

/** Sends live streams to RTMP players. Streams without players cost nothing here. */
export class RtmpPlayback implements Pick<RtmpHandlers, 'play'> {
  readonly #options: RtmpPlaybackOptions
  readonly #limits: PlayerLimits
  readonly #broadcasts = new Map<LiveStream, Map<string, RtmpBroadcast>>()

  constructor(options: RtmpPlaybackOptions) {
    this.#options = options
    this.#limits = {
      maxBufferedBytes: DEFAULT_MAX_BUFFERED_BYTES,
      maxDelayMs: DEFAULT_MAX_DELAY_MS,
      maxSlowMs: DEFAULT_MAX_SLOW_MS,
      ...options.limits,
    }
  }

  /** Players being served now. */
  get playerCount(): number {
    let count = 0
    for (const forms of this.#broadcasts.values()) for (const form of forms.values()) count += form.players.length
    return count
  }

  /**
   * A player of a stream that is live now. Names that nobody publishes are refused at once: waiting for a publisher is the
   * player's part. Setup and the GOP so far are sent before this returns.
   * @throws BadNameError, UnauthorizedError, StreamNotFoundError
   */
  async play(request: StreamRequest, output: RtmpPlayOutput): Promise<RtmpPlaySource> {
    const { hub, authorize, logger } = this.#options
    const { peer } = request
    const address = streamAddress(request.app, request.name)
    await authorize('play', address, request.query.get('token') ?? undefined, peer)
    const stream = hub.find(address)
    if (stream === undefined) throw new StreamNotFoundError(request.app, request.name)
    logger.info({ ...address, peer: peer.address, agent: peer.agent }, 'a player joined')
    return this.#broadcast(stream, output, request.multitrack === true).join(output)
  }

  #broadcast(stream: LiveStream, output: RtmpPlayOutput, multitrack: boolean): RtmpBroadcast {
    const { messageStreamId, chunkSize } = output
    const key = `${messageStreamId} ${chunkSize} ${multitrack}`
    let forms = this.#broadcasts.get(stream)
    if (forms === undefined) this.#broadcasts.set(stream, (forms = new Map()))
    let broadcast = forms.get(key)
    if (broadcast === undefined) {
      const group = forms
      broadcast = new RtmpBroadcast(stream, {
        form: { messageStreamId, chunkSize },
        limits: this.#limits,
        logger: this.#options.logger,
        multitrack,
        onIdle: () => {
          group.delete(key)
          if (group.size === 0) this.#broadcasts.delete(stream)
        },
      })
      group.set(key, broadcast)
    }
    return broadcast
  }
}
