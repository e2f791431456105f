import type { Format } from '../container/reader.ts'
import type { Frame } from '../media/frame.ts'
import type { Chapter, Muxer } from '../media/ports.ts'
import type { Track } from '../media/track.ts'
import type { OutputFile } from '../storage/ports.ts'
import { type AskedFormat, holds } from './format-choice.ts'
import type { PartReason } from './segmenter.ts'

/** Index entries of a finished file, bytes per frame at most (MP4: stsz 4, ctts 8, stts, stss, stco). */
const INDEX_BYTES_PER_FRAME = 16

/** What is known of a part before its first byte. */
export interface PartIdentity {
  /** Of the journal entry: unique for ever. */
  readonly id: string
  /** From 1. */
  readonly index: number
  readonly format: Format
  /** What was asked for; `format` is what holds the tracks. */
  readonly askedFormat: AskedFormat
  readonly reason: PartReason
  readonly room: string
  readonly participant: string
  /** Wall clock, ms since 1970. */
  readonly createdAtMs: number
}

/** The life of a part. `torn`: left unfinished, playable, in the journal; `removed`: it was empty, or the recording cancelled. */
export type PartState = 'open' | 'finishing' | 'finalised' | 'repaired' | 'torn' | 'removed'

/** One file of a recording: a muxer on an output file. Times are the part's own, from 0. */
export class Part {
  readonly identity: PartIdentity
  readonly path: string
  /** Let go of when the part is closed, with all the index it holds. */
  #writing: { readonly muxer: Muxer; readonly file: OutputFile } | undefined
  readonly #tracks = new Map<number, Track>()
  /** The muxer holds frames back and lets go of them in batches. */
  #inBatches = false
  #framesAtTick = 0
  #framesFlushed = 0
  #frontUsFlushed = 0
  state: PartState = 'open'
  /** µs of the recording at which this part's time begins; undefined before its first frame. */
  zeroUs: number | undefined
  /** µs of the recording up to which this part goes; for the report. */
  endUs = 0
  frames = 0
  mediaBytes = 0
  /** As the file was closed. */
  finalBytes: number | undefined
  /** Why it ended before its time. */
  fault: Error | undefined
  /** The path leads elsewhere, or nowhere. */
  gone = false
  /** What is to be found in it by name, asked when it is finished. */
  chapters: (() => readonly Chapter[]) | undefined
  warnedOverdue = false

  /** Writes the header. */
  constructor(identity: PartIdentity, muxer: Muxer, file: OutputFile, tracks: readonly Track[]) {
    this.identity = identity
    this.path = file.path
    this.#writing = { muxer, file }
    for (const track of tracks) this.#tracks.set(track.id, track)
    muxer.start(tracks)
    file.commit()
  }

  get backlogBytes(): number {
    return this.#writing === undefined ? 0 : this.#writing.file.backlogBytes
  }
  get failure(): Error | undefined {
    return this.#writing?.file.failure
  }
  get tracks(): readonly Track[] {
    return [...this.#tracks.values()]
  }
  /** At least what the file will be once finished. */
  get sizeBytes(): number {
    const position = this.finalBytes ?? this.#writing?.file.position ?? 0
    return this.finalBytes ?? Math.max(position, this.mediaBytes) + this.frames * INDEX_BYTES_PER_FRAME
  }

  /** Whose call it is when the file fails, or has taken what was too much. */
  listen(listener: { onFailure(error: Error): void; onDrain(): void }): void {
    if (this.#writing === undefined) return
    this.#writing.file.onFailure = (error) => listener.onFailure(error)
    this.#writing.file.onDrain = () => listener.onDrain()
  }

  /** Whether `track`, in this very configuration, is announced. */
  holds(track: Track): boolean {
    return this.#tracks.get(track.id) === track
  }

  /** Announces a late track or a new configuration, if the container can go on with it. */
  admit(track: Track): boolean {
    const muxer = this.#writing?.muxer
    if (!holds(this.identity.format, track) || muxer?.accepts(track) !== true) return false
    muxer.add(track)
    this.#tracks.set(track.id, track)
    return true
  }

  write(frame: Frame): void {
    const writing = this.#writing
    if (writing === undefined) return
    const { muxer, file } = writing
    this.frames++
    this.mediaBytes += frame.sizeBytes
    const { position } = file
    muxer.write(frame)
    if (file.position === position) this.#inBatches = true
    else if (this.#inBatches)
      file.flush() // has been gathered once already
    else file.commit()
  }

  /**
   * Called twice a second: sees to it that nothing stays behind in the muxer for longer than a second, also when media
   * stalls. `frontUs` is how far the recording has come: while that advances, muxers send off by themselves.
   */
  tick(frontUs: number): void {
    const idle = this.frames === this.#framesAtTick
    this.#framesAtTick = this.frames
    if (this.frames === this.#framesFlushed || this.failure !== undefined) return
    const advances = frontUs - this.#frontUsFlushed > 250_000
    this.#frontUsFlushed = frontUs
    if (idle || !advances) this.flush()
  }

  /** Everything written so far goes to the operating system. */
  flush(): void {
    const writing = this.#writing
    if (writing === undefined) return
    this.#framesFlushed = this.frames
    writing.muxer.flush()
    writing.file.commit()
    writing.file.flush()
  }

  /** Whether the path still leads to this file. */
  async inPlace(): Promise<boolean> {
    return this.#writing === undefined || this.#writing.file.inPlace()
  }

  /** Completes the file, with `chapters`, and closes it. Throws what writing threw. */
  async finish(chapters: readonly Chapter[] = []): Promise<void> {
    const writing = this.#writing
    if (writing === undefined) return
    await writing.muxer.finish(chapters)
    writing.file.commit()
    await writing.file.close()
    this.#letGo(writing.file)
  }

  /** Closes the file as it is. Never throws. */
  async abandon(): Promise<void> {
    const writing = this.#writing
    if (writing === undefined) return
    await writing.file.abort()
    this.#letGo(writing.file)
  }

  #letGo(file: OutputFile): void {
    this.finalBytes = file.position
    file.onDrain = file.onFailure = undefined
    this.#writing = undefined
  }
}
