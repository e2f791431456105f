import { z } from 'zod'

const count = z.number().int().nonnegative()

/** What is known of an upload, kept beside its chunks. */
export const uploadFactsSchema = z.object({
  version: z.literal(1),
  room: z.string(),
  participant: z.string(),
  session: z.string(),
  label: z.string().optional(),
  /** When its media began, on our wall clock, ms since 1970. */
  beganAtMs: z.number(),
  state: z.enum(['open', 'ended', 'failed']),
  /** Of the last chunk, once that was told. */
  finalSeq: count.optional(),
  /** Why it failed. */
  problem: z.string().optional(),
})
/** See `uploadFactsSchema`. */
export type UploadFacts = z.output<typeof uploadFactsSchema>

/** How far an upload is surely in the files, kept beside its chunks; what is read again begins here. */
export const uploadPositionSchema = z.object({
  /** Of a Cluster or fragment. */
  unitOffset: count,
  /** Media of before is in the files, ms. */
  fromMs: z.number(),
  /** The first chunk that is still needed, and where it begins. */
  firstSeq: count,
  firstOffset: count,
  /** Bytes before are in the files; what is behind, is read after a restart. */
  readEnd: count,
})
/** See `uploadPositionSchema`. */
export type UploadPosition = z.output<typeof uploadPositionSchema>

/** The beginning of an upload. */
export const BEGINNING: UploadPosition = {
  unitOffset: 0,
  fromMs: Number.MIN_SAFE_INTEGER,
  firstSeq: 0,
  firstOffset: 0,
  readEnd: 0,
}
