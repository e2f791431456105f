import { TapedeckError } from '../media/errors.ts'

/** Media that may wait for the disk or an encoder, bytes: four minutes of 2 Mbit/s. */
export const MAX_BACKLOG_BYTES = 64 * 1024 * 1024

/** More was written than the disk or encoder takes; what was given last was not taken. Nothing before it is lost. */
export class BacklogError extends TapedeckError {
  readonly code = 'TD_BACKLOG'
  readonly fault = 'host'

  constructor(path: string, backlogBytes: number) {
    super(`${path}: ${backlogBytes} bytes wait to be written; await drain() before writing on`)
  }
}
