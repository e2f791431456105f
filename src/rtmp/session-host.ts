import type { TapedeckError } from '../media/errors.ts'
import type { Logger } from '../media/ports.ts'
import type { RtmpPeer } from './handlers.ts'
import type { Outlet } from './player-output.ts'

/** What a session needs of its connection. */
export interface SessionHost extends Outlet {
  readonly peer: RtmpPeer
  readonly logger: Logger
  /** Nothing is received until `work` is done; a rejection ends the connection. */
  suspend(work: Promise<void>): void
  /** For the log: the peer was told no. */
  refused(action: 'publish' | 'play', error: TapedeckError): void
}
