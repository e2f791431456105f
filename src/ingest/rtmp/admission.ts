import { streamAddress } from '../../live/address.ts'
import type { Authorizer } from '../../live/authorizer.ts'
import type { Hub } from '../../live/hub.ts'
import type { Logger } from '../../media/ports.ts'
import type { RtmpHandlers, StreamRequest } from '../../rtmp/handlers.ts'
import { RtmpPublisher } from './publisher.ts'

/** What the way in needs from above. */
export interface RtmpAdmissionOptions {
  readonly hub: Hub
  readonly authorize: Authorizer
  readonly logger: Logger
  /** Tracks of one publisher; default 16. */
  readonly maxTracks?: number
}

/** Lets RTMP publishers in: a good name, permission, a free place; then they are live. */
export class RtmpAdmission implements Pick<RtmpHandlers, 'publish'> {
  readonly #options: RtmpAdmissionOptions

  constructor(options: RtmpAdmissionOptions) {
    this.#options = options
  }

  /**
   * The room is the app, the participant the stream name; the token comes as `?token=`.
   * @throws BadNameError, UnauthorizedError, NameBusyError, LimitError
   */
  async publish(request: StreamRequest): Promise<RtmpPublisher> {
    const { hub, authorize, logger, maxTracks } = this.#options
    const { peer } = request
    const address = streamAddress(request.app, request.name)
    await authorize('publish', address, request.query.get('token') ?? undefined, peer)
    const stream = hub.publish(address, {
      source: peer.secure ? 'rtmps' : 'rtmp',
      peer: peer.address,
      disconnect: () => peer.disconnect(),
    })
    logger.info({ ...address, peer: peer.address, agent: peer.agent }, 'publishing started')
    return new RtmpPublisher(stream, peer, logger, maxTracks)
  }
}
