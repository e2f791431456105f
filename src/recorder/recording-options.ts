import { isAbsolute, relative, resolve, sep } from 'node:path'
import type { StreamAddress } from '../live/stream.ts'
import type { AudioFormat } from '../state/recording-object.ts'
import type { RecordingMark } from './chapters.ts'
import type { AskedFormat } from './format-choice.ts'

/** What is to be recorded, and how. */
export interface RecordingOptions {
  readonly address: StreamAddress
  readonly format: AskedFormat
  /** Of sound alone, instead of `format`; the recorder's setting by default. */
  readonly audioFormat?: AudioFormat
  /** Instead of a name by the template. */
  readonly path?: string
  /** Where files with a name by the template go, instead of the recorder's directory; made when missing. */
  readonly directory?: string
  /** Written into the files; `room/participant` by default. */
  readonly title?: string
  /** How long a participant who has gone is waited for, to go on in the same file, ms; 0 by default: not at all. */
  readonly reconnectWindowMs?: number
  /**
   * `performance.now()` at which the clock began that this recording shares with others: offsets of files are on it. By
   * default with the first frame of this recording.
   */
  readonly zeroAtMs?: number
  /** Wall clock that file names carry, ms since 1970; when this recording was asked for by default. */
  readonly namedAtMs?: number
  /** Number of the first part, where there are files of the same name already; 1 by default. */
  readonly firstPart?: number
  /** A new part at the first keyframe after so much media; the recorder's setting by default. */
  readonly partDurationMs?: number
  /** A new part before this size; the recorder's setting by default. */
  readonly partSizeBytes?: number
  /** Named moments on the recording's clock, asked when a file is finished: they become its chapters. */
  readonly marks?: () => readonly RecordingMark[]
  /** Made because every stream is recorded, not because somebody asked. */
  readonly isAutomatic?: boolean
}

/** Whether its files go elsewhere than below `directory`. */
export function liesOutside(directory: string, options: RecordingOptions): boolean {
  if (options.path !== undefined) return true
  if (options.directory === undefined) return false
  const way = relative(directory, resolve(options.directory))
  return isAbsolute(way) || way.split(sep)[0] === '..'
}
