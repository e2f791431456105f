/**
 * tapedeck as a library. What stands here is public and keeps its meaning within a major version; nothing else does.
 *
 * `TapedeckServer` is the whole server as an object. `VideoRecorder` and `AudioRecorder` make one file of what a program
 * hands over; `FileMuxer` does the same by hand. Everything that is thrown on purpose is a `TapedeckError` with a `code`.
 */
export { ListenError } from './api/listen-error.ts'
export { SecretError } from './api/secret.ts'
export { describeTrack } from './codec/track.ts'
export { ConfigError, type ConfigIssue, type ServerOptions, type Settings, serverSettings } from './config.ts'
export type { Format } from './container/reader.ts'
export {
  type ReceivedHeaders,
  type VerifyOptions,
  verifyWebhook,
  type WebhookBody,
  WebhookSignatureError,
} from './events/webhook-signature.ts'
export { FfmpegFailedError, FfmpegMissingError } from './jobs/ffmpeg/errors.ts'
export {
  AudioRecorder,
  type AudioRecorderFormat,
  type AudioRecorderOptions,
  type AudioRecorderStats,
} from './library/audio-recorder.ts'
export { BacklogError } from './library/backlog.ts'
export { FileMuxer, type FileStats, type SampleTimes } from './library/file-muxer.ts'
export type { FrameTimes } from './library/frame-times.ts'
export { OptionsError } from './library/options.ts'
export { ParticipantFeed, type ParticipantOptions } from './library/participant-feed.ts'
export {
  RecordingEngine,
  type RecordingEngineEvents,
  type RecordingEngineOptions,
  type StartRecordingOptions,
} from './library/recording-engine.ts'
export type { AudioTrackOptions, FileMuxerOptions, VideoTrackOptions } from './library/track-options.ts'
export { VideoRecorder, type VideoRecorderStats } from './library/video-recorder.ts'
export type { VideoRecorderOptions } from './library/video-recorder-options.ts'
export { type Hub, type HubListener, NameBusyError } from './live/hub.ts'
export type { LiveStream, PublisherInfo, StreamAddress, Subscription } from './live/stream.ts'
export type { StreamStatsSnapshot } from './live/stream-stats.ts'
export type { EndReason, Subscriber } from './live/subscriber.ts'
export {
  type Fault,
  LimitError,
  MalformedError,
  MisuseError,
  TapedeckError,
  UnsupportedError,
} from './media/errors.ts'
export { Frame } from './media/frame.ts'
export type { Logger } from './media/ports.ts'
export type { AudioCodec, AudioTrack, Track, VideoCodec, VideoTrack } from './media/track.ts'
export type { RecorderConfig } from './recorder/config.ts'
export { NothingRecordedError } from './recorder/outcome.ts'
export type { Recorder, RecorderListener, RecordOptions } from './recorder/recorder.ts'
export type { Recording } from './recorder/recording.ts'
export type { RecordingReport } from './recorder/report.ts'
export { IllegalMoveError, type RecordingState } from './recorder/state-machine.ts'
export type { RecordingStats } from './recorder/stats.ts'
export { type ServerAddresses, type StopReport, TapedeckServer } from './server.ts'
export type { Capacity, ParticipantView, RecordingControl, RoomView, StartRequest } from './service/control.ts'
export {
  DiskForecastError,
  ElsewhereError,
  FileUnknownError,
  HeldError,
  RecordingMissingError,
  UnknownRoomError,
} from './service/errors.ts'
export { QualityError } from './service/quality.ts'
export type { CatalogueEntry, Marker } from './state/catalogue-entry.ts'
export { RecordingLimitError, StateAwayError } from './state/errors.ts'
export type { RecordingFile, RecordingObject } from './state/recording-object.ts'
export { StateError } from './state/sqlite-journal.ts'
export { DiskFullError, FileExistsError, FileMissingError, StorageError } from './storage/errors.ts'
