import { setTimeout as delay } from 'node:timers/promises'
import { sampleSpan } from '../../container/reader.ts'
import { Arena } from '../../media/arena.ts'
import { toMs } from '../../media/clock.ts'
import type { Track } from '../../media/track.ts'
import { StorageError } from '../../storage/errors.ts'
import type { ChunkSpool } from './chunk-spool.ts'
import type { UploadSample } from './demux-start.ts'
import { type GrowingBytes, GrowingWindow } from './growing-bytes.ts'
import { uploadSamples } from './upload-demuxer.ts'
import { type UploadTarget, UploadTrack } from './upload-track.ts'

/** What was handed over so long ago is in the files: at most 0.5 s lie in a fragment, and 0.6 s before the disk, ms. */
export const KEPT_AFTER_MS = 1500
/** Of sound alone, how often a place to begin again is noted, ms of media. */
const SOUND_STEP_MS = 1000
/** How often is looked whether the recorder takes more, ms. */
const HOLD_MS = 50
/** How often a disk that has no room is asked again, ms. */
const DISK_RETRY_MS = 500
/** Frames handed over before everybody else has a turn. */
const BATCH = 64
/** Frames of a track are read at least so much at a time, bytes. */
const READ_BYTES = 64 * 1024
/** Of the first Cluster's own header, which the reader of headers looks at, bytes. */
const BEYOND_HEADER_BYTES = 16

/** Where an upload is read into. */
export interface UploadStream extends UploadTarget {
  /** A recording cannot keep up: an upload can wait. */
  readonly isBehind: boolean
  flush(): void
  /** Resolves when a frame of `ms`, by the clock of the stream, may be handed over; undefined: at once. */
  turn(ms: number): Promise<void> | undefined
  /** Nothing more is to be handed over, for now or for good. */
  rest(): void
  /** An id for a further track. */
  trackId(): number
}

/** A track, and where its frames are read: those of one may lie far from the other's. */
type Lane = { readonly track: UploadTrack; readonly window: GrowingWindow }
/** A place to begin again, and when it was passed. */
type Mark = { readonly unitOffset: number; readonly fromMs: number; readonly atMs: number }

/** One reading of an upload into a stream: from where its position says, to its end, or until it is stopped. */
export class UploadReading {
  readonly #spool: ChunkSpool
  readonly #stream: UploadStream
  readonly #shiftMs: number
  readonly #now: () => number
  readonly #bytes: GrowingBytes
  readonly #arena = new Arena()
  readonly #lanes = new Map<string, Lane>()
  readonly #fromMs: number
  #marks: Mark[] = []
  #hasVideo = false
  #isStopped = false
  #isReplay = false
  #unflushed = 0
  #readEnd = 0
  /** All that has come was handed over. */
  isWaiting = false

  constructor(spool: ChunkSpool, stream: UploadStream, shiftMs: number, now: () => number) {
    this.#spool = spool
    this.#stream = stream
    this.#shiftMs = shiftMs
    this.#now = now
    this.#fromMs = spool.position.fromMs
    this.#bytes = spool.read()
    this.#bytes.onWait = () => this.#rest()
  }

  /** Everything before was handed over, bytes of the upload. */
  get readEnd(): number {
    return this.#readEnd
  }

  /** Resolves with whether everything was read; false when it was stopped. @throws what the media has wrong */
  async run(): Promise<boolean> {
    let headerBytes = 0
    const onHeader = (bytes: number) => (headerBytes = bytes)
    try {
      const { unitOffset } = this.#spool.position
      for await (const sample of uploadSamples(this.#bytes, { unitOffset, onHeader })) {
        if (headerBytes > 0) await this.#keepHeader(headerBytes)
        headerBytes = 0
        if (this.#isStopped) return false
        await this.#take(sample)
      }
      return !this.#isStopped
    } finally {
      this.#rest()
      this.#arena.close()
      await this.#bytes.close()
    }
  }

  /** As `run`, but for what has come already. @throws what the media has wrong */
  runSoFar(): Promise<boolean> {
    this.#isReplay = true
    this.#bytes.finish()
    return this.run()
  }

  /** Ends it where it is. Idempotent. */
  stop(): void {
    this.#isStopped = true
    this.#stream.rest()
    this.#bytes.finish()
  }

  /** Whatever was handed over early enough is in the files. */
  async settle(): Promise<void> {
    const lastMs = this.#now() - KEPT_AFTER_MS
    const kept = this.#stream.isBehind ? undefined : this.#marks.findLast(({ atMs }) => atMs <= lastMs)
    if (kept === undefined) return
    this.#marks = this.#marks.filter(({ atMs }) => atMs > kept.atMs)
    await this.#spool.advance({ ...kept, readEnd: kept.unitOffset })
  }

  /** It has ended with its stream: everything that was handed over is in the files, and another one begins at the last keyframe. */
  async settleAll(): Promise<void> {
    const { unitOffset, fromMs } = this.#marks.at(-1) ?? this.#spool.position
    await this.#spool.advance({ unitOffset, fromMs, readEnd: Math.max(this.#readEnd, unitOffset) })
  }

  async #take(sample: UploadSample): Promise<void> {
    this.isWaiting = false
    const ms = toMs(sample.dts, sample.track.timescale)
    if (ms < this.#fromMs) return
    const { track, window } = this.#laneOf(sample.track)
    const { alpha } = sample
    const span = sampleSpan(sample)
    if (!(await window.load(span.offset, span.size))) return // cut off at the end
    const turn = this.#stream.turn(ms + this.#shiftMs)
    if (turn !== undefined) await turn
    while (this.#stream.isBehind && !this.#isStopped) await delay(HOLD_MS)
    if (this.#isStopped) return
    const bytes = window.view(sample.offset, sample.size)
    const key = track.take(sample, bytes, this.#stream, alpha && window.view(alpha.offset, alpha.size))
    if (sample.track.kind === 'video') this.#hasVideo = true
    this.#readEnd = span.offset + span.size
    if (key) this.#mark(sample, ms)
    if (++this.#unflushed >= BATCH) {
      this.#flush()
      await delay(0)
    }
  }

  #laneOf(track: Track): Lane {
    const key = `${track.kind}${track.id}`
    let lane = this.#lanes.get(key)
    if (lane === undefined) {
      const label = track.label ?? labelOf(track, this.#spool.facts.label)
      const options = { id: this.#stream.trackId(), label, shiftMs: this.#shiftMs }
      lane = { track: new UploadTrack(track, options, this.#arena), window: new GrowingWindow(this.#bytes, READ_BYTES) }
      this.#lanes.set(key, lane)
    }
    return lane
  }

  #mark({ track, unitOffset }: UploadSample, fromMs: number): void {
    const last = this.#marks.at(-1)
    const isDue =
      track.kind === 'video' || (!this.#hasVideo && fromMs - (last?.fromMs ?? this.#fromMs) >= SOUND_STEP_MS)
    if (isDue) this.#marks.push({ unitOffset, fromMs, atMs: this.#now() })
  }

  /** Waits for a disk that takes nothing now: so does whatever is recorded. */
  async #keepHeader(headerBytes: number): Promise<void> {
    if (this.#isReplay || this.#spool.position.unitOffset > 0) return
    const header = await this.#bytes.read(0, headerBytes + BEYOND_HEADER_BYTES)
    while (!this.#isStopped) {
      try {
        await this.#spool.keepHeader(header)
        return
      } catch (error) {
        if (!(error instanceof StorageError)) throw error
      }
      await delay(DISK_RETRY_MS)
    }
  }

  #rest(): void {
    this.isWaiting = true
    this.#stream.rest()
    if (!this.#isStopped) this.#readEnd = this.#bytes.end
    this.#flush()
  }

  #flush(): void {
    this.#unflushed = 0
    this.#stream.flush()
  }
}

/** What comes with a camera's picture is a microphone's sound. */
function labelOf({ kind }: Track, label: string | undefined): string | undefined {
  return kind === 'audio' && label === 'camera' ? 'microphone' : label
}
