import type { FastifyError, FastifyReply } from 'fastify'
import { type Fault, TapedeckError } from '../media/errors.ts'
import type { Logger } from '../media/ports.ts'
import { BadRequestError, MethodError } from './errors.ts'

/** The one shape of every error answer. */
export interface ErrorBody {
  readonly error: {
    readonly code: string
    readonly message: string
    readonly fault: Fault
    /** What of a request does not fit, and why; empty for everything else. */
    readonly details: BadRequestError['details']
  }
}

/** Which status an error answers with, where it is not 400 (fault of the caller or peer) or 500 (of the host). */
const STATUS: Readonly<Record<string, number>> = {
  TD_BAD_TOKEN: 401,
  TD_BAD_LINK: 403,
  TD_FORBIDDEN: 403,
  TD_DELIVERY_MISSING: 404,
  TD_FILE_MISSING: 404,
  TD_FILE_UNKNOWN: 404,
  TD_JOB_MISSING: 404,
  TD_NOT_FOUND: 404,
  TD_PARTICIPANT_MISSING: 404,
  TD_RECORDING_MISSING: 404,
  TD_ROOM_UNKNOWN: 404,
  TD_UPLOAD_MISSING: 404,
  TD_METHOD: 405,
  TD_CHUNK_CONFLICT: 409,
  TD_HELD: 409,
  TD_RECORDING_ELSEWHERE: 409,
  TD_UPLOAD_ENDED: 409,
  TD_PRECONDITION: 412,
  TD_CHUNK_SIZE: 413,
  TD_MEDIA_TYPE: 415,
  TD_RANGE: 416,
  TD_REQUEST_RATE: 429,
  TD_UPLOAD_BUSY: 429,
  TD_STATE_AWAY: 503,
  TD_DISK_FORECAST: 507,
  TD_DISK_FULL: 507,
  TD_DISK_LOW: 507,
}

/**
 * Answers with `error`; whatever is not meant for users goes to the log instead. `statuses` of codes count before the usual
 * ones.
 */
export function answerError(
  error: unknown,
  reply: FastifyReply,
  logger: Logger,
  statuses: Readonly<Record<string, number>> = {},
): FastifyReply {
  const requestId = reply.request.id
  if (error instanceof TapedeckError) {
    const status = statuses[error.code] ?? STATUS[error.code] ?? (error.fault === 'host' ? 500 : 400)
    return answerTapedeckError(error, status, reply, logger)
  }
  const { statusCode: status = 500, message } = asFastifyError(error)
  if (status < 500) return send(reply, status, { code: 'TD_BAD_REQUEST', message, fault: 'caller', details: [] })
  logger.error({ err: error, requestId }, 'an HTTP request failed')
  return send(reply, 500, {
    code: 'TD_INTERNAL',
    message: `this should not have happened; the log says more under request ${requestId}`,
    fault: 'host',
    details: [],
  })
}

function answerTapedeckError(error: TapedeckError, status: number, reply: FastifyReply, logger: Logger): FastifyReply {
  const { code, message, fault } = error
  if (status === 401) reply.header('www-authenticate', 'Bearer')
  if (error instanceof MethodError) reply.header('allow', error.allowed.join(', '))
  if (status >= 500) logger.error({ err: error, requestId: reply.request.id }, 'an HTTP request failed')
  return send(reply, status, { code, message, fault, details: error instanceof BadRequestError ? error.details : [] })
}

function asFastifyError(error: unknown): Pick<FastifyError, 'message'> & { readonly statusCode?: number } {
  if (!(error instanceof Error)) return { message: String(error) }
  const statusCode =
    'statusCode' in error && typeof error.statusCode === 'number' ? { statusCode: error.statusCode } : {}
  return { message: error.message, ...statusCode }
}

function send(reply: FastifyReply, status: number, error: ErrorBody['error']): FastifyReply {
  return reply
    .code(status)
    .type('application/json; charset=utf-8')
    .send({ error } satisfies ErrorBody)
}
