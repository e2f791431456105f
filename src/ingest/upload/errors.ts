import { TapedeckError } from '../../media/errors.ts'

/** Another chunk has that number already: the same number always stands for the same bytes. */
export class ChunkConflictError extends TapedeckError {
  readonly code = 'TD_CHUNK_CONFLICT'
  readonly fault = 'peer'

  constructor(seq: number, problem: string) {
    super(`chunk ${seq}: ${problem}`)
  }
}

/** A chunk is not what its checksum says; nothing of it was kept. */
export class ChunkChecksumError extends TapedeckError {
  readonly code = 'TD_CHUNK_CHECKSUM'
  readonly fault = 'peer'

  constructor(seq: number, found: string) {
    super(`chunk ${seq}: its SHA-256 is ${found}, another was announced; send it again`)
  }
}

/** The connection ended before all of a chunk had come; nothing of it was kept. */
export class ChunkCutError extends TapedeckError {
  readonly code = 'TD_CHUNK_CUT'
  readonly fault = 'peer'

  constructor(seq: number) {
    super(`chunk ${seq}: the connection ended before all of it had come; send it again`)
  }
}

/** A chunk is larger than one may be. */
export class ChunkSizeError extends TapedeckError {
  readonly code = 'TD_CHUNK_SIZE'
  readonly fault = 'peer'

  constructor(seq: number, limitBytes: number) {
    super(`chunk ${seq}: more than ${limitBytes} bytes; send it in smaller ones, they may be cut anywhere`)
  }
}

/** More is on its way than is taken at a time; later there is room again. */
export class UploadBusyError extends TapedeckError {
  readonly code = 'TD_UPLOAD_BUSY'
  readonly fault = 'peer'

  constructor(what: string, limit: number) {
    super(`${what}: the limit is ${limit}; wait a moment and send it again`)
  }
}

/** The upload takes no more: it has ended, or what it brought cannot be read. */
export class UploadEndedError extends TapedeckError {
  readonly code = 'TD_UPLOAD_ENDED'
  readonly fault = 'peer'

  constructor(session: string, problem: string) {
    super(`upload ${JSON.stringify(session.slice(0, 64))} takes no more: ${problem}; begin another one`)
  }
}

/** There is no such upload, or it was forgotten since it ended. */
export class UploadMissingError extends TapedeckError {
  readonly code = 'TD_UPLOAD_MISSING'
  readonly fault = 'caller'

  constructor(session: string) {
    super(`there is no upload ${JSON.stringify(session.slice(0, 64))} of this participant; begin with chunk 0`)
  }
}
