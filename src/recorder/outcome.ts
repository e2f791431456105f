import { NoMediaError } from '../live/source-errors.ts'
import type { StreamAddress } from '../live/stream.ts'
import type { ChecklistLine } from '../media/source-report.ts'
import type { Part } from './part.ts'
import { type FaultReport, faultReport } from './report.ts'
import type { SourceBook } from './source-book.ts'

const WHY: Readonly<Record<ChecklistLine, string>> = {
  connected: 'nobody was connected; look whether the publisher gets through to this server',
  tracks_published: 'the publisher announced no track; look whether it has a camera or a microphone',
  subscribed: 'none of its tracks could be taken; look at its codecs',
  first_rtp: 'no media came; look whether its camera or microphone give anything',
  first_keyframe: 'it ended before a keyframe or any sound came; check what the encoder sends',
  frames_flowing: 'no frame came that could be decoded; look at what its network loses',
  feedback_seen: 'its feedback was never seen',
}

/** A recording ended without a single frame in a file. */
export class NothingRecordedError extends NoMediaError {
  readonly code = 'TD_NOTHING_RECORDED'

  constructor({ room, participant }: StreamAddress, unmet: ChecklistLine | undefined, source?: FaultReport) {
    const why = unmet === undefined ? 'media came, but none while it was recorded' : WHY[unmet]
    super(`${room}/${participant}: ${why}${source === undefined ? '' : `; ${source.code}: ${source.message}`}`, unmet)
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
export function outcomeOf(
  address: StreamAddress,
  parts: readonly Part[],
  sources: Pick<SourceBook, 'unmet' | 'current'>,
  lastError: unknown,
): Outcome {
  const kept = parts.filter(({ state }) => state !== 'removed')
  const fault = kept.findLast(({ state }) => state === 'torn')?.fault ?? lastError
  if (kept.length > 0) return { kept, error: fault === undefined ? undefined : faultReport(fault) }
  const nothing = fault ?? new NothingRecordedError(address, sources.unmet, sources.current?.fault)
  return { kept, error: faultReport(nothing) }
}
