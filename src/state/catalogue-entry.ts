import { z } from 'zod'
import { AUDIO_FORMATS, RECORDING_FORMATS, recordingObjectSchema } from './recording-object.ts'

/** A moment that somebody marked; becomes a chapter of the finished files. */
export const markerSchema = z.object({
  marker_id: z.string().max(64),
  label: z.string().min(1).max(255),
  /** On the recording's clock. */
  at_ms: z.number().nonnegative(),
  created_at: z.iso.datetime(),
})

/** A job that belongs to a recording. */
export const jobReferenceSchema = z.object({
  job_id: z.string().max(64),
  kind: z.enum(['rendition', 'remux', 'thumbnails']),
  /** `waiting` until its result, good or bad, has been taken into the entry. */
  state: z.enum(['waiting', 'done', 'failed', 'cancelled']),
  /** The recording is not completed before it. */
  required: z.boolean(),
})

/** How a recording's time has passed so far: what goes on with it after a crash needs to know. */
const courseSchema = z.object({
  /** Wall clock at 0 of the recording's clock. */
  zero_at: z.iso.datetime(),
  /** Pauses that are over, all together. */
  paused_ms: z.number().nonnegative(),
  /** Times in which there was no server: from the last media that was kept until it was taken up again. Oldest first. */
  interruptions: z.array(z.object({ from: z.iso.datetime(), to: z.iso.datetime() })).max(1000),
})

/**
 * All there is to know of one recording. The manifest beside its files holds exactly this, and is the lasting truth; a state
 * store holds a copy for finding it.
 */
export const catalogueEntrySchema = z.object({
  version: z.literal(1),
  /** Grows by one with each change. An older revision never replaces a newer one. */
  revision: z.number().int().positive(),
  recording: recordingObjectSchema,
  /** Whoever holds it while it is live; null when nobody has to. */
  owner: z
    .object({
      node: z.string().max(64),
      pid: z.number().int(),
      /** When it took hold of it, so that a process id that is used again is noticed; `created_at` where it is left out. */
      since: z.iso.datetime().optional(),
    })
    .nullable(),
  /** Absolute path of the manifest; null while, or when, there is none. A reader of manifests sets it anew. */
  manifest_path: z.string().max(4096).nullable(),
  /** Recorded because everything is: no limits, no owner. */
  automatic: z.boolean(),
  /** Retention leaves it alone. */
  hold: z.boolean(),
  /** When it was asked for: lists are ordered by it. */
  created_at: z.iso.datetime(),
  /** What was asked for that work after the stop needs to know. */
  options: z
    .object({
      /** The container, before `auto` became the one that was chosen. */
      format: z.enum(RECORDING_FORMATS),
      audio_format: z.enum(AUDIO_FORMATS).optional(),
      keep_source: z.boolean(),
      thumbnails: z.boolean(),
      /** Left out for everybody. */
      participants: z.array(z.string().max(255)).max(1000).optional(),
      max_duration_ms: z.number().positive().optional(),
      max_size_bytes: z.number().positive().optional(),
      reconnect_window_ms: z.number().nonnegative().optional(),
      part_duration_ms: z.number().positive().optional(),
      part_size_bytes: z.number().positive().optional(),
    })
    .optional(),
  /** Undefined before the first frame. */
  course: courseSchema.optional(),
  markers: z.array(markerSchema).max(1000),
  jobs: z.array(jobReferenceSchema).max(1000),
})

/** See `catalogueEntrySchema`. */
export type CatalogueEntry = z.output<typeof catalogueEntrySchema>
/** See `markerSchema`. */
export type Marker = z.output<typeof markerSchema>
/** See `courseSchema`. */
export type Course = z.output<typeof courseSchema>
/** See `jobReferenceSchema`. */
export type JobReference = z.output<typeof jobReferenceSchema>
