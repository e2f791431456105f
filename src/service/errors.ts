import { NoMediaError } from '../live/source-errors.ts'
import { TapedeckError } from '../media/errors.ts'

/** There is no such recording. */
export class RecordingMissingError extends TapedeckError {
  readonly code = 'TD_RECORDING_MISSING'
  readonly fault = 'caller'

  constructor(id: string) {
    super(
      `there is no recording ${JSON.stringify(id.slice(0, 64))}; it may have been deleted, GET /api/recordings lists what there is`,
    )
  }
}

/** A recording has no such file. */
export class FileUnknownError extends TapedeckError {
  readonly code = 'TD_FILE_UNKNOWN'
  readonly fault = 'caller'

  constructor(id: string, fileId: string) {
    super(`recording ${id} has no file ${JSON.stringify(fileId.slice(0, 64))}; its "files" say what it has`)
  }
}

/** Nobody publishes in the room, and nobody was named to wait for. */
export class UnknownRoomError extends TapedeckError {
  readonly code = 'TD_ROOM_UNKNOWN'
  readonly fault = 'caller'

  constructor(room: string) {
    super(
      `room ${JSON.stringify(room.slice(0, 64))}: nobody publishes there; publish first, or name the participants to wait for`,
    )
  }
}

/** Another process holds the recording. */
export class ElsewhereError extends TapedeckError {
  readonly code = 'TD_RECORDING_ELSEWHERE'
  readonly fault = 'caller'
  readonly node: string

  constructor(id: string, node: string) {
    super(`recording ${id} is run by node ${node}; ask that one`)
    this.node = node
  }
}

/** The recording is on hold and stays. */
export class HeldError extends TapedeckError {
  readonly code = 'TD_HELD'
  readonly fault = 'caller'

  constructor(id: string) {
    super(`recording ${id} is on hold and cannot be deleted; take it off hold first`)
  }
}

/** The disk would be full before what runs, and one more, could be kept. */
export class DiskForecastError extends TapedeckError {
  readonly code = 'TD_DISK_FORECAST'
  readonly fault = 'host'
  readonly freeBytes: number
  readonly neededBytes: number

  constructor(freeBytes: number, neededBytes: number) {
    const mb = (bytes: number) => `${Math.round(bytes / 1_000_000)} MB`
    super(
      `a further recording would put the running ones at risk: ${mb(freeBytes)} free, ${mb(neededBytes)} needed with it; ` +
        'free some space, or lower --record-reserve or --record-min-free-mb',
    )
    this.freeBytes = freeBytes
    this.neededBytes = neededBytes
  }
}

/** A manifest that cannot be read: damaged, too large, or not a manifest. It is left alone. */
export class ManifestError extends TapedeckError {
  readonly code = 'TD_MANIFEST'
  readonly fault = 'host'
  readonly path: string

  constructor(path: string, problem: string) {
    super(`${path}: not a manifest of a recording: ${problem}; mend it, move it away, or take it from a copy`)
    this.path = path
  }
}

/** Something that a recording, or a change of one, was asked with cannot be used: which, and what is allowed. */
export class RequestError extends TapedeckError {
  readonly code = 'TD_RECORDING_REQUEST'
  readonly fault = 'caller'
  /** What of the request it is. */
  readonly field: string

  constructor(field: string, rule: string) {
    super(`${field}: ${rule}; correct it and ask again`)
    this.field = field
  }
}

/** A recording is still at work, and cannot be deleted. */
export class RecordingLiveError extends TapedeckError {
  readonly code = 'TD_RECORDING_LIVE'
  readonly fault = 'caller'

  constructor(id: string, status: string) {
    super(`recording ${id} is ${status}; stop it and let it complete, or cancel it, before it is deleted`)
  }
}

/** The participants that a recording waited for did not come. */
export class NobodyCameError extends NoMediaError {
  readonly code = 'TD_NOBODY_CAME'

  constructor(room: string) {
    super(
      `room ${JSON.stringify(room.slice(0, 64))}: none of those who were to be recorded published anything`,
      'connected',
    )
  }
}

/** This server is about to end and takes nothing new. */
export class StoppingError extends TapedeckError {
  readonly code = 'TD_STOPPING'
  readonly fault = 'host'

  constructor() {
    super('this server is stopping and begins no recording; ask again when it is back, or ask another')
  }
}

/** Work that a recording needed was cancelled by somebody. */
export class JobCancelledError extends TapedeckError {
  readonly code = 'TD_JOB_CANCELLED'
  readonly fault = 'caller'

  constructor(jobId: string) {
    super(`job ${jobId} was cancelled; the source is kept, retry the job if its result is wanted`)
  }
}
