/** Whose doing an error is: `caller` (our user's code or settings), `peer` (the other end, or a file), `host` (this machine). */
export type Fault = 'caller' | 'peer' | 'host'

/**
 * Root of every error that tapedeck throws on purpose.
 *
 * A subclass states its stable `code` (`TD_…`, listed in docs/errors.md), its `fault`, and a message that says
 * what was wrong, where, and what to do.
 */
export abstract class TapedeckError extends Error {
  abstract readonly code: `TD_${string}`
  abstract readonly fault: Fault

  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
  }
}

/** Bytes from a network or a file do not follow their format: `what` was wrong, at byte `offset` of `where`. */
export class MalformedError extends TapedeckError {
  readonly code = 'TD_MALFORMED'
  readonly fault = 'peer'
  readonly where: string
  readonly offset: number | undefined

  constructor(where: string, what: string, offset?: number) {
    super(`${where}: ${what}${offset === undefined ? '' : ` (at byte ${offset})`}`)
    this.where = where
    this.offset = offset
  }
}

/** Something well-formed that this place cannot hold or do: a codec in a container, a feature of a protocol. */
export class UnsupportedError extends TapedeckError {
  readonly code = 'TD_UNSUPPORTED'
  readonly fault = 'caller'
}

/** A bound was reached: `what` has a limit of `limit`. */
export class LimitError extends TapedeckError {
  readonly code = 'TD_LIMIT'
  readonly fault = 'peer'

  constructor(what: string, bound: { limit: number; asked?: number }) {
    const asked = bound.asked === undefined ? '' : `, ${bound.asked} asked`
    super(`${what}: the limit is ${bound.limit}${asked}`)
  }
}

/** Our own code was used against its contract: written after finish, released twice. Always a bug. */
export class MisuseError extends TapedeckError {
  readonly code = 'TD_MISUSE'
  readonly fault = 'caller'
}
