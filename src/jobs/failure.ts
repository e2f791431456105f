import { TapedeckError } from '../media/errors.ts'

/** Longest message that is kept of a failure: the tail of what ffmpeg said is in it. */
const MAX_TEXT = 8000
const CODED = /^(?<message>.*) \((?<code>TD_[A-Z0-9_]+)\)$/s

/** A job ended with an error that nobody foresaw. */
export class JobFailedError extends TapedeckError {
  readonly code = 'TD_JOB_FAILED'
  readonly fault = 'host'

  constructor(kind: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    super(`${kind} job failed: ${reason}; "tapedeck jobs retry" tries again`, { cause })
  }
}

/** Every worker that began a job died in the middle of it. */
export class JobLostError extends TapedeckError {
  readonly code = 'TD_JOB_LOST'
  readonly fault = 'host'

  constructor(times: number) {
    super(
      `the worker died in the middle of it, ${times} times in all with other failures; look whether it runs out of memory, ` +
        'then "tapedeck jobs retry"',
    )
  }
}

/** A failure as status and events say it. */
export interface Failure {
  readonly code: string
  readonly message: string
}

/** As one line that says code and message to people, too: `message (TD_CODE)`. */
export function failureText({ code, message }: Failure): string {
  return `${message.length <= MAX_TEXT ? message : `…${message.slice(-MAX_TEXT)}`} (${code})`
}

/** The other way round; what was not written by `failureText` is a message without a code of its own. */
export function parseFailure(text: string): Failure {
  const groups = CODED.exec(text)?.groups
  if (groups?.code === undefined || groups.message === undefined) return { code: 'TD_JOB_FAILED', message: text }
  return { code: groups.code, message: groups.message }
}
