import { isProcessOf } from '../recorder/process-life.ts'
import type { CatalogueEntry } from '../state/catalogue-entry.ts'
import { LIVE_STATUSES } from '../state/recording-object.ts'

/** Whether somebody has to be at work on it. */
export function isLive(entry: CatalogueEntry): boolean {
  return LIVE_STATUSES.includes(entry.recording.status)
}

/** Whether a recording is live, and its process dead: see `isOwnerDead`. */
export function isAbandoned(entry: CatalogueEntry, node: string): boolean {
  return isLive(entry) && isOwnerDead(entry, node)
}

/**
 * Whether a recording's process is dead, as far as this node can tell: of other nodes it cannot, and says no. In a
 * container every process may have the same id: an owner with ours that took hold before we began is another.
 */
export function isOwnerDead(entry: CatalogueEntry, node: string): boolean {
  const { owner } = entry
  if (owner === null) return true
  if (owner.node !== node) return false
  const sinceMs = Date.parse(owner.since ?? entry.created_at)
  if (owner.pid === process.pid) return sinceMs < performance.timeOrigin
  return !isProcessOf(owner.pid, sinceMs)
}
