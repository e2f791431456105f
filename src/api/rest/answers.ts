import { z } from 'zod'
import { DELIVERY_STATES } from '../../events/delivery-log.ts'
import { jobReferenceSchema, markerSchema } from '../../state/catalogue-entry.ts'
import {
  errorObjectSchema,
  fileTrackSchema,
  recordingFileSchema,
  recordingObjectSchema,
} from '../../state/recording-object.ts'
import { sourceAnswer } from './source-answer.ts'

const count = z.number().int().nonnegative()
const time = z.iso.datetime()
const marker = markerSchema.meta({ id: 'Marker' })
const file = recordingFileSchema.meta({ id: 'RecordingFile' })

/** A recording. */
export const recordingAnswer = recordingObjectSchema.extend({ files: z.array(file) }).meta({ id: 'Recording' })
/** A recording, and what is kept about it beside. */
export const recordingDetailsAnswer = recordingObjectSchema
  .extend({
    files: z.array(file),
    automatic: z.boolean().describe('Recorded because everything is'),
    hold: z.boolean().describe('Retention leaves it alone'),
    created_at: time,
    markers: z.array(marker),
    jobs: z.array(jobReferenceSchema),
  })
  .meta({ id: 'RecordingDetails' })
/** A page of recordings, newest first. */
export const recordingListAnswer = z
  .object({
    recordings: z.array(recordingAnswer),
    count: count.describe('On all pages'),
    next_cursor: z.string().nullable().describe('For the next page; null on the last'),
  })
  .meta({ id: 'RecordingList' })
/** The files of a recording. */
export const filesAnswer = z.object({ files: z.array(file) })
/** Its pictures: JPEG, a sprite sheet, and the WebVTT that says what is where on it. */
export const thumbnailsAnswer = z.object({ thumbnails: z.array(file) })
/** What was lost and why. */
export const reportAnswer = z.object({
  recording_id: z.string(),
  report: z.record(z.string(), z.unknown()).nullable(),
})
/** A marker. */
export const markerAnswer = marker
/** The markers of a recording, as they were set. */
export const markersAnswer = z.object({ markers: z.array(marker) })
/** Whether a recording is on hold. */
export const holdAnswer = z.object({ recording_id: z.string(), hold: z.boolean() })
/** A link that needs no token. */
export const linkAnswer = z.object({
  url: z.string().describe('Begins with --public-url, or with the path where there is none'),
  expires_at: time,
})

const participant = z
  .object({
    participant_id: z.string(),
    source: z.string().describe('The protocol it came by'),
    peer: z.string().nullable().describe('Its address; for operators and admins'),
    joined_at: time,
    tracks: z.array(fileTrackSchema.extend({ frame_rate: z.number().optional() })),
    bitrate_bps: z.number().nonnegative(),
    received_bytes: count,
    players: count,
    recordings: z.array(z.string()).describe('Ids of the recordings that it is in'),
    source_report: sourceAnswer.nullable().describe('What a WebRTC source says of itself; null for others'),
  })
  .meta({ id: 'Participant' })
/** A room, now. */
export const roomAnswer = z
  .object({
    room_id: z.string(),
    participants: z.array(participant),
    recordings: z.array(z.string()).describe('Ids of recordings that are not final'),
  })
  .meta({ id: 'Room' })
/** Rooms in which something is going on. */
export const roomsAnswer = z.object({ rooms: z.array(roomAnswer), count })
/** Who is in a room. */
export const participantsAnswer = z.object({ participants: z.array(participant), count })

/** How an upload stands. */
export const uploadAnswer = z
  .object({
    session: z.string(),
    state: z.enum(['open', 'ended', 'failed']),
    next_seq: count.describe('The first chunk that has not come'),
    early: z.array(count).describe('Chunks that came before their turn'),
    problem: z.string().nullable().describe('Why it failed'),
  })
  .meta({ id: 'Upload' })

/** Work after the stop. */
export const jobAnswer = z
  .object({
    job_id: z.string(),
    recording_id: z.string(),
    kind: z.enum(['rendition', 'remux', 'thumbnails']),
    state: z.enum(['waiting', 'running', 'done', 'dead', 'cancelled']),
    priority: z.number().int(),
    percent: z.number().min(0).max(100),
    eta_seconds: z.number().nonnegative().nullable(),
    attempts: count,
    error: errorObjectSchema.nullable(),
  })
  .meta({ id: 'Job' })
/** Jobs, newest first, and how many are where. */
export const jobsAnswer = z.object({
  jobs: z.array(jobAnswer),
  depth: z.object({ waiting: count, running: count, dead: count }),
})

/** One event on its way to one URL. */
const delivery = z
  .object({
    delivery_id: z.string(),
    url: z.string().describe('Without user, password and query'),
    event_id: z.string(),
    type: z.string(),
    room_id: z.string().nullable(),
    recording_id: z.string().nullable(),
    seq: count,
    state: z.enum(DELIVERY_STATES),
    attempts: count,
    created_at: time,
    next_attempt_at: time.nullable(),
    finished_at: time.nullable(),
    log: z
      .array(z.object({ at: time, took_ms: z.number().nonnegative(), error: z.string().nullable() }))
      .describe('The latest tries, oldest first'),
  })
  .meta({ id: 'Delivery' })
/** What became of webhooks, newest first. */
export const deliveriesAnswer = z.object({ deliveries: z.array(delivery), count })

/** What this server is and can still take. */
export const serverAnswer = z
  .object({
    version: z.string(),
    node: z.string(),
    uptime_seconds: count,
    state: z.object({ kind: z.enum(['sqlite', 'redis']), is_reachable: z.boolean() }),
    capacity: z.object({ active_recordings: count, max_recordings: count, streams: count }),
    disk: z.object({
      free_bytes: count.nullable(),
      used_bytes: count.describe('By recordings'),
      write_rate_bps: z.number().nonnegative().describe('Bits per second, all recordings together'),
      full_in_seconds: z.number().nonnegative().nullable().describe('At this rate; null when nothing is written'),
      is_low: z.boolean().describe('A further recording would be refused'),
    }),
  })
  .meta({ id: 'Server' })

/** Every error. */
export const errorAnswer = z
  .object({
    error: z.object({
      code: z.string().describe('Stable; docs/errors.md has them all'),
      message: z.string(),
      fault: z.enum(['caller', 'peer', 'host']),
      details: z
        .array(z.object({ path: z.string(), message: z.string() }))
        .describe('For TD_BAD_REQUEST: what of the request does not fit; else empty'),
    }),
  })
  .meta({ id: 'Error' })
