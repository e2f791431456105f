import { TapedeckError } from '../media/errors.ts'

/** The stream that somebody wants to play is not there: nobody publishes it. */
export class StreamNotFoundError extends TapedeckError {
  readonly code = 'TD_STREAM_NOT_FOUND'
  readonly fault = 'peer'

  /** `detail` is what a server said, where it was one. */
  constructor(app: string, name: string, detail?: string) {
    super(
      `${app}/${name}: nobody publishes this stream${detail === undefined || detail === '' ? '' : ` (${detail})`}; check the name, or start the publisher first`,
    )
  }
}

/** An address is no RTMP URL, or lacks the app or the stream name. */
export class RtmpUrlError extends TapedeckError {
  readonly code = 'TD_RTMP_URL'
  readonly fault = 'caller'

  constructor(url: string, what: string) {
    super(`${url}: ${what}; it should look like rtmp://host/app/name`)
  }
}

/** No connection to an RTMP server came about: refused, unreachable, unknown host, TLS. The system's error is the cause. */
export class RtmpConnectError extends TapedeckError {
  readonly code = 'TD_RTMP_CONNECT'
  readonly fault = 'peer'

  constructor(where: string, why: string, options?: ErrorOptions) {
    super(`${where}: ${why}; check the address and that the server runs`, options)
  }
}

/** An RTMP peer said no, in words of its own. */
export class RtmpRejectedError extends TapedeckError {
  readonly code = 'TD_RTMP_REJECTED'
  readonly fault = 'peer'
  /** Its status code, such as `NetStream.Publish.BadName`; empty where it gave none. */
  readonly status: string

  constructor(what: string, status: string, description: string) {
    super(
      `${what} was refused by the peer: ${[status, description].filter((part) => part !== '').join(', ') || 'no reason given'}`,
    )
    this.status = status
  }
}

/** An RTMP peer did not answer in time. */
export class RtmpTimeoutError extends TapedeckError {
  readonly code = 'TD_RTMP_TIMEOUT'
  readonly fault = 'peer'

  constructor(what: string, timeoutMs: number) {
    super(`${what}: nothing came for ${timeoutMs} ms; the peer is gone or overloaded, try again`)
  }
}

/** The connection ended before it was done. */
export class RtmpClosedError extends TapedeckError {
  readonly code = 'TD_RTMP_CLOSED'
  readonly fault = 'peer'

  constructor(where: string, options?: ErrorOptions) {
    super(`${where}: the connection was closed by the other end; try again`, options)
  }
}
