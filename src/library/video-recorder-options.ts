import { z } from 'zod'
import { audioTrackSchema, fileMuxerSchema, videoTrackSchema } from './track-options.ts'

const timescale = z.number().int().min(1).max(1_000_000_000).default(1000)

/** Checks `VideoRecorderOptions`. */
export const videoRecorderSchema = fileMuxerSchema
  .extend({
    video: videoTrackSchema.extend({ timescale }).optional(),
    audio: audioTrackSchema.extend({ timescale }).optional(),
    jumpMs: z.number().int().min(1000).default(10_000),
  })
  .refine(({ video, audio }) => video !== undefined || audio !== undefined, 'give "video", "audio", or both')

/**
 * As for `FileMuxer`, and what will come: `video: { codec }`, `audio: { codec }`, each with `config` where the media does
 * not bring it along (H.264, HEVC and AV1 do in their keyframes, AAC as ADTS), and the `timescale` of its times, 1000 by
 * default: milliseconds. A clock that jumps further than `jumpMs` is healed.
 */
export type VideoRecorderOptions = z.input<typeof videoRecorderSchema>
