/** How long anybody who asks for something waits for a disk that blocks, ms. */
const PATIENCE_MS = 2000

/** Waits for `work` on the disk: false when that blocks, and the work is left to itself. Throws what `work` throws meanwhile. */
export async function isDoneSoon(work: Promise<unknown>): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<false>()
  const timer = setTimeout(() => resolve(false), PATIENCE_MS)
  try {
    return await Promise.race([work.then(() => true), late])
  } finally {
    clearTimeout(timer)
  }
}
