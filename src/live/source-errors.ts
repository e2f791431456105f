import { TapedeckError } from '../media/errors.ts'
import type { ChecklistLine, SourceState } from '../media/source-report.ts'

/** A remote source was moved to a state that its present one does not lead to. Always a bug. */
export class SourceMoveError extends TapedeckError {
  readonly code = 'TD_SOURCE_MOVE'
  readonly fault = 'caller'
  readonly from: SourceState
  readonly to: SourceState

  constructor(from: SourceState, to: SourceState, possible: readonly SourceState[]) {
    super(
      `a source that is ${from} cannot become ${to}; it can become ${possible.join(', ') || 'nothing: that is final'}`,
    )
    this.from = from
    this.to = to
  }
}

/** The connection to a remote source did not come about in time. */
export class ConnectionDeadlineError extends TapedeckError {
  readonly code = 'TD_SOURCE_CONNECTION'
  readonly fault = 'peer'

  constructor(afterMs: number) {
    super(
      `no connection within ${afterMs / 1000} s; look whether UDP gets through, and whether the server's candidates can be ` +
        'reached from there (--webrtc-port, --webrtc-public-address)',
    )
  }
}

/** A remote source is connected and has sent no packet in time. */
export class SubscriptionDeadlineError extends TapedeckError {
  readonly code = 'TD_SOURCE_SUBSCRIPTION'
  readonly fault = 'peer'

  constructor(afterMs: number) {
    super(`connected, but no media packet within ${afterMs / 1000} s; look whether camera or microphone give anything`)
  }
}

/** A remote source sends video, but no keyframe, though it was asked. It is asked again until one comes. */
export class KeyframeDeadlineError extends TapedeckError {
  readonly code = 'TD_SOURCE_KEYFRAME'
  readonly fault = 'peer'

  constructor(afterMs: number) {
    super(`no keyframe within ${afterMs / 1000} s after it was asked for; it is asked again`)
  }
}

/** Nothing was heard of a remote source for some seconds; it is still waited for. */
export class SourceSilentError extends TapedeckError {
  readonly code = 'TD_SOURCE_SILENT'
  readonly fault = 'peer'

  constructor(silentMs: number) {
    super(`no packet for ${silentMs / 1000} s; it is still waited for`)
  }
}

/** Nothing was heard of a remote source for so long that it was given up. */
export class SourceLostError extends TapedeckError {
  readonly code = 'TD_SOURCE_LOST'
  readonly fault = 'peer'

  constructor(silentMs: number) {
    super(`no packet for ${silentMs / 1000} s; it may publish again under the same name`)
  }
}

/** Something ended without media. */
export abstract class NoMediaError extends TapedeckError {
  readonly fault = 'peer'
  /** The first line of the checklist that was not met; undefined when media flowed and none of it was taken. */
  readonly unmet: ChecklistLine | undefined

  constructor(what: string, unmet: ChecklistLine | undefined) {
    super(unmet === undefined ? what : `${what} (checklist: ${unmet})`)
    this.unmet = unmet
  }
}
