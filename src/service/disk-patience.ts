import { isDoneWithin } from '../media/patience.ts'

/** How long anybody who asks for something waits for a disk that blocks, ms. */
const PATIENCE_MS = 2000

/** Waits for `work` on the disk: false when that blocks, and the work is left to itself. Throws what `work` throws meanwhile. */
export function isDoneSoon(work: Promise<unknown>): Promise<boolean> {
  return isDoneWithin(work, PATIENCE_MS)
}
