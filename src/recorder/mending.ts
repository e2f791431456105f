import { repairContainer } from '../container/formats.ts'
import type { Progress, RepairReport } from '../container/reader.ts'
import type { Storage } from '../storage/ports.ts'

/**
 * Repairs a file that was left unfinished. When the repair itself fails, for lack of space say, what it had appended is cut
 * off again, so that the file plays as before and can be tried again.
 */
export async function mendFile(storage: Storage, path: string, onProgress?: Progress): Promise<RepairReport> {
  const file = await storage.open(path)
  const before = file.sizeBytes
  try {
    return await repairContainer(file, onProgress)
  } catch (error) {
    if (file.sizeBytes > before) await file.truncate(before).catch(() => undefined)
    throw error
  } finally {
    await file.close()
  }
}
