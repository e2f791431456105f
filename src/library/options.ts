import type { z } from 'zod'
import { TapedeckError } from '../media/errors.ts'

/** A call of the library got options that it cannot use; the message names each. */
export class OptionsError extends TapedeckError {
  readonly code = 'TD_OPTIONS'
  readonly fault = 'caller'

  constructor(call: string, issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[]) {
    super(
      issues.map(({ path, message }) => `${call}: ${path.map(String).join('.') || 'options'}: ${message}`).join('\n'),
    )
  }
}

/** `value` as `schema` reads it. @throws OptionsError */
export function parseOptions<T extends z.ZodType>(call: string, schema: T, value: unknown): z.output<T> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  throw new OptionsError(call, result.error.issues)
}
