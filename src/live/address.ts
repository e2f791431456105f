import { TapedeckError } from '../media/errors.ts'
import type { StreamAddress } from './stream.ts'

/** Longest room or participant name, bytes of UTF-8: what a file name holds on every file system we write to. */
const MAX_NAME_BYTES = 255
/** C0, DEL, C1, line and paragraph separators: they break logs and terminals, and no honest name has them. */
const CONTROL = /[\p{Cc}\u2028\u2029]/gu
/** How much of a refused name goes into the message, characters. */
const SHOWN_CHARACTERS = 40

/** A room or participant name that no stream may have: empty, too long, or with control characters. */
export class BadNameError extends TapedeckError {
  readonly code = 'TD_BAD_NAME'
  readonly fault = 'peer'

  constructor(part: 'room' | 'participant', name: string, problem: string) {
    const shown = name.length > SHOWN_CHARACTERS ? `${name.slice(0, SHOWN_CHARACTERS)}…` : name
    const escaped = JSON.stringify(shown).replace(CONTROL, '\\ufffd')
    super(`${part} name ${escaped} ${problem}; publish to rtmp://host/{room}/{participant}`)
  }
}

/**
 * The address of `participant` in `room`, names as the peer gave them. Slashes, dots and spaces are allowed: a name is not a
 * path, and whoever makes one of it escapes it.
 * @throws BadNameError
 */
export function streamAddress(room: string, participant: string): StreamAddress {
  check('room', room)
  check('participant', participant)
  return { room, participant }
}

function check(part: 'room' | 'participant', name: string): void {
  if (name.length === 0) throw new BadNameError(part, name, 'is empty')
  const sizeBytes = Buffer.byteLength(name)
  if (sizeBytes > MAX_NAME_BYTES) {
    throw new BadNameError(part, name, `has ${sizeBytes} bytes, ${MAX_NAME_BYTES} are allowed`)
  }
  if (name.search(CONTROL) >= 0 || !name.isWellFormed()) throw new BadNameError(part, name, 'has control characters')
}
