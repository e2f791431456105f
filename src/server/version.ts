import { readFileSync } from 'node:fs'
import { z } from 'zod'

/** package.json lies so far above this file at most, in the sources as in what is built of them. */
const MAX_LEVELS = 4
const packageSchema = z.object({ name: z.literal('tapedeck'), version: z.string() })

/** The version of this package. */
export function packageVersion(): string {
  for (let level = 1; level <= MAX_LEVELS; level++) {
    const found = packageSchema.safeParse(readJson(new URL(`${'../'.repeat(level)}package.json`, import.meta.url)))
    if (found.success) return found.data.version
  }
  return 'unknown'
}

function readJson(url: URL): unknown {
  try {
    return JSON.parse(readFileSync(url, 'utf8'))
  } catch {
    return undefined
  }
}
