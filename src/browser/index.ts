/// <reference lib="dom" />
export type { ConnectionOptions, TokenSource } from './connection-options.ts'
export {
  Publisher,
  type PublisherEvents,
  type PublisherState,
  type PublishOptions,
  publish,
  resumeUploads,
} from './publisher.ts'
export { RefusalError } from './refusal.ts'
export { Watcher, type WatcherEvents, type WatcherState, watch } from './watcher.ts'
export type { Source } from './whip-publication.ts'
