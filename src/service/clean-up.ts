import { TapedeckError } from '../media/errors.ts'
import type { RecordingStatus } from '../state/recording-object.ts'
import type { RecordingStore } from '../state/store.ts'
import { endedAtMs } from './retention.ts'

const PAGE = 1000
const ENDED: readonly RecordingStatus[] = ['completed', 'failed', 'cancelled']

/**
 * Removes, by `remove`, recordings that ended longer ago than `olderThanMs` and are not on hold. Returns how many.
 * @throws StateAwayError
 */
export async function cleanUp(
  recordings: Pick<RecordingStore, 'list'>,
  olderThanMs: number,
  remove: (id: string) => Promise<void>,
): Promise<number> {
  const limitMs = Date.now() - olderThanMs
  let removed = 0
  let cursor: string | undefined
  do {
    const place = cursor === undefined ? {} : { cursor }
    const page = await recordings.list({ statuses: ENDED, untilMs: limitMs, limit: PAGE, ...place })
    for (const entry of page.entries) {
      if (entry.hold || endedAtMs(entry) > limitMs) continue
      try {
        await remove(entry.recording.recording_id)
        removed++
      } catch (error) {
        if (!(error instanceof TapedeckError) || error.code === 'TD_STATE_AWAY') throw error // others: gone, or held now
      }
    }
    cursor = page.next
  } while (cursor !== undefined)
  return removed
}
