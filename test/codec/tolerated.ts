import { deepStrictEqual } from 'node:assert'
import { TapedeckError } from '../../src/media/errors.ts'

/** Runs `parse`; undefined where it refused in the way that it should. Anything else that is thrown goes on. */
export function tolerated<T>(parse: () => T): T | undefined {
  try {
    return parse()
  } catch (error) {
    if (error instanceof TapedeckError) return undefined
    throw error
  }
}

/** What was parsed from `input`, if it was, must come back from its own writing. */
export function expectStable<T>(
  input: Uint8Array,
  parse: (bytes: Uint8Array) => T,
  write: (value: T) => Uint8Array,
): void {
  const parsed = tolerated(() => parse(new Uint8Array(input)))
  if (parsed !== undefined) deepStrictEqual(parse(write(parsed)), parsed)
}
