import { randomBytes } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { TapedeckError } from '../media/errors.ts'

/** Least key length for HS256, bytes. RFC 7518 §3.2: at least the hash's output. */
const MIN_SECRET_BYTES = 32

/** The secret that signs tokens cannot be read, made, or used. */
export class SecretError extends TapedeckError {
  readonly code = 'TD_SECRET'
  readonly fault = 'caller'

  constructor(path: string, problem: string, options?: ErrorOptions) {
    super(`secret in ${path}: ${problem}`, options)
  }
}

/**
 * The key in `path`: its text without surrounding white space, as bytes.
 * @param minBytes it is refused below that
 * @throws SecretError when it is missing, unreadable or too short
 */
export function readSecret(path: string, minBytes = MIN_SECRET_BYTES): Uint8Array {
  let text: string
  try {
    text = readFileSync(path, 'utf8').trim()
  } catch (error) {
    throw new SecretError(path, `cannot be read (${codeOf(error)})`, { cause: error })
  }
  const key = Buffer.from(text)
  if (key.length >= minBytes) return key
  throw new SecretError(
    path,
    `has ${key.length} bytes, at least ${minBytes} are needed; make one with: openssl rand -hex 32`,
  )
}

/** The key in `path`, made at random and stored 0600 where there is none yet. Safe when two processes do it at once. */
export function readOrMakeSecret(path: string): Uint8Array {
  if (existsSync(path)) return readSecret(path)
  const draft = `${path}.${process.pid}.tmp`
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    const fd = openSync(draft, 'w', 0o600)
    writeSync(fd, `${randomBytes(MIN_SECRET_BYTES).toString('hex')}\n`)
    fsyncSync(fd)
    closeSync(fd)
    linkSync(draft, path)
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw new SecretError(path, `cannot be made (${codeOf(error)})`, { cause: error })
  } finally {
    rmSync(draft, { force: true })
  }
  return readSecret(path)
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}
