import { TapedeckError } from '../../media/errors.ts'

/** ffmpeg, or ffprobe, is needed for this and cannot be started. */
export class FfmpegMissingError extends TapedeckError {
  readonly code = 'TD_FFMPEG_MISSING'
  readonly fault = 'host'

  constructor(command: string, options?: ErrorOptions) {
    super(
      `cannot start ${command}, which this needs; install it (Debian: apt install ffmpeg, macOS: brew install ffmpeg) or say where it is`,
      options,
    )
  }
}

/** The ffmpeg that was found is older than what this needs. */
export class FfmpegOutdatedError extends TapedeckError {
  readonly code = 'TD_FFMPEG_OUTDATED'
  readonly fault = 'host'

  constructor(command: string, version: string, needed: string) {
    super(`${command} is version ${version}, ${needed} or later is needed; install that, or say where it is (--ffmpeg)`)
  }
}

/** ffmpeg ended with an error; the end of what it said is in the message. */
export class FfmpegFailedError extends TapedeckError {
  readonly code = 'TD_FFMPEG_FAILED'
  readonly fault = 'host'
  /** The last 16 KiB of what it said. */
  readonly stderr: string

  constructor(how: string, stderr: string) {
    super(`ffmpeg ${how}: ${stderr.trim().split('\n').slice(-3).join(' | ') || 'it said nothing'}`)
    this.stderr = stderr
  }
}

/** What ffmpeg made is not what its source is; it was thrown away. */
export class VerificationError extends TapedeckError {
  readonly code = 'TD_VERIFICATION'
  readonly fault = 'host'

  constructor(output: string, differences: readonly string[]) {
    super(
      `${output} did not pass verification and was thrown away: ${differences.slice(0, 5).join('; ')}; the source is kept`,
    )
  }
}

/** A path of a job leads out of the recording directory. */
export class PathError extends TapedeckError {
  readonly code = 'TD_PATH'
  readonly fault = 'caller'

  constructor(path: string, why: string) {
    super(`path ${JSON.stringify(path.slice(0, 200))} ${why}; jobs name files below the recording directory`)
  }
}
