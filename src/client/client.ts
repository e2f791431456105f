import type { OperationId } from '../api/rest/operations.ts'
import type { RouteAnswer, RouteInput } from '../api/rest/routes.ts'
import type { TapedeckEvent } from '../events/event.ts'
import { type CallOptions, type ClientOptions, Connection, type Query } from './connection.ts'
import { type EventOptions, eventStream, type ReplayGap } from './event-stream.ts'

type Body<Id extends OperationId> = NonNullable<RouteInput<Id>['body']>
type JsonAnswer<Id extends OperationId> = Promise<RouteAnswer<Id>>

/** How a recording is asked for. */
export type StartOptions = Body<'startRecording'>
/** Which recordings of a room. */
export type RoomListOptions = Omit<RouteInput<'listRoomRecordings'>['query'], 'limit'> & { readonly limit?: number }
/** Which recordings. */
export type ListOptions = Omit<RouteInput<'listRecordings'>['query'], 'limit'> & { readonly limit?: number }
/** Which jobs. */
export type JobListOptions = Omit<RouteInput<'listJobs'>['query'], 'limit'> & { readonly limit?: number }
/** Which deliveries of webhooks. */
export type DeliveryListOptions = Omit<RouteInput<'listDeliveries'>['query'], 'limit'> & { readonly limit?: number }
/** Which chunk of which upload; its checksum is made by the client. */
export type ChunkOptions = Omit<RouteInput<'uploadChunk'>['query'], 'sha256' | 'seq' | 'token' | 'start' | 'sent'> & {
  readonly seq: number
  /** When the media of the chunk began, and when it is sent, by one clock, ms. */
  readonly start?: number
  readonly sent?: number
}
/** A recording as the API tells it. */
export type Recording = RouteAnswer<'getRecordingStatus'>

/**
 * The REST API of a tapedeck, one method for each operation, for Node and browsers. All throw `ApiError` for what the server
 * refuses, and what `fetch` throws when it cannot be reached.
 */
export class TapedeckClient {
  readonly #connection: Connection

  constructor(options: ClientOptions) {
    this.#connection = new Connection(options)
  }

  /** Records a room: everybody in it, also those who come later, or only `participants`. */
  startRecording(room: string, options: StartOptions = {}, call?: CallOptions): JsonAnswer<'startRecording'> {
    return this.#json('startRecording', [room], { ...call, body: options })
  }

  /** Resolves as soon as no more is taken; `completed` comes later, as an event. */
  stopRecording(room: string, id: string, call?: CallOptions): JsonAnswer<'stopRecording'> {
    return this.#json('stopRecording', [room, id], call)
  }

  /** What is sent from now on is not kept. */
  pauseRecording(room: string, id: string, call?: CallOptions): JsonAnswer<'pauseRecording'> {
    return this.#json('pauseRecording', [room, id], call)
  }

  /** Goes on in the same files, without a hole. */
  resumeRecording(room: string, id: string, call?: CallOptions): JsonAnswer<'resumeRecording'> {
    return this.#json('resumeRecording', [room, id], call)
  }

  /** Gives up: nothing is left on disk. */
  cancelRecording(room: string, id: string, call?: CallOptions): JsonAnswer<'cancelRecording'> {
    return this.#json('cancelRecording', [room, id], call)
  }

  /** How a recording stands, with live figures. */
  getRecordingStatus(room: string, id: string, call?: CallOptions): JsonAnswer<'getRecordingStatus'> {
    return this.#json('getRecordingStatus', [room, id], call)
  }

  /** One page of a room's recordings, newest first. */
  listRoomRecordings(room: string, query: RoomListOptions = {}, call?: CallOptions): JsonAnswer<'listRoomRecordings'> {
    return this.#json('listRoomRecordings', [room], { ...call, query })
  }

  /** One page of one's own recordings, newest first; of others with `all` or `user`, as far as the role reaches. */
  listRecordings(query: ListOptions = {}, call?: CallOptions): JsonAnswer<'listRecordings'> {
    return this.#json('listRecordings', [], { ...call, query })
  }

  /** Every recording that `listRecordings` would give, page by page. */
  async *eachRecording(query: ListOptions = {}, call?: CallOptions): AsyncGenerator<Recording, void, undefined> {
    let cursor = query.cursor
    do {
      const page = await this.listRecordings({ ...query, cursor }, call)
      yield* page.recordings
      cursor = page.next_cursor ?? undefined
    } while (cursor !== undefined)
  }

  /** One recording in full: with its markers, jobs, hold. */
  getRecording(id: string, call?: CallOptions): JsonAnswer<'getRecording'> {
    return this.#json('getRecording', [id], call)
  }

  /** With all its files. */
  async deleteRecording(id: string, call?: CallOptions): Promise<void> {
    await this.#connection.request('deleteRecording', [id], call)
  }

  /** Its files, pictures included. */
  listFiles(id: string, call?: CallOptions): JsonAnswer<'listFiles'> {
    return this.#json('listFiles', [id], call)
  }

  /** A file's bytes, as the answer that brings them; `range` such as `bytes=0-499`. */
  downloadFile(
    id: string,
    fileId: string,
    { range, ...call }: CallOptions & { readonly range?: string } = {},
  ): Promise<Response> {
    return this.#connection.request('downloadFile', [id, fileId], {
      ...call,
      ...(range === undefined ? {} : { headers: { range } }),
    })
  }

  /** A link that needs no token, for a while. */
  async createFileLink(
    id: string,
    fileId: string,
    options: Body<'createFileLink'> = {},
    call?: CallOptions,
  ): JsonAnswer<'createFileLink'> {
    const link = await this.#json('createFileLink', [id, fileId], { ...call, body: options })
    return { ...link, url: new URL(link.url, this.#connection.mount).href }
  }

  /** Its pictures. */
  listThumbnails(id: string, call?: CallOptions): JsonAnswer<'listThumbnails'> {
    return this.#json('listThumbnails', [id], call)
  }

  /** What was lost, and why. */
  getReport(id: string, call?: CallOptions): JsonAnswer<'getReport'> {
    return this.#json('getReport', [id], call)
  }

  /** Its markers, as they were set. */
  listMarkers(id: string, call?: CallOptions): JsonAnswer<'listMarkers'> {
    return this.#json('listMarkers', [id], call)
  }

  /** Marks a moment: now, or `at_ms` on the recording's clock. */
  addMarker(id: string, marker: Body<'addMarker'>, call?: CallOptions): JsonAnswer<'addMarker'> {
    return this.#json('addMarker', [id], { ...call, body: marker })
  }

  /** Keeps it from retention and deletion. */
  holdRecording(id: string, call?: CallOptions): JsonAnswer<'holdRecording'> {
    return this.#json('holdRecording', [id], call)
  }

  /** Takes it off hold. */
  releaseRecording(id: string, call?: CallOptions): JsonAnswer<'releaseRecording'> {
    return this.#json('releaseRecording', [id], call)
  }

  /** Rooms in which something is going on. */
  listRooms(call?: CallOptions): JsonAnswer<'listRooms'> {
    return this.#json('listRooms', [], call)
  }

  /** Who is in a room, and what records it. */
  getRoom(room: string, call?: CallOptions): JsonAnswer<'getRoom'> {
    return this.#json('getRoom', [room], call)
  }

  /** Who publishes in a room, with live figures. */
  listParticipants(room: string, call?: CallOptions): JsonAnswer<'listParticipants'> {
    return this.#json('listParticipants', [room], call)
  }

  /** Ends the connection of a publisher. */
  async disconnectParticipant(room: string, participant: string, call?: CallOptions): Promise<void> {
    await this.#connection.request('disconnectParticipant', [room, participant], call)
  }

  /** A chunk of what was recorded elsewhere: on disk once this resolves. The same one again changes nothing. */
  async uploadChunk(
    room: string,
    participant: string,
    chunk: ChunkOptions,
    bytes: Uint8Array<ArrayBuffer>,
    call?: CallOptions,
  ): JsonAnswer<'uploadChunk'> {
    const sum = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
    const sha256 = Array.from(sum, (byte) => byte.toString(16).padStart(2, '0')).join('')
    return this.#json('uploadChunk', [room, participant], { ...call, query: { ...chunk, sha256 }, bytes })
  }

  /** Which chunks of an upload have come. */
  getUpload(room: string, participant: string, session: string, call?: CallOptions): JsonAnswer<'getUpload'> {
    return this.#json('getUpload', [room, participant], { ...call, query: { session } })
  }

  /** Work after the stop, newest first. */
  listJobs(query: JobListOptions = {}, call?: CallOptions): JsonAnswer<'listJobs'> {
    return this.#json('listJobs', [], { ...call, query })
  }

  /** Tries a dead or cancelled job anew. */
  retryJob(jobId: string, call?: CallOptions): JsonAnswer<'retryJob'> {
    return this.#json('retryJob', [jobId], call)
  }

  /** Cancels a job, also one that is running. */
  cancelJob(jobId: string, call?: CallOptions): JsonAnswer<'cancelJob'> {
    return this.#json('cancelJob', [jobId], call)
  }

  /** What became of webhooks in the last days, newest first. */
  listDeliveries(query: DeliveryListOptions = {}, call?: CallOptions): JsonAnswer<'listDeliveries'> {
    return this.#json('listDeliveries', [], { ...call, query })
  }

  /** Sends a webhook that was taken or given up again, under the same id. */
  async replayDelivery(deliveryId: string, call?: CallOptions): Promise<void> {
    await this.#connection.request('replayDelivery', [deliveryId], call)
  }

  /** Version, capacity, disk. */
  getServer(call?: CallOptions): JsonAnswer<'getServer'> {
    return this.#json('getServer', [], call)
  }

  /** The OpenAPI 3.1 document. */
  getOpenApi(call?: CallOptions): JsonAnswer<'getOpenApi'> {
    return this.#json('getOpenApi', [], call)
  }

  /** The HTML of the page that shows it. */
  async getDocs(call?: CallOptions): Promise<string> {
    return (await this.#connection.request('getDocs', [], call)).text()
  }

  /**
   * Events as they happen, each once and in order; after a lost connection it goes on where it was. Leaving the loop, or
   * `signal`, ends it.
   */
  events(options: EventOptions = {}): AsyncGenerator<TapedeckEvent | ReplayGap, void, undefined> {
    return eventStream(this.#connection, options)
  }

  async #json<Id extends OperationId>(
    id: Id,
    path: readonly string[],
    more: CallOptions & { query?: Query; body?: unknown; bytes?: Uint8Array<ArrayBuffer> } = {},
  ): JsonAnswer<Id> {
    const response = await this.#connection.request(id, path, more)
    return JSON.parse(await response.text())
  }
}
