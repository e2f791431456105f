import { ConfigError } from '../config.ts'
import { TapedeckError } from '../media/errors.ts'
import { EXIT } from './exit-codes.ts'

/** Tells a person on standard error what went wrong: code and message, never a stack; causes only when asked. */
export function reportProblem(error: unknown, showCauses: boolean): void {
  process.stderr.write(`tapedeck: ${describeProblem(error)}\n`)
  if (!showCauses) return
  for (let cause = causeOf(error); cause !== undefined; cause = causeOf(cause)) {
    process.stderr.write(`  because: ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}\n`)
  }
  if (error instanceof Error) process.stderr.write(`${error.stack}\n`)
}

/** One error in words: `message (TD_CODE)`. */
export function describeProblem(error: unknown): string {
  if (error instanceof ConfigError)
    return `settings cannot be used (${error.code})\n  ${error.message.replaceAll('\n', '\n  ')}`
  if (error instanceof TapedeckError) return `${error.message} (${error.code})`
  if (error instanceof Error) return `${error.message} (unexpected; --log-level debug shows where)`
  return String(error)
}

/** The exit code that an error stands for. */
export function exitCodeOf(error: unknown): number {
  return error instanceof ConfigError ? EXIT.usage : EXIT.failed
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined
}
