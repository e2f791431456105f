/** Everything that users are told about, over WebSocket and webhooks. */
export const EVENT_TYPES = [
  'recording_started',
  'recording_paused',
  'recording_resumed',
  'recording_stopped',
  'recording_cancelled',
  'recording_progress',
  'recording_processing',
  'recording_completed',
  'recording_failed',
  'recording_deleted',
  'recording_uploaded',
  'recording_interrupted',
  'recording_revived',
  'marker_added',
  'thumbnails_generated',
  'job_failed',
  'participant_joined',
  'participant_left',
  'track_added',
  'disk_low',
  'disk_ok',
  'state_away',
  'state_back',
] as const
/** One of `EVENT_TYPES`. */
export type EventType = (typeof EVENT_TYPES)[number]

/** An event as users get it. */
export interface TapedeckEvent {
  /** Unique for ever: whoever gets an event twice knows it by this. */
  readonly id: string
  readonly type: EventType
  readonly room_id: string | null
  readonly data: Readonly<Record<string, unknown>>
  /** Grows from event to event, over restarts. */
  readonly seq: number
  /** ISO 8601, UTC. */
  readonly time: string
}

/** Something that happened, for whoever tells users. */
export interface Happening {
  readonly type: EventType
  /** Null for what is of the whole server. */
  readonly roomId: string | null
  /** Where there is one: its events stay in order. */
  readonly recordingId: string | null
  /** The recording's owner. */
  readonly userId: string | null
  readonly data: Readonly<Record<string, unknown>>
}

/** Takes what happened, in order. Never throws, never waits; keeps it until the state store has taken it. */
export interface EventSink {
  emit(happening: Happening): void
}
