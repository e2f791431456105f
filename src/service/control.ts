import type { SourceReport } from '../media/source-report.ts'
import type { Track } from '../media/track.ts'
import type { CatalogueEntry, Marker } from '../state/catalogue-entry.ts'
import type { AudioFormat, RecordingFormat } from '../state/recording-object.ts'
import type { RecordingPage, RecordingQuery } from '../state/store.ts'

/** How a recording is asked for. */
export interface StartRequest {
  readonly roomId: string
  /** Null where nobody has to say who they are. */
  readonly userId: string | null
  /** `auto` by default. */
  readonly format?: RecordingFormat
  /** Of participants who send sound alone; the server's setting by default. */
  readonly audioFormat?: AudioFormat
  /** `source` by default: a preset (`low`, `medium`, `high`, `ultra`), `source*75%`, or a bitrate, `2500k`. */
  readonly quality?: string
  /** Only these; every participant by default, also those who come later. */
  readonly participants?: readonly string[]
  /** At most 16 KiB as JSON. */
  readonly metadata?: Readonly<Record<string, unknown>>
  /** A clean stop after so much media; the server's limit holds all the same, ms. */
  readonly maxDurationMs?: number
  readonly maxSizeBytes?: number
  /** How long a participant may be away and still go on in the same file, ms. */
  readonly reconnectWindowMs?: number
  /** A new part after so much media, ms, or so many bytes. */
  readonly partDurationMs?: number
  readonly partSizeBytes?: number
  /** False: remove a source once its rendition is verified. */
  readonly keepSource?: boolean
  readonly thumbnails?: boolean
}

/** A participant of a room, now. */
export interface ParticipantView {
  readonly participantId: string
  /** The protocol it came by. */
  readonly source: string
  readonly peer: string | undefined
  /** Wall clock, ms since 1970. */
  readonly joinedAtMs: number
  readonly tracks: readonly Track[]
  readonly bitrateBps: number
  readonly receivedBytes: number
  readonly players: number
  /** Ids of the recordings that it is in. */
  readonly recordings: readonly string[]
  /** What the source says of itself; undefined where it cannot (RTMP). */
  readonly report: SourceReport | undefined
}

/** A room in which something is going on. */
export interface RoomView {
  readonly roomId: string
  readonly participants: readonly ParticipantView[]
  /** Ids of recordings in a live status. */
  readonly recordings: readonly string[]
}

/** What this server can still take. */
export interface Capacity {
  readonly activeRecordings: number
  readonly maxRecordings: number
  readonly streams: number
  readonly diskFreeBytes: number | undefined
  readonly diskUsedBytes: number
  /** What all recordings write now, bits per second. */
  readonly writeRateBps: number
  /** Until the disk is as full as it may be, at this rate; null when nothing is written. */
  readonly diskFullInSeconds: number | null
  /** A further recording would be refused for want of room. */
  readonly isDiskLow: boolean
}

/**
 * Recordings as a service: what all doors (HTTP, library, CLI) lead to. It asks nobody who may do what: doors do.
 *
 * Ids that there are not: `RecordingMissingError`. What a status does not allow: `IllegalMoveError`. A recording that
 * another process holds: `ElsewhereError`. State that cannot be had: `StateAwayError`, but never for a recording of ours.
 */
export interface RecordingControl {
  /**
   * Resolves when the recording is entered in the catalogue and its manifest is written.
   * @throws RecordingLimitError
   * @throws DiskForecastError when the disk has no room for another one
   * @throws UnknownRoomError when nobody is in the room and `participants` names nobody
   */
  start(request: StartRequest): Promise<CatalogueEntry>
  /** Resolves as soon as no further frame is taken, in status `processing` at least. */
  stop(id: string): Promise<CatalogueEntry>
  pause(id: string): Promise<CatalogueEntry>
  resume(id: string): Promise<CatalogueEntry>
  /** Resolves when nothing of it is left on disk. */
  cancel(id: string): Promise<CatalogueEntry>
  /** With live figures, where it is ours. */
  get(id: string): Promise<CatalogueEntry>
  list(query: RecordingQuery): Promise<RecordingPage>
  count(query: Omit<RecordingQuery, 'cursor' | 'limit'>): Promise<number>
  /** `atMs` on the recording's clock; now by default, which takes a live recording. */
  mark(id: string, label: string, atMs?: number): Promise<Marker>
  hold(id: string, isHeld: boolean): Promise<CatalogueEntry>
  /** With all its files. Not while it is live, nor on hold (`HeldError`). */
  remove(id: string): Promise<void>
  /** The absolute path of one of its files. @throws FileUnknownError */
  filePath(id: string, fileId: string): Promise<string>
  /** Removes completed, failed and cancelled recordings that ended longer ago than `olderThanMs` and are not on hold. Returns how many. */
  cleanUp(olderThanMs: number): Promise<number>
  rooms(): readonly RoomView[]
  /** Ends the connection of whoever publishes there. False when nobody does. */
  disconnect(roomId: string, participantId: string): boolean
  capacity(): Promise<Capacity>
  /** Resolves with the entry once `id` is final. */
  finished(id: string): Promise<CatalogueEntry>
}
