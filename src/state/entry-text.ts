import type { z } from 'zod'
import type { Logger } from '../media/ports.ts'
import { type CatalogueEntry, catalogueEntrySchema } from './catalogue-entry.ts'
import { StateDamagedError } from './errors.ts'
import { LIMITED_STATUSES, LIVE_STATUSES } from './recording-object.ts'

/** Keys whose damage was logged are remembered, so that it is said once: at most so many. */
const MAX_REMEMBERED = 1000

/** @throws StateDamagedError naming `key` */
export function parseText<T>(schema: z.ZodType<T>, key: string, text: string): T {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new StateDamagedError(key, 'it is no JSON')
  }
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  throw new StateDamagedError(key, `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not as it should be'}`)
}

/** @throws StateDamagedError */
export function parseEntry(key: string, text: string): CatalogueEntry {
  return parseText(catalogueEntrySchema, key, text)
}

/** Whether somebody has to be at work on it. */
export function isLive(entry: CatalogueEntry): boolean {
  return LIVE_STATUSES.includes(entry.recording.status)
}

/** Whether it counts against the limits of how many there may be at a time. */
export function isLimited(entry: CatalogueEntry): boolean {
  return !entry.automatic && LIMITED_STATUSES.includes(entry.recording.status)
}

/** Reads many values of which some may be damaged: those are left out, and each is logged once. */
export class DamageLog {
  readonly #logger: Logger
  readonly #said = new Set<string>()

  constructor(logger: Logger) {
    this.#logger = logger
  }

  /** Undefined for what is damaged. */
  attempt<T>(read: () => T): T | undefined {
    try {
      return read()
    } catch (error) {
      if (!(error instanceof StateDamagedError)) throw error
      this.#say(error)
      return undefined
    }
  }

  #say(error: StateDamagedError): void {
    if (this.#said.has(error.key) || this.#said.size >= MAX_REMEMBERED) return
    this.#said.add(error.key)
    this.#logger.error({ code: error.code, key: error.key }, error.message)
  }
}
