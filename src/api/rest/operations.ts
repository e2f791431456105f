/**
 * Every operation of the REST API: its name, method, and path below the mount. Imports nothing, so that clients can have it;
 * what goes in and out stands in `ROUTES`.
 */
export const OPERATIONS = {
  startRecording: ['POST', '/rooms/{room_id}/recording/start'],
  stopRecording: ['POST', '/rooms/{room_id}/recording/{recording_id}/stop'],
  pauseRecording: ['POST', '/rooms/{room_id}/recording/{recording_id}/pause'],
  resumeRecording: ['POST', '/rooms/{room_id}/recording/{recording_id}/resume'],
  cancelRecording: ['DELETE', '/rooms/{room_id}/recording/{recording_id}'],
  getRecordingStatus: ['GET', '/rooms/{room_id}/recording/{recording_id}/status'],
  listRoomRecordings: ['GET', '/rooms/{room_id}/recordings'],
  listRecordings: ['GET', '/recordings'],
  getRecording: ['GET', '/recordings/{recording_id}'],
  deleteRecording: ['DELETE', '/recordings/{recording_id}'],
  listFiles: ['GET', '/recordings/{recording_id}/files'],
  downloadFile: ['GET', '/recordings/{recording_id}/files/{file_id}'],
  createFileLink: ['POST', '/recordings/{recording_id}/files/{file_id}/link'],
  listThumbnails: ['GET', '/recordings/{recording_id}/thumbnails'],
  getReport: ['GET', '/recordings/{recording_id}/report'],
  listMarkers: ['GET', '/recordings/{recording_id}/markers'],
  addMarker: ['POST', '/recordings/{recording_id}/markers'],
  holdRecording: ['PUT', '/recordings/{recording_id}/hold'],
  releaseRecording: ['DELETE', '/recordings/{recording_id}/hold'],
  listRooms: ['GET', '/rooms'],
  getRoom: ['GET', '/rooms/{room_id}'],
  listParticipants: ['GET', '/rooms/{room_id}/participants'],
  disconnectParticipant: ['DELETE', '/rooms/{room_id}/participants/{participant_id}'],
  uploadChunk: ['POST', '/rooms/{room_id}/participants/{participant_id}/chunks'],
  getUpload: ['GET', '/rooms/{room_id}/participants/{participant_id}/chunks'],
  listJobs: ['GET', '/jobs'],
  retryJob: ['POST', '/jobs/{job_id}/retry'],
  cancelJob: ['DELETE', '/jobs/{job_id}'],
  listDeliveries: ['GET', '/webhooks/deliveries'],
  replayDelivery: ['POST', '/webhooks/deliveries/{delivery_id}/replay'],
  getServer: ['GET', '/server'],
  getOpenApi: ['GET', '/openapi.json'],
  getDocs: ['GET', '/docs'],
} as const satisfies Readonly<Record<string, readonly ['GET' | 'POST' | 'PUT' | 'DELETE', `/${string}`]>>

/** The name of an operation. */
export type OperationId = keyof typeof OPERATIONS
