import type { LiveStream } from '../live/stream.ts'
import type { Logger } from '../media/ports.ts'
import type { Part } from '../recorder/part.ts'
import type { RecordOptions } from '../recorder/recorder.ts'
import type { RecordingObject } from '../state/recording-object.ts'
import type { CatalogueRecord } from './catalogue-record.ts'
import type { Past } from './past.ts'
import type { RecorderCalls } from './recorder-calls.ts'

/** Why a recording took no further frame. */
export type StopReason =
  | 'requested'
  | 'max-duration'
  | 'max-size'
  | 'max-files'
  | 'everybody-left'
  | 'nobody-came'
  | 'shutdown'

/** What is to be kept of whom. */
export interface RoomRecordingOptions {
  readonly record: CatalogueRecord
  readonly calls: RecorderCalls
  readonly logger: Logger
  /** Where recordings lie, absolute. */
  readonly recordDir: string
  /** Undefined for everybody. */
  readonly participants: readonly string[] | undefined
  /** How a participant is recorded. */
  recordOptions(stream: LiveStream): RecordOptions
  /** The streams of the room, now. */
  streams(): readonly LiveStream[]
  /** Where the manifest goes of one that is kept from its first file on. */
  manifestPathFor?(first: Part): string
  /** What there is of it from before a crash. */
  readonly past?: Past
  /** Files at most, if not `MAX_FILES`. */
  readonly maxFiles?: number
  /** It has stopped because it has as many files as it may: called in that very moment. */
  onFull?(): void
  /** It is in the catalogue now, and was not before. */
  onKept?(): void
  /** Nothing will be added to its files. Not called when it was cancelled. `kept`: there is a file. */
  onFilesFinal(record: CatalogueRecord, outcome: { kept: boolean; patch: Partial<RecordingObject> }): void
}
