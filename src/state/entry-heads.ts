import type { EntryHead, RecordingStore } from './store.ts'

/** Whole entries at once: media must not wait for more. */
const PAGE = 100

/** The heads of all entries that can be read as a whole: what is damaged, in whatever way, is left out. @throws StateAwayError */
export async function readHeads(recordings: Pick<RecordingStore, 'list'>): Promise<EntryHead[]> {
  const heads: EntryHead[] = []
  let cursor: string | undefined
  do {
    const page = await recordings.list({ limit: PAGE, ...(cursor === undefined ? {} : { cursor }) })
    for (const { revision, manifest_path: manifestPath, recording } of page.entries) {
      heads.push({ id: recording.recording_id, revision, status: recording.status, manifestPath })
    }
    cursor = page.next
  } while (cursor !== undefined)
  return heads
}
