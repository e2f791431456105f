import { z } from 'zod'
import type { Permission } from '../permission.ts'
import * as answers from './answers.ts'
import type { OperationId } from './operations.ts'
import * as requests from './requests.ts'

/** What one operation takes and gives, and who may use it. */
export interface Route {
  readonly summary: string
  readonly tag: 'Recording' | 'Recordings' | 'Rooms' | 'Jobs' | 'Webhooks' | 'Server'
  /**
   * With a `recording_id` in the path it is asked for that recording, with a `room_id` alone for that room, otherwise for the
   * role. `known`: everybody who has business here; the answer is cut to what they may see. `public`: everybody. `publish`:
   * whoever may publish under the name, as with WHIP.
   */
  readonly permission: Permission | 'known' | 'public' | 'publish'
  readonly params: z.ZodObject
  readonly query: z.ZodObject
  readonly body: z.ZodType
  /** Of a body that is not JSON. */
  readonly bodyMedia?: string
  readonly status: 200 | 201 | 204
  /** JSON, unless `media` says otherwise. `z.undefined()` for none. */
  readonly answer: z.ZodType
  /** Of what is not JSON. */
  readonly media?: string
  /** Statuses beside 400, 401, 403, 429, 500 and 503, and 413 and 415 where there is a body. */
  readonly errors: readonly number[]
}

const plain = { query: requests.noQuery, body: requests.noBody, status: 200 } as const
const nothing = z.undefined()
const bytes = z.string().meta({ format: 'binary' })

const inRoom = {
  ...plain,
  tag: 'Recording',
  permission: 'recording.control',
  params: requests.roomRecordingParams,
  answer: answers.recordingAnswer,
  errors: [404, 409],
} as const
const ofRecording = {
  ...plain,
  tag: 'Recordings',
  permission: 'recording.read',
  params: requests.recordingParams,
  errors: [404],
} as const
const ofRoom = {
  ...plain,
  tag: 'Rooms',
  permission: 'participant.read',
  params: requests.roomParams,
  errors: [404],
} as const
const ofServer = { ...plain, tag: 'Server', permission: 'public', params: requests.noParams, errors: [] } as const

/**
 * The API, once: the router takes its routes, checks and permissions from it, the OpenAPI document its paths, the client its
 * types.
 */
export const ROUTES = {
  startRecording: {
    ...inRoom,
    summary: 'Record a room, or some of its participants',
    permission: 'recording.start',
    params: requests.roomParams,
    query: requests.startQuery,
    body: requests.startBody,
    status: 201,
    errors: [404, 507],
  },
  stopRecording: { ...inRoom, summary: 'Stop; files are finished and work after the stop begins' },
  pauseRecording: { ...inRoom, summary: 'Pause; what is sent meanwhile is not kept' },
  resumeRecording: { ...inRoom, summary: 'Go on, in the same files' },
  cancelRecording: { ...inRoom, summary: 'Give up; nothing of it is left on disk' },
  getRecordingStatus: { ...inRoom, summary: 'How it stands', permission: 'recording.read', errors: [404] },
  listRoomRecordings: {
    ...inRoom,
    summary: 'Recordings of a room, newest first; users see their own',
    permission: 'recording.list',
    params: requests.roomParams,
    query: requests.roomListQuery,
    answer: answers.recordingListAnswer,
    errors: [],
  },
  listRecordings: {
    ...ofRecording,
    summary: 'Own recordings, newest first; of others with ?all=true or ?user=, as far as the role reaches',
    permission: 'known',
    params: requests.noParams,
    query: requests.listQuery,
    answer: answers.recordingListAnswer,
    errors: [],
  },
  getRecording: { ...ofRecording, summary: 'One recording in full', answer: answers.recordingDetailsAnswer },
  deleteRecording: {
    ...ofRecording,
    summary: 'Delete with all its files; not while it is live or on hold',
    permission: 'recording.delete',
    status: 204,
    answer: nothing,
    errors: [404, 409],
  },
  listFiles: { ...ofRecording, summary: 'Its files', answer: answers.filesAnswer },
  downloadFile: {
    ...ofRecording,
    summary: 'One file: ranges, ETag, also while it grows; a signed link needs no token',
    params: requests.fileParams,
    query: requests.downloadQuery,
    answer: bytes,
    media: 'application/octet-stream',
    errors: [404, 412, 416],
  },
  createFileLink: {
    ...ofRecording,
    summary: 'A signed link to one file that holds for a while and needs no token',
    params: requests.fileParams,
    body: requests.linkBody,
    status: 201,
    answer: answers.linkAnswer,
  },
  listThumbnails: { ...ofRecording, summary: 'Its pictures', answer: answers.thumbnailsAnswer },
  getReport: { ...ofRecording, summary: 'What was lost, and why', answer: answers.reportAnswer },
  listMarkers: { ...ofRecording, summary: 'Its markers', answer: answers.markersAnswer },
  addMarker: {
    ...ofRecording,
    summary: 'Mark a moment; markers become chapters',
    permission: 'recording.control',
    body: requests.markerBody,
    status: 201,
    answer: answers.markerAnswer,
    errors: [404, 409],
  },
  holdRecording: {
    ...ofRecording,
    summary: 'Keep it from retention and deletion',
    permission: 'recording.hold',
    answer: answers.holdAnswer,
    errors: [404, 409],
  },
  releaseRecording: {
    ...ofRecording,
    summary: 'Take it off hold',
    permission: 'recording.hold',
    answer: answers.holdAnswer,
    errors: [404, 409],
  },
  listRooms: {
    ...ofRoom,
    summary: 'Rooms in which something is going on',
    permission: 'room.read',
    params: requests.noParams,
    answer: answers.roomsAnswer,
    errors: [],
  },
  getRoom: { ...ofRoom, summary: 'One room: who is in it', permission: 'room.read', answer: answers.roomAnswer },
  listParticipants: { ...ofRoom, summary: 'Who publishes in a room', answer: answers.participantsAnswer },
  disconnectParticipant: {
    ...ofRoom,
    summary: 'End the connection of a publisher',
    permission: 'participant.disconnect',
    params: requests.participantParams,
    status: 204,
    answer: nothing,
  },
  uploadChunk: {
    ...ofRoom,
    summary: 'A chunk of what a browser records itself; it is on disk when this is answered',
    permission: 'publish',
    params: requests.participantParams,
    query: requests.chunkQuery,
    body: bytes,
    bodyMedia: 'application/octet-stream',
    answer: answers.uploadAnswer,
    errors: [409, 507],
  },
  getUpload: {
    ...ofRoom,
    summary: 'Which chunks of an upload have come',
    permission: 'publish',
    params: requests.participantParams,
    query: requests.uploadQuery,
    answer: answers.uploadAnswer,
  },
  listJobs: {
    ...plain,
    tag: 'Jobs',
    summary: 'Work after the stop, newest first',
    permission: 'job.read',
    params: requests.noParams,
    query: requests.jobsQuery,
    answer: answers.jobsAnswer,
    errors: [],
  },
  retryJob: {
    ...plain,
    tag: 'Jobs',
    summary: 'Try a dead or cancelled job anew',
    permission: 'job.control',
    params: requests.jobParams,
    answer: answers.jobAnswer,
    errors: [404],
  },
  cancelJob: {
    ...plain,
    tag: 'Jobs',
    summary: 'Cancel a job; its ffmpeg is ended',
    permission: 'job.control',
    params: requests.jobParams,
    answer: answers.jobAnswer,
    errors: [404],
  },
  listDeliveries: {
    ...plain,
    tag: 'Webhooks',
    summary: 'What became of webhooks in the last days, newest first; for admins of all rooms',
    permission: 'webhook.manage',
    params: requests.noParams,
    query: requests.deliveriesQuery,
    answer: answers.deliveriesAnswer,
    errors: [],
  },
  replayDelivery: {
    ...plain,
    tag: 'Webhooks',
    summary: 'Send a webhook that was taken or given up again, under the same id; for admins of all rooms',
    permission: 'webhook.manage',
    params: requests.deliveryParams,
    status: 204,
    answer: nothing,
    errors: [404],
  },
  getServer: {
    ...ofServer,
    summary: 'Version, capacity, disk',
    permission: 'server.read',
    answer: answers.serverAnswer,
  },
  getOpenApi: { ...ofServer, summary: 'This document', answer: z.record(z.string(), z.unknown()) },
  getDocs: { ...ofServer, summary: 'A page that shows it', answer: z.string(), media: 'text/html' },
} as const satisfies Readonly<Record<OperationId, Route>>

/** Those that the router does not answer by a handler of JSON: bytes go in or out, or others may use them. */
export type RawOperationId = 'downloadFile' | 'uploadChunk' | 'getUpload' | 'getOpenApi' | 'getDocs'

/** What an operation takes, as a client writes it. */
export interface RouteInput<Id extends OperationId> {
  readonly params: z.input<(typeof ROUTES)[Id]['params']>
  readonly query: z.input<(typeof ROUTES)[Id]['query']>
  readonly body: z.input<(typeof ROUTES)[Id]['body']>
}
/** What an operation gives. */
export type RouteAnswer<Id extends OperationId> = z.output<(typeof ROUTES)[Id]['answer']>
