import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { EncodedStream } from './encoded-stream.ts'

const directory = join(import.meta.dirname, 'vectors')
const hex = z.string().transform((text) => Buffer.from(text, 'hex'))
const shape = z.object({
  codec: z.enum(['h264', 'hevc', 'av1', 'vp9', 'vp8', 'aac', 'opus', 'mp3', 'ac3', 'eac3', 'flac']),
  config: hex,
  probe: z.record(z.string(), z.union([z.string(), z.number()])),
  packets: z.array(z.object({ key: z.boolean(), duration: z.number(), data: hex })),
})

/** A committed piece of a real stream, made by vectors/make.ts. */
export type Vector = EncodedStream & z.infer<typeof shape> & { readonly name: string }

/** All committed vectors, by name. */
export const VECTORS: readonly Vector[] = readdirSync(directory)
  .filter((file) => file.endsWith('.json'))
  .sort()
  .map((file) => ({ name: file.slice(0, -5), ...shape.parse(JSON.parse(readFileSync(join(directory, file), 'utf8'))) }))

/** The vector of that name. */
export function vector(name: string): Vector {
  const found = VECTORS.find((each) => each.name === name)
  if (found === undefined) throw new Error(`no vector ${name}`)
  return found
}
