import { TapedeckError } from '../media/errors.ts'
import type { StreamAddress } from './stream.ts'

/** What somebody wants to do with a stream. */
export type StreamAction = 'publish' | 'play'

/** Who asks, as far as the transport can tell. */
export interface AuthorizedPeer {
  /** `address:port` of the other end. */
  readonly address: string
  /** Came encrypted. */
  readonly secure: boolean
}

/**
 * Says whether `peer`, with `token`, may do `action` at `address`. Resolves when it may.
 * `token` is what the peer put into `?token=`, unchecked; undefined when it gave none.
 * @throws UnauthorizedError when it may not
 */
export type Authorizer = (
  action: StreamAction,
  address: StreamAddress,
  token: string | undefined,
  peer: AuthorizedPeer,
) => Promise<void>

/** The peer may not publish or play here: no token, a bad one, or one for something else. `reason` is for the peer to read. */
export class UnauthorizedError extends TapedeckError {
  readonly code = 'TD_UNAUTHORIZED'
  readonly fault = 'peer'

  constructor(action: StreamAction, address: StreamAddress, reason: string) {
    super(`not allowed to ${action} ${address.room}/${address.participant}: ${reason}`)
  }
}
