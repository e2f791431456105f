import { randomUUID } from 'node:crypto'
import type { CatalogueEntry, Marker } from '../state/catalogue-entry.ts'
import { RequestError } from './errors.ts'

/** As the schemas have it. */
const MAX_LABEL_CHARACTERS = 255
const MAX_MARKERS = 1000

/**
 * A new marker of `entry`. `nowMs`: where its clock stands, while it is live.
 * @throws RequestError
 */
export function newMarker(
  entry: CatalogueEntry,
  label: string,
  { atMs, nowMs }: { readonly atMs: number | undefined; readonly nowMs: number | undefined },
): Marker {
  if (label === '' || label.length > MAX_LABEL_CHARACTERS) {
    throw new RequestError('label', `has 1 to ${MAX_LABEL_CHARACTERS} characters`)
  }
  if (entry.markers.length >= MAX_MARKERS) throw new RequestError('markers', `are at most ${MAX_MARKERS}`)
  const at = atMs ?? nowMs
  if (at === undefined) throw new RequestError('at_ms', 'is needed: this recording has ended, its clock stands still')
  const endMs = nowMs ?? endOf(entry)
  if (!Number.isFinite(at) || at < 0 || at > endMs) {
    throw new RequestError('at_ms', `lies between 0 and ${Math.round(endMs)}, which is where the recording ends`)
  }
  return { marker_id: randomUUID(), label, at_ms: Math.round(at), created_at: new Date().toISOString() }
}

/** Where the last of its files ends on its clock, ms. */
function endOf({ recording }: CatalogueEntry): number {
  let endMs = 0
  for (const { kind, anchors, duration_ms, offset_ms } of recording.files) {
    if (kind !== 'source') continue
    const last = anchors.at(-1)
    const fileEndMs = last === undefined ? offset_ms + duration_ms : last.recording_ms + duration_ms - last.file_ms
    endMs = Math.max(endMs, fileEndMs)
  }
  return endMs
}
