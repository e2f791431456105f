import { TapedeckError } from '../media/errors.ts'

/** There can be no connection to a WebRTC peer: the UDP port is taken, the network library is missing or refused. */
export class TransportError extends TapedeckError {
  readonly code = 'TD_TRANSPORT'
  readonly fault = 'host'
}

/** The process in which WebRTC runs has died, or does not answer; a new one is started for the next session. */
export class MediaProcessError extends TapedeckError {
  readonly code = 'TD_MEDIA_PROCESS'
  readonly fault = 'host'
}
