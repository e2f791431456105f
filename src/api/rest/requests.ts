import { z } from 'zod'
import { DELIVERY_STATES } from '../../events/delivery-log.ts'
import {
  AUDIO_FORMATS,
  RECORDING_FORMATS,
  RECORDING_STATUSES,
  type RecordingStatus,
} from '../../state/recording-object.ts'
import { isShallow } from './json-depth.ts'

/** Entries on a page, unless asked otherwise. */
const USUAL_LIMIT = 50
const MAX_LIMIT = 100
/** What metadata may take as JSON, characters. */
const MAX_METADATA = 16_384
const MAX_METADATA_DEPTH = 32
const MAX_PARTICIPANTS = 1000
/** Longest life of a download link, seconds: a week. */
const MAX_LINK_TTL_S = 7 * 86_400
const USUAL_LINK_TTL_S = 3600

const roomId = z.string().min(1).max(255).describe('Percent-encoded; any UTF-8')
const recordingId = z.string().min(1).max(64)
const fileId = z.string().min(1).max(64)
const participantId = z.string().min(1).max(255)
const seconds = z.number().positive().max(31_622_400)

/** For paths without parameters. */
export const noParams = z.strictObject({})
/** `/rooms/{room_id}` */
export const roomParams = z.strictObject({ room_id: roomId })
/** `/rooms/{room_id}/recording/{recording_id}` */
export const roomRecordingParams = z.strictObject({ room_id: roomId, recording_id: recordingId })
/** `/rooms/{room_id}/participants/{participant_id}` */
export const participantParams = z.strictObject({ room_id: roomId, participant_id: participantId })
const upload = {
  session: z
    .string()
    .regex(/^[\w.:~-]{1,128}$/)
    .describe('Chosen by the browser: one for each MediaRecorder'),
  token: z.string().max(4096).optional().describe('Where there is no Authorization header'),
}
/** Which upload. */
export const uploadQuery = z.strictObject(upload)
const clockMs = z.coerce.number().min(0).max(Number.MAX_SAFE_INTEGER)
/** Which chunk of which upload. */
export const chunkQuery = z.strictObject({
  ...upload,
  seq: z
    .string()
    .regex(/^\d{1,7}$/)
    .transform(Number)
    .describe('Number of the chunk, from 0'),
  sha256: z
    .string()
    .regex(/^[0-9a-fA-F]{64}$/)
    .transform((text) => text.toLowerCase())
    .describe('SHA-256 of its bytes, hexadecimal'),
  kind: z.enum(['camera', 'screen', 'microphone']).optional().describe('What it shows'),
  label: z.string().min(1).max(64).optional().describe('The name of its tracks; "kind" by default'),
  start: clockMs.optional().describe('When the media of the chunk began, by the browser’s clock, ms'),
  sent: clockMs.optional().describe('When the chunk was sent, by the same clock, ms'),
  final: z.enum(['true', 'false']).optional().describe('true: nothing follows; the body may be empty'),
})

/** `/recordings/{recording_id}` */
export const recordingParams = z.strictObject({ recording_id: recordingId })
/** `/recordings/{recording_id}/files/{file_id}` */
export const fileParams = z.strictObject({ recording_id: recordingId, file_id: fileId })
/** `/jobs/{job_id}` */
export const jobParams = z.strictObject({ job_id: z.string().min(1).max(64) })

/** `/webhooks/deliveries/{delivery_id}` */
export const deliveryParams = z.strictObject({ delivery_id: z.string().min(1).max(320) })

/** For routes that take nothing in the query. */
export const noQuery = z.strictObject({})
/** For routes that take no body. */
export const noBody = z.strictObject({}).optional()

const format = z.enum(RECORDING_FORMATS).optional().describe('auto: what holds it as it is sent')
const quality = z
  .string()
  .min(1)
  .max(64)
  .optional()
  .describe('source (the default), low, medium, high, ultra, source*75%, or 2500k')

/** How a recording is asked for in the query; counts before the body. */
export const startQuery = z.strictObject({ recording_format: format, quality })

/** How a recording is asked for in the body. */
export const startBody = z
  .strictObject({
    recording_format: format,
    audio_format: z
      .enum(AUDIO_FORMATS)
      .optional()
      .describe('Of participants who send sound alone; auto: recording_format'),
    quality,
    participants: z.array(participantId).min(1).max(MAX_PARTICIPANTS).optional().describe('Only these; all by default'),
    metadata: z
      .record(z.string().max(255), z.unknown())
      .refine((value) => isShallow(value, MAX_METADATA_DEPTH), {
        message: `nested deeper than ${MAX_METADATA_DEPTH}`,
        abort: true,
      })
      .refine((value) => JSON.stringify(value).length <= MAX_METADATA, `more than ${MAX_METADATA} characters as JSON`)
      .optional(),
    max_duration_seconds: seconds.optional().describe('A clean stop after so much media'),
    max_size_bytes: z.number().int().positive().optional(),
    reconnect_window_seconds: z.number().nonnegative().max(86_400).optional(),
    part_duration_seconds: seconds.optional().describe('A new file after so much media'),
    part_size_bytes: z.number().int().positive().optional(),
    keep_source: z.boolean().optional().describe('false: the source goes once its rendition is verified'),
    thumbnails: z.boolean().optional(),
    user_id: z.string().min(1).max(255).optional().describe('Whose recording it is; for operators and admins'),
  })
  .meta({ example: { metadata: { title: 'Standup' } } })
  .optional()

const pageQuery = {
  status: z
    .union([z.string().max(200), z.array(z.string().max(20)).max(20)])
    .transform(statusesOf)
    .optional()
    .meta({ description: `Any of these, separated by commas: ${RECORDING_STATUSES.join(', ')}` }),
  since: z.iso.datetime({ offset: true }).optional().describe('Created then or later'),
  until: z.iso.datetime({ offset: true }).optional().describe('Created before'),
  cursor: z.string().min(1).max(1024).optional().describe('"next_cursor" of the page before'),
  limit: z.coerce.number().int().min(1).max(MAX_LIMIT).default(USUAL_LIMIT),
  user: z.string().min(1).max(255).optional().describe('Of this user; one’s own for users'),
}
/** Which recordings of a room, and which page of them. */
export const roomListQuery = z.strictObject(pageQuery)
/** Which recordings, and which page of them. */
export const listQuery = z.strictObject({
  ...pageQuery,
  room: roomId.optional(),
  all: z.enum(['true', 'false']).optional().describe('true: of everybody, as far as the role reaches'),
})

/** A moment to be marked. */
export const markerBody = z.strictObject({
  label: z.string().min(1).max(255),
  at_ms: z.number().nonnegative().optional().describe('On the recording’s clock; now by default'),
})

/** How long a link holds. */
export const linkBody = z
  .strictObject({ ttl_seconds: z.number().int().min(1).max(MAX_LINK_TTL_S).default(USUAL_LINK_TTL_S) })
  .prefault({})

/** What a download link carries, and how the file is to be shown. */
export const downloadQuery = z.strictObject({
  inline: z.enum(['true', 'false']).optional().describe('true: for showing instead of saving'),
  expires: z.string().max(20).optional().describe('Of a signed link'),
  user: z.string().max(255).optional().describe('Of a signed link'),
  signature: z.string().max(100).optional().describe('Of a signed link'),
})

/** Which jobs. */
export const jobsQuery = z.strictObject({
  state: z.enum(['waiting', 'running', 'done', 'dead', 'cancelled']).optional(),
  limit: z.coerce.number().int().min(1).max(MAX_LIMIT).default(USUAL_LIMIT),
})

/** Which deliveries of webhooks. */
export const deliveriesQuery = z.strictObject({
  state: z.enum(DELIVERY_STATES).optional(),
  recording_id: recordingId.optional(),
  limit: z.coerce.number().int().min(1).max(MAX_LIMIT).default(USUAL_LIMIT),
})

function statusesOf(given: string | string[], context: z.RefinementCtx): RecordingStatus[] {
  const found: RecordingStatus[] = []
  for (const name of [given].flat().flatMap((text) => text.split(','))) {
    const status = RECORDING_STATUSES.find((each) => each === name)
    if (status !== undefined) found.push(status)
    else
      context.addIssue({
        code: 'custom',
        message: `${JSON.stringify(name)} is none of ${RECORDING_STATUSES.join(', ')}`,
      })
  }
  return found
}
