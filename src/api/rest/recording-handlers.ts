import type { StartRequest } from '../../service/control.ts'
import type { Caller } from '../caller.ts'
import { demandReachOverOthers } from '../permission.ts'
import type { Call, Handlers } from './call.ts'
import { recordingPage, roomFilters } from './recording-list.ts'
import type { ApiServices } from './services.ts'

type RecordingOperation =
  | 'startRecording'
  | 'stopRecording'
  | 'pauseRecording'
  | 'resumeRecording'
  | 'cancelRecording'
  | 'getRecordingStatus'
  | 'listRoomRecordings'

/** Recordings under command: everything below `/rooms/{room_id}/recording`. */
export function recordingHandlers({ control }: ApiServices): Handlers<RecordingOperation> {
  return {
    startRecording: async (call) => (await control.start(startRequest(call))).recording,
    stopRecording: async ({ params }) => (await control.stop(params.recording_id)).recording,
    pauseRecording: async ({ params }) => (await control.pause(params.recording_id)).recording,
    resumeRecording: async ({ params }) => (await control.resume(params.recording_id)).recording,
    cancelRecording: async ({ params }) => (await control.cancel(params.recording_id)).recording,
    getRecordingStatus: async ({ entry }) => entry.recording,
    listRoomRecordings: async ({ caller, params, query }) =>
      recordingPage(control, roomFilters(caller, params.room_id, query), query),
  }
}

function startRequest({ caller, params, query, body = {} }: Call<'startRecording'>): StartRequest {
  const format = query.recording_format ?? body.recording_format
  const quality = query.quality ?? body.quality
  return {
    roomId: params.room_id,
    userId: ownerOf(caller, body.user_id),
    ...(format === undefined ? {} : { format }),
    ...(body.audio_format === undefined ? {} : { audioFormat: body.audio_format }),
    ...(quality === undefined ? {} : { quality }),
    ...(body.participants === undefined ? {} : { participants: body.participants }),
    ...(body.metadata === undefined ? {} : { metadata: body.metadata }),
    ...inMs('maxDurationMs', body.max_duration_seconds),
    ...(body.max_size_bytes === undefined ? {} : { maxSizeBytes: body.max_size_bytes }),
    ...inMs('reconnectWindowMs', body.reconnect_window_seconds),
    ...inMs('partDurationMs', body.part_duration_seconds),
    ...(body.part_size_bytes === undefined ? {} : { partSizeBytes: body.part_size_bytes }),
    ...(body.keep_source === undefined ? {} : { keepSource: body.keep_source }),
    ...(body.thumbnails === undefined ? {} : { thumbnails: body.thumbnails }),
  }
}

/** An application may record on behalf of its users. @throws ForbiddenError */
function ownerOf(caller: Caller, asked: string | undefined): string | null {
  if (asked === undefined || asked === caller.userId) return caller.userId
  demandReachOverOthers(caller, 'recording.control')
  return asked
}

function inMs<Name extends string>(name: Name, seconds: number | undefined): { [Key in Name]?: number } {
  const entries: { [Key in Name]?: number } = {}
  if (seconds !== undefined) entries[name] = Math.round(seconds * 1000)
  return entries
}
