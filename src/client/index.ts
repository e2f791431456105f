export { ApiError } from './api-error.ts'
export {
  type JobListOptions,
  type ListOptions,
  type Recording,
  type RoomListOptions,
  type StartOptions,
  TapedeckClient,
} from './client.ts'
export type { CallOptions, ClientOptions, TokenSource } from './connection.ts'
export type { EventOptions, ReplayGap } from './event-stream.ts'
