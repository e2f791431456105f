import type { Block } from './block.ts'
import type { Frame } from './frame.ts'
import type { Track } from './track.ts'

/**
 * A file being written, as a muxer sees it: everything is accepted at once and carried out in the order of the calls.
 * Failures do not throw here; they surface at `drain` and at whoever owns the sink.
 */
export interface ByteSink {
  /** Bytes accepted so far: the offset at which the next byte lands. */
  readonly position: number
  /**
   * Appends. `bytes` must stay as they are until written: with `block`, the sink retains it that long; without, the sink
   * takes a copy before it returns.
   */
  write(bytes: Uint8Array, block?: Block): void
  /** Overwrites what was appended before. Copies `bytes`. */
  patch(offset: number, bytes: Uint8Array): void
  /** Everything before reaches stable storage before anything after (fsync). */
  sync(): void
  /** Resolves when the backlog is small again; throws what writing threw. For bulk work such as finalising. */
  drain(): Promise<void>
}

/** A named place in a file. */
export interface Chapter {
  /** On the file's own time. */
  readonly startMs: number
  readonly title: string
}

/**
 * Turns tracks and frames into a container on a `ByteSink`. What is written is playable after every `write`, however the
 * file ends. Frames come in decoding order per track; time starts at 0 ticks and has been cleaned by the caller.
 */
export interface Muxer {
  start(tracks: readonly Track[]): void
  /** Whether `track` — one not announced before, or a new epoch of one that was — can go on in this file. */
  accepts(track: Track): boolean
  /** Announces a track that came late, or a new epoch. Only after `accepts` said yes. */
  add(track: Track): void
  write(frame: Frame): void
  /** Writes out media that is held back for interleaving or a fragment, so that a flush now loses nothing. */
  flush(): void
  /** Completes the file: index, duration, seekability, `chapters` where the container has any, ascending. Nothing may follow. */
  finish(chapters?: readonly Chapter[]): Promise<void>
}

/** Random access to a file that is being read. */
export interface ByteSource {
  readonly sizeBytes: number
  /** Up to `length` bytes from `offset`; fewer only at the end of the file. */
  read(offset: number, length: number): Promise<Uint8Array>
}

/** A file that is mended in place. */
export interface EditableFile extends ByteSource {
  write(offset: number, bytes: Uint8Array): Promise<void>
  truncate(sizeBytes: number): Promise<void>
  sync(): Promise<void>
}

/** Where log lines go; pino fits. Fields first, then the message. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}
