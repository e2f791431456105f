import type { StreamAddress } from '../live/stream.ts'
import { TapedeckError } from '../media/errors.ts'
import type { Part } from './part.ts'
import { type FaultReport, faultReport } from './report.ts'

/** A recording ended without a single frame in a file. */
export class NothingRecordedError extends TapedeckError {
  readonly code = 'TD_NOTHING_RECORDED'
  readonly fault = 'peer'

  constructor(address: StreamAddress) {
    super(
      `${address.room}/${address.participant}: it ended before a keyframe or any sound came; check what the encoder sends`,
    )
  }
}

/** What came of a recording. */
export interface Outcome {
  /** Parts that have files. */
  readonly kept: readonly Part[]
  /** What went wrong; also where something was kept. */
  readonly error: FaultReport | undefined
}

/** `lastError`: why its files could not be written when it ended. */
export function outcomeOf(address: StreamAddress, parts: readonly Part[], lastError: unknown): Outcome {
  const kept = parts.filter(({ state }) => state !== 'removed')
  const fault = kept.findLast(({ state }) => state === 'torn')?.fault ?? lastError
  if (kept.length === 0) return { kept, error: faultReport(fault ?? new NothingRecordedError(address)) }
  return { kept, error: fault === undefined ? undefined : faultReport(fault) }
}
