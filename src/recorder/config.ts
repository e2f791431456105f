import { z } from 'zod'
import { AUDIO_FORMATS } from '../state/recording-object.ts'
import { FilenameTemplate, TemplateError } from './naming.ts'

const template = z.string().superRefine((text, context) => {
  try {
    new FilenameTemplate(text)
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error
    context.addIssue({ code: 'custom', message: error.message })
  }
})

/** Everything that can be set of a recorder. `…Mb` are millions of bytes. */
export const recorderConfigSchema = z.object({
  /** Record every stream that is published. */
  recordAll: z.boolean().default(true),
  /** Where recordings go; made when missing. */
  dir: z.string().min(1).default('./recordings'),
  /** The container that is asked for; `auto`: see `formatFor`. What it cannot hold is kept in Matroska instead. */
  format: z.enum(['auto', 'mp4', 'webm', 'mkv', 'flv']).default('auto'),
  /** What sound alone is kept in; `auto`: as `format` says. */
  audioFormat: z.enum(AUDIO_FORMATS).default('auto'),
  /** See `FilenameTemplate`. */
  filename: template.default('{room}_{participant}_{timestamp}'),
  /** A new part begins at the last keyframe before this size. */
  maxSizeMb: z.number().positive().optional(),
  /** A new part begins at the first keyframe after so much media. */
  maxDurationMs: z.number().int().positive().optional(),
  /** A new part at every new configuration, also where one file could hold both. */
  splitOnCodecChange: z.boolean().default(false),
  /** With less room than this, files are closed playable; recording goes on in new parts once there is more again. */
  minFreeMb: z.number().nonnegative().default(500),
  /** For whoever makes the storage: see `DiskStorageOptions`. */
  fsync: z.enum(['interval', 'always', 'never']).default('interval'),
  /** With `fsync: 'interval'`. */
  fsyncIntervalMs: z.number().int().min(100).default(5000),
  /** Write a report beside the first file of each recording. */
  report: z.boolean().default(false),
  /** A log line of numbers per recording this often; 0 for none. */
  statsIntervalMs: z.number().int().nonnegative().default(60_000),
  /** What may wait in memory per recording for a slow disk, beside what the storage itself gathers. */
  maxBacklogMb: z.number().positive().default(16),
  /** How long the first file waits for a second track, in memory; one that comes later is taken in, too. */
  trackWaitMs: z.number().int().nonnegative().default(500),
  /** A step of a clock further than this, which the wall clock does not explain, is healed. */
  jumpMs: z.number().int().min(1000).default(10_000),
  /** A step longer than this counts as a gap. */
  gapMs: z.number().int().min(100).default(1000),
})

/** Settings of a recorder, complete and checked. */
export type RecorderConfig = z.output<typeof recorderConfigSchema>
/** Settings of a recorder as given: everything has a default. */
export type RecorderConfigInput = z.input<typeof recorderConfigSchema>
