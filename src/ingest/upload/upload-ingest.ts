import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { streamAddress } from '../../live/address.ts'
import type { Hub } from '../../live/hub.ts'
import type { StreamAddress } from '../../live/stream.ts'
import { MisuseError } from '../../media/errors.ts'
import type { Logger } from '../../media/ports.ts'
import type { Replay } from '../../media/replay.ts'
import { ChunkDirectory } from './chunk-directory.ts'
import { ChunkSpool } from './chunk-spool.ts'
import { UploadBusyError, UploadMissingError } from './errors.ts'
import { MAX_OPEN_SESSIONS, UploadParticipant } from './upload-participant.ts'
import { type Chunk, UploadSession, type UploadStatus } from './upload-session.ts'
import { figuresOf, type UploadStats, UploadTotals } from './upload-stats.ts'

/** Bytes of one participant that are on their way or came before their turn. */
const MAX_IN_FLIGHT_BYTES = 10_000_000
/** Uploads that are known, of everybody: those that go on and those that may be resumed. */
const MAX_SESSIONS = 10_000
/** How long an upload that rests or has ended is known, ms: a day. */
const KEPT_MS = 86_400_000
const TICK_MS = 500
/** An age that a browser gives for a chunk is not believed beyond this, ms. */
const MAX_AGE_MS = 60_000

/** Frames that are noted of what earlier runs left, of all uploads together: some 30 MB. Of the others it is not known what comes again. */
const MAX_REPLAYED = 200_000

/** What uploads stand on. */
export interface UploadIngestOptions {
  readonly hub: Hub
  readonly logger: Logger
  /** Chunks are kept below this. */
  readonly directory: string
  /** Chunks are forced to the disk before they are acknowledged. */
  readonly isSynced: boolean
  /** After so long without a chunk an upload is lost, ms; it may be resumed. */
  readonly idleMs: number
  /** Asked before a chunk is taken. @throws when the disk has no room for it */
  demandRoom(): Promise<void>
  /** A monotonic clock, ms; `performance.now` by default. */
  readonly now?: () => number
}

/** Whose chunk it is. */
export interface UploadOrigin {
  /** Chosen by the browser: one for each `MediaRecorder`. */
  readonly session: string
  /** What a person would call it: camera, screen, microphone. */
  readonly label?: string | undefined
  /** For people and logs. */
  readonly peer?: string | undefined
  /** How long ago the media of the chunk began, by the browser's own clock, ms. */
  readonly ageMs?: number | undefined
}

/** An upload that an earlier run left, and what is read anew of it. */
interface Left {
  readonly participant: UploadParticipant
  readonly session: UploadSession
  readonly replay: Replay
}

/**
 * Takes what browsers record themselves (`MediaRecorder`), chunk by chunk, where WebRTC cannot be had. What was acknowledged is
 * on disk, and comes into the recordings: after an end of this process, too.
 */
export class UploadIngest {
  readonly #options: UploadIngestOptions
  readonly #now: () => number
  readonly #participants = new Map<string, UploadParticipant>()
  /** By directory: each upload is opened once. */
  readonly #opening = new Map<string, Promise<UploadSession>>()
  /** What an earlier run left is known. */
  readonly #opened = Promise.withResolvers<void>()
  /** By participant: what is read anew since this process began. */
  readonly #replays = new Map<string, Replay[]>()
  readonly #totals = new UploadTotals()
  #sessionCount = 0
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(options: UploadIngestOptions) {
    this.#options = options
    this.#now = options.now ?? (() => performance.now())
  }

  get stats(): UploadStats {
    return { ...figuresOf(this.#participants.values()), ...this.#totals.read(), known: this.#sessionCount }
  }

  /** Finds what an earlier run left, and reads on where something was not read. Chunks that come before wait for it. */
  async open(): Promise<void> {
    const names = await readdir(this.#options.directory).catch(() => [])
    const left: Left[] = []
    let replayed = 0
    for (const name of names.slice(0, MAX_SESSIONS)) {
      const found = await this.#find(name)
      if (found === undefined) continue
      replayed += found.replay.length
      left.push(replayed > MAX_REPLAYED ? { ...found, replay: [] } : found)
    }
    await Promise.all(left.map((each) => this.#readOn(each))) // those of one participant at the same time
    if (!this.#isClosed) this.#timer = setInterval(() => void this.#tick(), TICK_MS).unref()
    this.#opened.resolve()
  }

  /** What is read anew of a participant since `open`, for those who have some of it already. Waits for `open`. */
  async replays({ room, participant }: StreamAddress): Promise<readonly Replay[]> {
    await this.#opened.promise
    return this.#replays.get(keyOf(room, participant)) ?? []
  }

  /** Nobody asks for them any more. */
  forgetReplays(): void {
    this.#replays.clear()
  }

  /**
   * Takes a chunk of what `participant` in `room` records. It is on disk when this resolves. The same one again changes nothing.
   * @throws BadNameError, NameBusyError, LimitError
   * @throws UploadBusyError, UploadEndedError, ChunkConflictError, ChunkChecksumError, ChunkSizeError, ChunkCutError
   * @throws StorageError, and what `demandRoom` throws
   */
  async accept(address: StreamAddress, origin: UploadOrigin, chunk: Chunk): Promise<UploadStatus> {
    await this.#opened.promise
    const totals = this.#totals
    try {
      const { session, sizeBytes } = await this.#take(address, origin, chunk)
      if (sizeBytes === undefined) totals.repeatedChunks++
      else {
        totals.chunks++
        totals.bytes += sizeBytes
      }
      return session.status
    } catch (error) {
      totals.refuse(error)
      throw error
    }
  }

  /** @throws UploadMissingError */
  async status({ room, participant }: StreamAddress, session: string): Promise<UploadStatus> {
    await this.#opened.promise
    const found = this.#participants.get(keyOf(room, participant))?.sessions.get(session)
    if (found === undefined) throw new UploadMissingError(session)
    return found.status
  }

  /** Resolves when an upload whose last chunk has come was handed over to recordings, as far as it can be. */
  async done({ room, participant }: StreamAddress, session: string): Promise<void> {
    await this.#participants.get(keyOf(room, participant))?.sessions.get(session)?.done()
  }

  /** Ends all streams; what was not read is read after the next start. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#opened.resolve()
    clearInterval(this.#timer)
    const participants = [...this.#participants.values()]
    for (const participant of participants) participant.end('shutdown')
    await Promise.all(participants.map((participant) => participant.parked()))
    const sessions = participants.flatMap((participant) => [...participant.sessions.values()])
    await Promise.all(sessions.map((session) => session.settle(true)))
  }

  /** `sizeBytes`: undefined where the chunk was there already. */
  async #take(
    address: StreamAddress,
    origin: UploadOrigin,
    chunk: Chunk,
  ): Promise<{ readonly session: UploadSession; readonly sizeBytes: number | undefined }> {
    if (this.#isClosed) throw new MisuseError('uploads are closed')
    const participant = this.#participant(streamAddress(address.room, address.participant))
    participant.arriving++
    try {
      const session = await this.#session(participant, origin)
      if (session.has(chunk)) return { session, sizeBytes: undefined }
      await this.#options.demandRoom()
      if (session.isOpen) await participant.begin(session, origin.peer)
      const demand = () => {
        if (participant.inFlightBytes <= MAX_IN_FLIGHT_BYTES) return
        throw new UploadBusyError('bytes of one participant on their way', MAX_IN_FLIGHT_BYTES)
      }
      return { session, sizeBytes: await session.take(chunk, demand) }
    } finally {
      participant.arriving--
    }
  }

  #participant(address: StreamAddress): UploadParticipant {
    const key = keyOf(address.room, address.participant)
    let found = this.#participants.get(key)
    if (found === undefined) {
      const { hub, logger, idleMs } = this.#options
      found = new UploadParticipant(address, { hub, logger, idleMs, now: this.#now })
      this.#participants.set(key, found)
    }
    return found
  }

  #session(participant: UploadParticipant, origin: UploadOrigin): Promise<UploadSession> {
    const known = participant.sessions.get(origin.session)
    if (known !== undefined) return Promise.resolve(known)
    const { room, participant: name } = participant.address
    const path = join(this.#options.directory, nameOf(room, name, origin.session))
    let opening = this.#opening.get(path)
    if (opening === undefined) {
      opening = this.#create(participant, origin, path).finally(() => this.#opening.delete(path))
      this.#opening.set(path, opening)
    }
    return opening
  }

  async #create(participant: UploadParticipant, origin: UploadOrigin, path: string): Promise<UploadSession> {
    const open = [...participant.sessions.values()].filter(({ isOpen }) => isOpen).length
    if (open >= MAX_OPEN_SESSIONS) throw new UploadBusyError('uploads of one participant', MAX_OPEN_SESSIONS)
    if (this.#sessionCount >= MAX_SESSIONS) throw new UploadBusyError('uploads', MAX_SESSIONS)
    if (!participant.isLive) this.#options.hub.demandFree(participant.address)
    await this.#options.demandRoom()
    const { room, participant: name } = participant.address
    const { session, label, ageMs = 0 } = origin
    const spool = await ChunkSpool.create(new ChunkDirectory(path, this.#options.isSynced), {
      version: 1,
      room,
      participant: name,
      session,
      ...(label === undefined ? {} : { label }),
      beganAtMs: Date.now() - Math.min(Math.max(ageMs, 0), MAX_AGE_MS),
      state: 'open',
    })
    return this.#add(participant, spool)
  }

  #add(participant: UploadParticipant, spool: ChunkSpool): UploadSession {
    const session = new UploadSession(spool, this.#options.logger, this.#now)
    participant.sessions.set(session.id, session)
    this.#sessionCount++
    return session
  }

  /** What an earlier run left in a directory; undefined where nothing of it is to be read on. */
  async #find(name: string): Promise<Left | undefined> {
    const { directory, isSynced, logger } = this.#options
    try {
      const spool = await ChunkSpool.open(new ChunkDirectory(join(directory, name), isSynced))
      const participant = this.#participant(streamAddress(spool.facts.room, spool.facts.participant))
      const session = this.#add(participant, spool)
      return session.hasMore ? { participant, session, replay: await session.replay() } : undefined
    } catch (error) {
      logger.warn({ err: error, path: join(directory, name) }, 'what is left of an upload cannot be read on')
      return undefined
    }
  }

  async #readOn({ participant, session, replay }: Left): Promise<void> {
    const { room, participant: name } = participant.address
    try {
      await participant.begin(session, undefined)
      const key = keyOf(room, name)
      this.#replays.set(key, [...(this.#replays.get(key) ?? []), replay])
    } catch (error) {
      const fields = { err: error, room, participant: name, upload: session.id }
      this.#options.logger.warn(fields, 'what is left of an upload cannot be read on yet')
    }
  }

  async #tick(): Promise<void> {
    for (const [key, participant] of this.#participants) {
      try {
        await participant.tick()
        if (participant.arriving === 0) await this.#forget(participant)
        participant.isTroubled = false
      } catch (error) {
        const log = participant.isTroubled ? 'debug' : 'error' // a full disk is told of once
        participant.isTroubled = true
        this.#options.logger[log]({ err: error, ...participant.address }, 'an upload could not be settled')
      }
      if (participant.isEmpty) this.#participants.delete(key)
    }
  }

  /** Uploads of long ago, and the chunks of those that cannot be read. */
  async #forget(participant: UploadParticipant): Promise<void> {
    for (const [id, session] of participant.sessions) {
      if (session.isLive) continue
      const isUseless = session.status.state === 'failed' && session.spool.rowBytes + session.spool.earlyBytes > 0
      if (isUseless) await session.spool.empty()
      if (this.#now() - session.heardAtMs < KEPT_MS) continue
      participant.sessions.delete(id)
      this.#sessionCount--
      await session.spool.drop()
    }
  }
}

function keyOf(room: string, participant: string): string {
  return `${room.length}:${room}/${participant}`
}

/** Names are not paths. */
function nameOf(room: string, participant: string, session: string): string {
  return createHash('sha256')
    .update(JSON.stringify([room, participant, session]))
    .digest('hex')
    .slice(0, 40)
}
