import { randomUUID } from 'node:crypto'
import type { LiveStream } from '../live/stream.ts'
import type { Logger } from '../media/ports.ts'
import type { RecordingFormat } from '../state/recording-object.ts'
import type { Catalogue } from './catalogue.ts'
import type { CatalogueRecord } from './catalogue-record.ts'
import { automaticManifestPath } from './manifest-place.ts'
import { newEntry } from './new-entry.ts'
import type { RecorderCalls } from './recorder-calls.ts'
import { RoomRecording, type RoomRecordingOptions } from './room-recording.ts'

/** How every stream is recorded. */
export interface AutomaticOptions {
  readonly catalogue: Catalogue
  readonly calls: RecorderCalls
  readonly logger: Logger
  readonly node: string
  readonly recordDir: string
  readonly format: RecordingFormat
  readonly quality: string
  readonly keepSource: boolean
  /** It is in the catalogue now. */
  onBegun(record: CatalogueRecord): void
  readonly onFilesFinal: RoomRecordingOptions['onFilesFinal']
  readonly maxFiles?: number
  /** It has as many files as it may, and its stream goes on. */
  onFull(): void
}

/**
 * A recording of `stream`, made because everything is recorded: its files lie where the recorder's template says, and it is
 * in the catalogue from its first file on. It ends with its stream.
 */
export function recordAutomatically(stream: LiveStream, options: AutomaticOptions): RoomRecording {
  const { catalogue, calls, logger, node, recordDir, format, quality, keepSource, onFilesFinal } = options
  const { room, participant } = stream.address
  const entry = newEntry({
    id: randomUUID(),
    roomId: room,
    userId: null,
    format,
    audioFormat: 'auto', // as the recorder is set
    quality,
    metadata: {},
    node,
    manifestPath: null,
    automatic: true,
    keepSource,
    thumbnails: false,
    createdAtMs: Date.now(),
  })
  const record = catalogue.hold(entry, { isKept: false })
  return new RoomRecording({
    record,
    calls,
    logger,
    recordDir,
    participants: [participant],
    recordOptions: {},
    streams: () => (stream.ended === undefined ? [stream] : []),
    manifestPathFor: (first) => automaticManifestPath(first.path),
    onKept: () => options.onBegun(record),
    ...(options.maxFiles === undefined ? {} : { maxFiles: options.maxFiles }),
    onFull: () => options.onFull(),
    onFilesFinal,
  })
}
