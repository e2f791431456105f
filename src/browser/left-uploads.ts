/// <reference lib="dom" />
import { checksum, lockOf } from './chunk-recorder.ts'
import { ChunkSender } from './chunk-sender.ts'
import type { ChunkStore, StoredUpload } from './chunk-store.ts'
import type { ConnectionOptions } from './connection-options.ts'
import { RefusalError } from './refusal.ts'

/**
 * Sends what pages that are gone have recorded of this participant and left in the store, and ends it. Resolves with how many
 * uploads that were; those that a living page has are its own.
 * @throws RefusalError when the server will not have them, whatever we try
 */
export async function sendLeftUploads(store: ChunkStore, to: ConnectionOptions): Promise<number> {
  const url = new URL(String(to.url), location.href).href
  let count = 0
  for (const upload of await store.uploads()) {
    if (upload.url !== url || upload.room !== to.room || upload.participant !== to.participant) continue
    await navigator.locks.request(lockOf(upload), { ifAvailable: true }, async (lock) => {
      if (lock === null) return
      await sendLeft(store, upload, to)
      count++
    })
  }
  return count
}

async function sendLeft(store: ChunkStore, upload: StoredUpload, { token }: ConnectionOptions): Promise<void> {
  const sender = new ChunkSender(store, upload, token, { sent: () => undefined, troubled: () => undefined })
  try {
    const last = await store.lastChunk(upload.id)
    const next = last === undefined ? await sender.nextSeq() : last.seq + 1
    if (next === undefined)
      await store.removeUpload(upload.id) // nothing of it ever left the page, and nothing is here
    else {
      if (last?.isFinal !== true) await addEnd(store, upload, next)
      await sender.run()
    }
  } catch (error) {
    const isLost = error instanceof RefusalError && error.status === 409 && !error.isPassing
    if (isLost) await store.removeUpload(upload.id)
    throw error
  }
}

/** Behind the last chunk that there is comes the end. */
async function addEnd(store: ChunkStore, upload: StoredUpload, seq: number): Promise<void> {
  const bytes = new ArrayBuffer(0)
  const sha256 = await checksum(bytes)
  await store.addChunk({ upload: upload.id, seq, bytes, sha256, startMs: Date.now(), isFinal: true })
}
