import { z } from 'zod'
import { CHECKLIST } from '../media/source-report.ts'

/** What a recording may be asked to be kept in. `auto`: the container that holds what is published without transcoding. */
export const RECORDING_FORMATS = ['auto', 'mp4', 'webm', 'mkv', 'flv'] as const
/** One of `RECORDING_FORMATS`. */
export type RecordingFormat = (typeof RECORDING_FORMATS)[number]
/**
 * What a participant who sends sound alone may be asked to be kept in, instead of the recording's format. `auto`: in that.
 * `weba` is WebM of sound alone, `ogg` is Opus in Ogg.
 */
export const AUDIO_FORMATS = ['auto', 'weba', 'ogg', 'mkv', 'mp4'] as const
/** One of `AUDIO_FORMATS`. */
export type AudioFormat = (typeof AUDIO_FORMATS)[number]

/** The life of a recording, as its users see it. */
export const RECORDING_STATUSES = [
  'pending',
  'recording',
  'paused',
  'processing',
  'completed',
  'failed',
  'cancelled',
] as const
/** One of `RECORDING_STATUSES`. */
export type RecordingStatus = (typeof RECORDING_STATUSES)[number]
/** Those that a crash must not leave behind: somebody has to be at work on such a recording. */
export const LIVE_STATUSES: readonly RecordingStatus[] = ['pending', 'recording', 'paused', 'processing']
/** Those that count against limits: what is processed takes no frames any more, and must not keep others from starting. */
export const LIMITED_STATUSES: readonly RecordingStatus[] = ['pending', 'recording', 'paused']

const text = z.string().max(4096)
/** ISO 8601 in UTC with milliseconds, as `Date.toISOString` writes it. */
const time = z.iso.datetime()
const count = z.number().int().nonnegative()
const ms = z.number().nonnegative()

/** An error as the API, manifests and events say it. */
export const errorObjectSchema = z.object({
  code: z.string().max(64),
  message: text,
  /** For what ended without media: the first line of the source's checklist that was not met. */
  unmet: z.enum(CHECKLIST).optional(),
})

/** What a rendition aims at; `null` where the source is left as it is. */
export const qualitySettingsSchema = z.object({
  /** The box that the picture must fit into, `1280x720`: never upscaled, aspect kept. */
  resolution: z.string().max(20).nullable(),
  /** Bits per second. */
  video_bitrate: count.nullable(),
  /** Bits per second. */
  audio_bitrate: count.nullable(),
  /** At most so many frames per second. */
  fps: z.number().positive().nullable(),
})

/** One elementary stream in a file. */
export const fileTrackSchema = z.object({
  kind: z.enum(['video', 'audio']),
  codec: z.string().max(64),
  width: count.optional(),
  height: count.optional(),
  sample_rate_hz: count.optional(),
  channels: count.optional(),
  label: text.optional(),
})

/** One file of a recording. */
export const recordingFileSchema = z.object({
  /** Unique within its recording. */
  file_id: z.string().max(64),
  /** `source`: as it was sent; `rendition`, `remux`: made of a source by a job; the rest is made for looking at. */
  kind: z.enum(['source', 'rendition', 'remux', 'thumbnail', 'sprite', 'vtt']),
  participant_id: z.string().max(255).nullable(),
  /** The file that it was made of. */
  source_file_id: z.string().max(64).nullable(),
  /** Below the directory that the manifest lies in, `/`-separated. */
  path: text,
  file_name: text,
  /** Container or picture format: mp4, webm, mkv, flv, ogg, jpeg, vtt. */
  format: z.string().max(20),
  /** From 1 per participant; grows with each rotation. */
  part: count,
  /** `open` while it grows; `torn`: playable, but left unfinished; `removed`: it is no more. */
  state: z.enum(['open', 'finishing', 'finalised', 'repaired', 'torn', 'removed']),
  /** Where its time 0 lies on the recording's clock. */
  offset_ms: z.number(),
  /**
   * From `file_ms` on, file time t lies at recording_ms + (t - file_ms) on the recording's clock. Ascending; begins with
   * file_ms 0. There is more than one where something was closed up (pause).
   */
  anchors: z.array(z.object({ file_ms: ms, recording_ms: z.number() })).max(1000),
  duration_ms: ms,
  size_bytes: count,
  tracks: z.array(fileTrackSchema).max(64),
  error: errorObjectSchema.nullable(),
})

/** One participant that was recorded. */
export const recordedParticipantSchema = z.object({
  participant_id: z.string().max(255),
  /** When its first frame was kept. */
  joined_at: time.nullable(),
  left_at: time.nullable(),
  /** It publishes now. */
  is_connected: z.boolean(),
  /** How often it came back within the reconnect window. */
  reconnects: count,
})

/** How far work after the stop has come. */
export const progressSchema = z.object({
  /** What is being done: `finalising`, or the kind of a job. */
  stage: z.string().max(64),
  /** 0 to 100. */
  percent: z.number().min(0).max(100),
  eta_seconds: z.number().nonnegative().nullable(),
})

/** A recording as everybody outside sees it: over HTTP, in events, in Redis, in the manifest. */
export const recordingObjectSchema = z.object({
  recording_id: z.string().min(1).max(64),
  room_id: z.string().min(1).max(255),
  /** Who asked for it; null for automatic recordings and where nobody has to say who they are. */
  user_id: z.string().max(255).nullable(),
  /** As asked; `auto` becomes the container that was chosen once that is known, unless that is Ogg. */
  format: z.enum(RECORDING_FORMATS),
  /** `source`, a preset (`low`, `medium`, `high`, `ultra`), or relative to the source: `source*75%`, or `2500k`. */
  quality: z.string().max(64),
  quality_settings: qualitySettingsSchema,
  status: z.enum(RECORDING_STATUSES),
  storage_backend: z.string().max(64),
  /** The main file, absolute: the first participant's first part, or its rendition where one was asked for. */
  local_path: text.nullable(),
  s3_key: text.nullable(),
  /** Of the main file. */
  file_name: text.nullable(),
  started_at: time.nullable(),
  paused_at: time.nullable(),
  stopped_at: time.nullable(),
  resumed_at: time.nullable(),
  /** When its files were complete, renditions included. */
  processed_at: time.nullable(),
  /** Of media, pauses closed up; grows while it records. */
  duration_seconds: z.number().nonnegative(),
  /** Of all its source files; grows while it records. */
  file_size_bytes: count,
  /** What whoever started it wants to find again. At most 16 KiB as JSON. */
  metadata: z.record(z.string().max(255), z.unknown()),
  error: errorObjectSchema.nullable(),
  files: z.array(recordingFileSchema).max(10_000),
  participants: z.array(recordedParticipantSchema).max(10_000),
  /** Gaps, drops, losses of each participant: see `RecordingReport`. Null until there is one. */
  report: z.record(z.string(), z.unknown()).nullable(),
  progress: progressSchema.nullable(),
})

/** See `recordingObjectSchema`. */
export type RecordingObject = z.output<typeof recordingObjectSchema>
/** See `recordingFileSchema`. */
export type RecordingFile = z.output<typeof recordingFileSchema>
/** See `recordedParticipantSchema`. */
export type RecordedParticipant = z.output<typeof recordedParticipantSchema>
/** See `qualitySettingsSchema`. */
export type QualitySettings = z.output<typeof qualitySettingsSchema>
