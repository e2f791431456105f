import { TapedeckError } from '../media/errors.ts'

/** The state store cannot be had now. */
export class StateAwayError extends TapedeckError {
  readonly code = 'TD_STATE_AWAY'
  readonly fault = 'host'

  constructor(what: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    super(`${what} cannot be reached: ${reason}; running recordings go on, try again soon`, { cause })
  }
}

/** There are as many recordings as there may be. */
export class RecordingLimitError extends TapedeckError {
  readonly code = 'TD_RECORDING_LIMIT'
  readonly fault = 'caller'
  readonly limit: number

  constructor(scope: 'total' | 'user', limit: number) {
    const [of, setting] =
      scope === 'total' ? ['of this server', '--max-recordings'] : ['of one user', '--max-recordings-per-user']
    super(`${limit} recordings ${of} run already, which is the limit; stop one, or raise ${setting}`)
    this.limit = limit
  }
}

/** A cursor that no list gave out. */
export class BadCursorError extends TapedeckError {
  readonly code = 'TD_BAD_CURSOR'
  readonly fault = 'caller'

  constructor() {
    super('cursor: not one that a list gave; take "next_cursor" of the page before, or leave it out')
  }
}

/** Something kept in the state is not what it has to be: changed by somebody else, or damaged. */
export class StateDamagedError extends TapedeckError {
  readonly code = 'TD_STATE_DAMAGED'
  readonly fault = 'host'
  /** Where it lies. */
  readonly key: string

  constructor(key: string, why: string) {
    super(
      `${key.slice(0, 400)} in the state is damaged: ${why}; "tapedeck reindex" makes the catalogue anew from manifests`,
    )
    this.key = key
  }
}
