import { TapedeckError } from '../../media/errors.ts'

/** There is no such WHIP or WHEP session, or it has ended. */
export class SessionMissingError extends TapedeckError {
  readonly code = 'TD_SESSION_MISSING'
  readonly fault = 'caller'

  constructor() {
    super('there is no such session here, or it has ended; begin a new one')
  }
}

/** A PATCH that does not say which ICE session it is for (RFC 9725 §4.3.1, RFC 6585 §3). */
export class EntityTagMissingError extends TapedeckError {
  readonly code = 'TD_ENTITY_TAG_MISSING'
  readonly fault = 'caller'

  constructor() {
    super('a PATCH needs "If-Match" with the ETag of the answer, so that it is known which ICE session it is for')
  }
}

/** A PATCH for an ICE session that is not the present one (RFC 9725 §4.3.1). */
export class EntityTagError extends TapedeckError {
  readonly code = 'TD_ENTITY_TAG'
  readonly fault = 'caller'

  constructor() {
    super('"If-Match" names an ICE session that is not the present one; take the ETag of the answer')
  }
}

/** ICE cannot be restarted here (RFC 9725 §4.3.1: 422). */
export class IceRestartError extends TapedeckError {
  readonly code = 'TD_ICE_RESTART'
  readonly fault = 'caller'

  constructor() {
    super(
      'ICE cannot be restarted in a session; begin a new one under the same name, the recording goes on in its file',
    )
  }
}
