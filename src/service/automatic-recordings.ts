import { randomUUID } from 'node:crypto'
import type { LiveStream, PublisherInfo, StreamAddress } from '../live/stream.ts'
import type { Logger } from '../media/ports.ts'
import type { Catalogue } from './catalogue.ts'
import type { CatalogueRecord } from './catalogue-record.ts'
import { automaticManifestPath } from './manifest-place.ts'
import { newEntry } from './new-entry.ts'
import type { Past } from './past.ts'
import type { RecorderCalls } from './recorder-calls.ts'
import { RoomRecording } from './room-recording.ts'
import type { RoomRecordingOptions } from './room-recording-options.ts'
import type { AutomaticSettings } from './service-options.ts'

/** How every stream is recorded. */
export interface AutomaticOptions extends AutomaticSettings {
  readonly catalogue: Catalogue
  readonly calls: RecorderCalls
  readonly logger: Logger
  readonly node: string
  readonly recordDir: string
  /** It is in the catalogue now. */
  onBegun(record: CatalogueRecord): void
  readonly onFilesFinal: RoomRecordingOptions['onFilesFinal']
  readonly maxFiles?: number
  /** It has as many files as it may, and its stream goes on. */
  onFull(address: StreamAddress): void
}

/** How long browsers are waited for: they reload, and change networks, ms. */
const BROWSER_WINDOW_MS = 30_000

interface Running {
  readonly room: RoomRecording
  readonly address: StreamAddress
  /** Undefined when a crash left it, and its participant has not come back yet. */
  stream: LiveStream | undefined
}

/** The recordings that are made because everything is recorded: one per address that is published, each ends with its stream. */
export class AutomaticRecordings {
  readonly #options: AutomaticOptions
  readonly #running = new Map<string, Running>()

  constructor(options: AutomaticOptions) {
    this.#options = options
  }

  /**
   * The recording for `stream`: its files lie where the recorder's template says, and it is in the catalogue from its first
   * file on. Undefined when one goes on that its address has already.
   */
  begin(stream: LiveStream): RoomRecording | undefined {
    if (this.#goesOn(stream)) return undefined
    const { catalogue, node, format, quality, keepSource, reconnectWindowMs } = this.#options
    const entry = newEntry({
      id: randomUUID(),
      roomId: stream.address.room,
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
      reconnectWindowMs: reconnectWindowMs ?? windowOf(stream.publisher.source),
      createdAtMs: Date.now(),
    })
    return this.#roomOf(catalogue.hold(entry, { isKept: false }), stream.address, stream)
  }

  /** Whether somebody publishes at `address` what goes into one of them. */
  has({ room, participant }: StreamAddress): boolean {
    for (const { address, room: of } of this.#running.values()) {
      if (of.isOpen && address.room === room && address.participant === participant) return true
    }
    return false
  }

  /** One that a crash interrupted, of `address`: it waits for whoever publishes there. */
  revive(record: CatalogueRecord, address: StreamAddress, past: Past): RoomRecording {
    return this.#roomOf(record, address, undefined, past)
  }

  remove(id: string): void {
    this.#running.delete(id)
  }

  #goesOn(stream: LiveStream): boolean {
    const { room: roomId, participant } = stream.address
    for (const running of this.#running.values()) {
      const { room, address } = running
      if (!room.isOpen || address.room !== roomId || address.participant !== participant) continue
      if (!room.records(participant)) {
        if (!room.isAwaiting(performance.now())) continue
        running.stream = stream
        room.joined(stream)
      }
      running.stream = stream
      return true
    }
    return false
  }

  #roomOf(record: CatalogueRecord, address: StreamAddress, stream: LiveStream | undefined, past?: Past): RoomRecording {
    const { calls, logger, recordDir, reconnectWindowMs, maxFiles, onBegun, onFull, onFilesFinal } = this.#options
    const room = new RoomRecording({
      record,
      calls,
      logger,
      recordDir,
      participants: [address.participant],
      recordOptions: ({ publisher }) => ({ reconnectWindowMs: reconnectWindowMs ?? windowOf(publisher.source) }),
      streams: () => {
        const current = this.#running.get(record.id)?.stream
        return current === undefined || current.ended !== undefined ? [] : [current]
      },
      manifestPathFor: (first) => automaticManifestPath(first.path),
      onKept: () => onBegun(record),
      ...(maxFiles === undefined ? {} : { maxFiles }),
      ...(past === undefined ? {} : { past }),
      onFull: () => onFull(address),
      onFilesFinal,
    })
    this.#running.set(record.id, { room, address, stream })
    return room
  }
}

/** How long a participant who came by `source` is waited for, ms. */
function windowOf(source: PublisherInfo['source']): number {
  return source === 'whip' || source === 'upload' ? BROWSER_WINDOW_MS : 0
}
