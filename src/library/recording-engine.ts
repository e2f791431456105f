import { randomUUID } from 'node:crypto'
import { EventEmitter } from 'node:events'
import { type ServerOptions, type Settings, settingsSchema } from '../config/settings-schema.ts'
import type { WebrtcSettingName } from '../config/webrtc-settings.ts'
import { TapedeckError } from '../media/errors.ts'
import type { Logger } from '../media/ports.ts'
import { TapedeckServer } from '../server.ts'
import type { StartRequest } from '../service/control.ts'
import { RecordingMissingError } from '../service/errors.ts'
import type { StoredEvent } from '../state/event-store.ts'
import type { RecordingObject } from '../state/recording-object.ts'
import type { RecordingQuery } from '../state/store.ts'
import { ChunkFeed } from './chunk-feed.ts'
import { parseOptions } from './options.ts'
import { ParticipantFeed, type ParticipantOptions } from './participant-feed.ts'

/** How a recording is asked for; the room is given apart. */
export type StartRecordingOptions = Partial<Omit<StartRequest, 'roomId'>>

/**
 * Every setting of `tapedeck serve` that is not about its doors: `recordDir`, `dataDir`, `redis`, `maxRecordings`, `ffmpeg`…
 * Nothing is recorded by itself, and nothing listens.
 */
export type RecordingEngineOptions = Omit<
  ServerOptions,
  'rtmp' | 'rtmps' | 'http' | 'recordAll' | 'tlsCert' | 'tlsKey' | WebrtcSettingName
>

/** What a `RecordingEngine` tells. Each carries the recording as it stands when the listener is called. */
export interface RecordingEngineEvents {
  recordingStarted: [recording: RecordingObject]
  recordingPaused: [recording: RecordingObject]
  recordingResumed: [recording: RecordingObject]
  recordingStopped: [recording: RecordingObject]
  recordingCancelled: [recording: RecordingObject]
  /** Every few seconds while it records. */
  recordingProgress: [recording: RecordingObject]
  /** Its files are finished, or worked on: see `progress`. */
  recordingProcessing: [recording: RecordingObject]
  /** Again when a job that had failed was tried anew, and is done. */
  recordingCompleted: [recording: RecordingObject]
  /** See `error`. */
  recordingFailed: [recording: RecordingObject]
  thumbnailsGenerated: [recording: RecordingObject]
  recordingUploaded: [recording: RecordingObject]
  /** What was to be told could not be read. Without a listener it is logged alone. */
  warning: [error: Error]
}

const NAMES: Readonly<Record<string, Exclude<keyof RecordingEngineEvents, 'warning'>>> = {
  recording_started: 'recordingStarted',
  recording_paused: 'recordingPaused',
  recording_resumed: 'recordingResumed',
  recording_stopped: 'recordingStopped',
  recording_cancelled: 'recordingCancelled',
  recording_progress: 'recordingProgress',
  recording_processing: 'recordingProcessing',
  recording_completed: 'recordingCompleted',
  recording_failed: 'recordingFailed',
  thumbnails_generated: 'thumbnailsGenerated',
  recording_uploaded: 'recordingUploaded',
}
/** Entries per page, and the most that one call gives. */
const PAGE = 500
const MAX_LISTED = 10_000

/**
 * Recordings inside a media server of yours: participants whose frames you hand over, recordings of their rooms, files that
 * survive. State, manifests, recovery, jobs and limits are those of the server; two engines, or an engine and a server, may
 * share them.
 */
export class RecordingEngine extends EventEmitter<RecordingEngineEvents> {
  readonly #server: TapedeckServer
  readonly #logger: Logger | undefined
  readonly #chunks = new Map<string, ChunkFeed>()
  #unfollow: () => void = () => undefined
  /** Events are told one after the other. */
  #telling: Promise<void> = Promise.resolve()

  private constructor(settings: Settings, logger: Logger | undefined) {
    super()
    this.#logger = logger
    this.#server = new TapedeckServer(settings, logger)
  }

  /**
   * Opens the state, and mends in the background what a crash left.
   * @throws OptionsError when an option cannot be used
   * @throws StateError, SecretError when the data directory cannot be used
   */
  static async open(options: RecordingEngineOptions & { readonly logger?: Logger } = {}): Promise<RecordingEngine> {
    const { logger, ...given } = options
    const doors = { rtmp: 'off', http: 'off', recordAll: false } as const
    const settings = parseOptions('RecordingEngine.open', settingsSchema, { ...given, ...doors })
    const engine = new RecordingEngine(settings, logger)
    await engine.#server.start()
    engine.#unfollow = engine.#server.events.follow((event) => engine.#tell(event))
    return engine
  }

  /**
   * Somebody joins a room. What is recorded there takes this participant in.
   * @throws OptionsError, BadNameError, NameBusyError, LimitError
   */
  participant(roomId: string, participantId: string, options: ParticipantOptions): ParticipantFeed {
    return new ParticipantFeed(this.#server.hub, roomId, participantId, options)
  }

  /**
   * Takes a chunk of what a browser's `MediaRecorder` made of a participant: WebM or fragmented MP4, cut anywhere, in order.
   * Resolves once it is on disk. `kind` tells recorders of one participant apart, and names their tracks: camera, screen,
   * microphone. The participant is there from the first chunk to `endChunks`, or 30 s (`uploadIdle`) after the last one.
   * @throws RecordingMissingError, NameBusyError, LimitError, UploadBusyError, UploadEndedError, ChunkSizeError (4 MB), StorageError
   */
  async addChunk(recordingId: string, participantId: string, chunk: Uint8Array, kind = 'camera'): Promise<void> {
    await (await this.#chunksOf(recordingId, participantId, kind)).add(chunk)
  }

  /** Nothing follows. Resolves once the recording has been given all of it. Throws like `addChunk`. */
  async endChunks(recordingId: string, participantId: string, kind = 'camera'): Promise<void> {
    const feed = await this.#chunksOf(recordingId, participantId, kind)
    await feed.end()
    this.#chunks.delete(JSON.stringify([recordingId, participantId, kind]))
  }

  /** Throws like `RecordingControl.start`. */
  async startRecording(roomId: string, options: StartRecordingOptions = {}): Promise<RecordingObject> {
    return (await this.#server.control.start({ userId: null, ...options, roomId })).recording
  }

  /** Resolves when no further frame is taken; `recordingCompleted` follows. @throws RecordingMissingError, IllegalMoveError */
  async stopRecording(id: string): Promise<RecordingObject> {
    return (await this.#server.control.stop(id)).recording
  }

  /** @throws RecordingMissingError, IllegalMoveError */
  async pauseRecording(id: string): Promise<RecordingObject> {
    return (await this.#server.control.pause(id)).recording
  }

  /** @throws RecordingMissingError, IllegalMoveError */
  async resumeRecording(id: string): Promise<RecordingObject> {
    return (await this.#server.control.resume(id)).recording
  }

  /** Resolves when nothing of it is left on disk. @throws RecordingMissingError, IllegalMoveError */
  async cancelRecording(id: string): Promise<RecordingObject> {
    return (await this.#server.control.cancel(id)).recording
  }

  /** Resolves once it is completed, failed or cancelled. @throws RecordingMissingError */
  async finished(id: string): Promise<RecordingObject> {
    return (await this.#server.control.finished(id)).recording
  }

  /** Undefined when there is none. @throws StateAwayError */
  async getRecordingInfo(id: string): Promise<RecordingObject | undefined> {
    try {
      return (await this.#server.control.get(id)).recording
    } catch (error) {
      if (error instanceof RecordingMissingError) return undefined
      throw error
    }
  }

  /** Newest first, at most 10,000. @throws StateAwayError */
  getRoomRecordings(roomId: string): Promise<RecordingObject[]> {
    return this.#list({ room: roomId })
  }

  /** Newest first, at most 10,000. @throws StateAwayError */
  getUserRecordings(userId: string): Promise<RecordingObject[]> {
    return this.#list({ user: userId })
  }

  /** With all its files. @throws RecordingMissingError, RecordingLiveError, HeldError */
  deleteRecording(id: string): Promise<void> {
    return this.#server.control.remove(id)
  }

  /** Deletes recordings that ended longer ago and are not on hold. Returns how many. @throws StateAwayError */
  cleanupOldRecordings(olderThanMs: number): Promise<number> {
    return this.#server.control.cleanUp(olderThanMs)
  }

  /** Ends every participant, finishes all recordings within `deadlineMs` (30 s by default), closes the state. Idempotent. */
  async close(options: { readonly deadlineMs?: number } = {}): Promise<void> {
    await this.#server.stop(options)
    this.#unfollow()
    await this.#telling
  }

  async #chunksOf(recordingId: string, participantId: string, kind: string): Promise<ChunkFeed> {
    const key = JSON.stringify([recordingId, participantId, kind])
    const known = this.#chunks.get(key)
    if (known !== undefined) return known
    const { room_id: room } = (await this.#server.control.get(recordingId)).recording
    const made = this.#chunks.get(key)
    if (made !== undefined) return made
    const address = { room, participant: participantId }
    const feed = new ChunkFeed(this.#server.uploads, address, randomUUID(), kind)
    this.#chunks.set(key, feed)
    return feed
  }

  async #list(of: Pick<RecordingQuery, 'room' | 'user'>): Promise<RecordingObject[]> {
    const found: RecordingObject[] = []
    let cursor: string | undefined
    do {
      const page = await this.#server.control.list({ ...of, ...(cursor === undefined ? {} : { cursor }), limit: PAGE })
      found.push(...page.entries.map(({ recording }) => recording))
      cursor = page.next
    } while (cursor !== undefined && found.length < MAX_LISTED)
    return found
  }

  #tell(event: StoredEvent): void {
    const name = NAMES[event.type]
    const id = event.recording_id
    if (name === undefined || id === null || this.listenerCount(name) === 0) return
    this.#telling = this.#telling.then(async () => {
      try {
        const recording = await this.getRecordingInfo(id)
        if (recording !== undefined) this.emit(name, recording)
      } catch (error) {
        this.#warn(error)
      }
    })
  }

  #warn(error: unknown): void {
    this.#logger?.warn({ err: error }, 'an event of a recording could not be told')
    if (this.listenerCount('warning') === 0) return
    const code = error instanceof TapedeckError ? error.code : 'INTERNAL'
    this.emit('warning', error instanceof Error ? error : new Error(`${code}: ${String(error)}`))
  }
}
