import { TapedeckError } from '../media/errors.ts'

/** A request does not fit its route. */
export class BadRequestError extends TapedeckError {
  readonly code = 'TD_BAD_REQUEST'
  readonly fault = 'caller'
  /** What was wrong where; paths begin with `params`, `query` or `body`. */
  readonly details: readonly { readonly path: string; readonly message: string }[]

  constructor(details: BadRequestError['details']) {
    super(`the request cannot be used: ${details.map(({ path, message }) => `${path}: ${message}`).join('; ')}`)
    this.details = details
  }
}

/** There is nothing at this address. */
export class RouteMissingError extends TapedeckError {
  readonly code = 'TD_NOT_FOUND'
  readonly fault = 'caller'

  constructor(method: string, url: string) {
    super(`there is no ${method} ${(url.split('?', 1)[0] ?? '').slice(0, 200)} here`)
  }
}

/** The address is right, the method is not. */
export class MethodError extends TapedeckError {
  readonly code = 'TD_METHOD'
  readonly fault = 'caller'
  readonly allowed: readonly string[]

  constructor(method: string, allowed: readonly string[]) {
    super(`${method} is not for this address; ${allowed.join(', ')} is`)
    this.allowed = allowed
  }
}

/** A body of another type than its route takes. */
export class MediaTypeError extends TapedeckError {
  readonly code = 'TD_MEDIA_TYPE'
  readonly fault = 'caller'

  constructor(type: string, wanted = 'application/json') {
    super(`a body of type ${JSON.stringify(type.slice(0, 100))} cannot be read; send ${wanted}`)
  }
}

/** Nobody of this name publishes in the room. */
export class ParticipantMissingError extends TapedeckError {
  readonly code = 'TD_PARTICIPANT_MISSING'
  readonly fault = 'caller'

  constructor(room: string, participant: string) {
    super(
      `room ${JSON.stringify(room.slice(0, 64))}: ${JSON.stringify(participant.slice(0, 64))} publishes nothing there`,
    )
  }
}

/** There is no such job, or it has been forgotten since it ended. */
export class JobMissingError extends TapedeckError {
  readonly code = 'TD_JOB_MISSING'
  readonly fault = 'caller'

  constructor(id: string) {
    super(`there is no job ${JSON.stringify(id.slice(0, 64))}; GET /api/jobs lists what there is`)
  }
}

/** There is no such delivery of a webhook that has come to its end. */
export class DeliveryMissingError extends TapedeckError {
  readonly code = 'TD_DELIVERY_MISSING'
  readonly fault = 'caller'

  constructor(id: string) {
    super(
      `there is no delivery ${JSON.stringify(id.slice(0, 64))} that was taken or given up; GET /api/webhooks/deliveries lists what there is`,
    )
  }
}

/** A job's state does not allow what was asked: cancelling one that ended, retrying one that runs. */
export class JobStateError extends TapedeckError {
  readonly code = 'TD_JOB_STATE'
  readonly fault = 'caller'

  constructor(id: string, state: string, wish: 'cancelled' | 'tried anew') {
    super(`job ${id} is ${state} and cannot be ${wish}`)
  }
}

/** A download link proves nothing: expired, changed, or for another file. */
export class BadLinkError extends TapedeckError {
  readonly code = 'TD_BAD_LINK'
  readonly fault = 'caller'

  constructor(problem: string) {
    super(`link refused: ${problem}; ask for a new one`)
  }
}

/** More requests than one user or address may make. */
export class RequestRateError extends TapedeckError {
  readonly code = 'TD_REQUEST_RATE'
  readonly fault = 'caller'

  constructor(perSecond: number) {
    super(`more than ${perSecond} requests a second; wait as "Retry-After" says, or raise --max-request-rate`)
  }
}

/** The range that was asked for lies outside of the file. */
export class RangeOutsideError extends TapedeckError {
  readonly code = 'TD_RANGE'
  readonly fault = 'caller'

  constructor() {
    super('the range lies outside of the file; "Content-Range" says how long it is')
  }
}

/** The file is not the one that `If-Match` or `If-Unmodified-Since` named. */
export class PreconditionError extends TapedeckError {
  readonly code = 'TD_PRECONDITION'
  readonly fault = 'caller'

  constructor() {
    super('the file has changed since; fetch it anew')
  }
}
