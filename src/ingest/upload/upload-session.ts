import { TapedeckError } from '../../media/errors.ts'
import type { Logger } from '../../media/ports.ts'
import type { Replay } from '../../media/replay.ts'
import { MAX_CHUNK_BYTES } from './chunk-directory.ts'
import { type ChunkSpool, MAX_ROW } from './chunk-spool.ts'
import { ChunkCutError, ChunkSizeError, UploadBusyError, UploadEndedError } from './errors.ts'
import { ReplayCollector } from './replay-collector.ts'
import { KEPT_AFTER_MS, UploadReading, type UploadStream } from './upload-reading.ts'

/** What has come in a row and was not handed over yet, bytes: a minute of 8 Mbit/s. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024

/** A piece of what a browser's `MediaRecorder` made. */
export interface Chunk {
  /** From 0. */
  readonly seq: number
  /** Of its bytes, hexadecimal. */
  readonly sha256: string
  /** Nothing follows. */
  readonly isFinal: boolean
  /** In pieces, as they come. */
  readonly body: AsyncIterable<Uint8Array>
}

/** How an upload stands. */
export interface UploadStatus {
  readonly session: string
  readonly state: 'open' | 'ended' | 'failed'
  /** The first chunk that has not come. */
  readonly nextSeq: number
  /** Those that came before their turn. */
  readonly early: readonly number[]
  readonly problem: string | undefined
}

/** One upload: its chunks come in, in any order, and are read into a stream, in theirs. */
export class UploadSession {
  readonly spool: ChunkSpool
  readonly #logger: Logger
  readonly #now: () => number
  readonly #arriving = new Map<number, Promise<number>>()
  #reading: UploadReading | undefined
  #read: Promise<void> = Promise.resolve()
  #arrivingBytes = 0
  /** When it was read to its end, while that is not on disk. */
  #endedAtMs: number | undefined
  /** When the last chunk came, monotonic ms. */
  heardAtMs: number

  constructor(spool: ChunkSpool, logger: Logger, now: () => number) {
    this.spool = spool
    this.#logger = logger
    this.#now = now
    this.heardAtMs = now()
  }

  get id(): string {
    return this.spool.facts.session
  }
  get isOpen(): boolean {
    return this.spool.facts.state === 'open'
  }
  /** It is being read into a stream. */
  get isLive(): boolean {
    return this.#reading !== undefined
  }
  /** When the media was recorded that is read next, on our wall clock, ms since 1970. */
  get nextAtMs(): number {
    const { facts, position } = this.spool
    return facts.beganAtMs + Math.max(0, position.fromMs)
  }
  /** Nothing that came waits to be handed over. */
  get isIdle(): boolean {
    return this.#arriving.size === 0 && this.#reading?.isWaiting !== false
  }
  /** There is something that was not read, or is to be told as the end. */
  get hasMore(): boolean {
    return this.isOpen && (this.spool.hasUnread || this.spool.isComplete)
  }
  /** On its way, or before its turn, bytes. */
  get inFlightBytes(): number {
    return this.#arrivingBytes + this.spool.earlyBytes
  }
  get status(): UploadStatus {
    const { session, state, problem } = this.spool.facts
    return { session, state, nextSeq: this.spool.next, early: this.spool.early, problem }
  }

  /**
   * Whether that chunk came already; then it is not looked at again.
   * @throws ChunkConflictError
   */
  has({ seq, sha256 }: Chunk): boolean {
    return this.spool.has(seq, sha256)
  }

  /**
   * Takes a chunk: resolves once it is on disk, with how large it is, bytes; undefined where it was there already. `demand` is
   * called as it comes, and throws when it is too much with all that is in flight.
   * @throws UploadEndedError, UploadBusyError, ChunkConflictError, ChunkSizeError, ChunkChecksumError, ChunkCutError, StorageError
   */
  async take(chunk: Chunk, demand: () => void): Promise<number | undefined> {
    const { seq, sha256, isFinal } = chunk
    await this.#arriving.get(seq)?.catch(() => undefined) // the same, sent again before it was answered
    if (this.has(chunk)) return undefined
    const { state, problem } = this.spool.facts
    if (state !== 'open') throw new UploadEndedError(this.id, problem ?? 'its last chunk has come')
    if (this.spool.isFull) throw new UploadBusyError('chunks that wait to be recorded', MAX_ROW)
    const waitingBytes = this.spool.endOffset - Math.max(this.#reading?.readEnd ?? 0, this.spool.position.firstOffset)
    if (waitingBytes > MAX_WAITING_BYTES) throw new UploadBusyError('bytes that wait to be recorded', MAX_WAITING_BYTES)
    this.heardAtMs = this.#now()
    const taking = this.spool.take(seq, sha256, isFinal, this.#counted(seq, chunk.body, demand))
    this.#arriving.set(seq, taking)
    try {
      return await taking
    } finally {
      this.#arriving.delete(seq)
      this.heardAtMs = this.#now()
    }
  }

  /** Reads it into `stream`, from its position on. `onEnd`: it was read to its end, or cannot be read. */
  begin(stream: UploadStream, shiftMs: number, onEnd: () => void): void {
    const reading = new UploadReading(this.spool, stream, shiftMs, this.#now)
    this.#reading = reading
    this.#read = this.#run(reading, onEnd)
  }

  /** What `begin` would hand over of what has come so far, up to a bound. Nothing where it cannot be read. */
  async replay(): Promise<Replay> {
    const collector = new ReplayCollector()
    const reading = new UploadReading(this.spool, collector, 0, this.#now)
    collector.onFull = () => reading.stop()
    await reading.runSoFar().catch(() => undefined)
    return collector.frames
  }

  /** Removes what is surely in the files. `isStopping`: recordings are finished now. */
  async settle(isStopping = false): Promise<void> {
    await this.#reading?.settle()
    const waitMs = isStopping ? 0 : KEPT_AFTER_MS
    if (this.#endedAtMs === undefined || this.#now() - this.#endedAtMs < waitMs) return
    this.#endedAtMs = undefined
    await this.spool.change({ state: 'ended' })
    await this.spool.empty()
  }

  /** Resolves when nothing is read any more: to its end, or since its stream ended. */
  done(): Promise<void> {
    return this.#read
  }

  /** Its stream has ended: the next one goes on from the last keyframe. */
  async park(): Promise<void> {
    const reading = this.#reading
    this.#reading = undefined
    reading?.stop()
    await this.#read
    if (this.isOpen) await reading?.settleAll()
  }

  async #run(reading: UploadReading, onEnd: () => void): Promise<void> {
    try {
      const isAll = await reading.run()
      if (!isAll || !this.spool.isComplete) return
      this.spool.end()
      this.#endedAtMs = this.#now()
    } catch (error) {
      await this.#fail(error)
    }
    if (this.#reading === reading) this.#reading = undefined
    onEnd()
  }

  async #fail(error: unknown): Promise<void> {
    const { room, participant, session } = this.spool.facts
    const problem =
      error instanceof TapedeckError ? `${error.code}: ${error.message}` : 'it could not be read from the disk'
    this.#logger.warn({ room, participant, session, err: error }, 'an upload cannot be read')
    await this.spool.change({ state: 'failed', problem: problem.slice(0, 1000) }).catch(() => undefined)
  }

  async *#counted(seq: number, body: AsyncIterable<Uint8Array>, demand: () => void): AsyncGenerator<Uint8Array> {
    let bytes = 0
    try {
      for await (const piece of body) {
        bytes += piece.length
        this.#arrivingBytes += piece.length
        if (bytes > MAX_CHUNK_BYTES) throw new ChunkSizeError(seq, MAX_CHUNK_BYTES)
        demand()
        yield piece
      }
    } catch (error) {
      throw error instanceof TapedeckError ? error : new ChunkCutError(seq)
    } finally {
      this.#arrivingBytes -= bytes
    }
  }
}
